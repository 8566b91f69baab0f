//! Cross entropy of labels with the probabilities softmax(ρ).

mod information;
mod root;

use faer::{Mat, MatRef};

use self::root::SoftmaxRoot;
use super::{Error, Loss};
use crate::check;
use crate::error::Result;
use crate::linalg::Backend;
use crate::metric::{Metric, Root};

/// Negative log-likelihood −w Σₙ ln p(yₙ; ρₙ) of labels yₙ, with the probabilities p = softmax(ρₙ) of the logits ρₙ.
///
/// The state holds the logits of the first sample, one for every class, then those of the second, and so on. Such a state is
/// that of a [`Network`](crate::models::Network). The weight w is 1, which makes the loss a negative log-likelihood, unless it
/// is set to 1/N for the mean over N samples ([`mean`](Self::mean)).
///
/// The metric is the Fisher information of the logits, w (diag p − p pᵀ) for every sample. Logits are natural parameters of an
/// exponential family, so that the metric equals the Hessian of the loss at every ρ, and not only at a fit.
///
/// ```
/// use pullback::{Loss, loss::Softmax};
/// let loss = Softmax::new(3, vec![0, 2])?;
/// // The first sample is undecided between three classes; the second is all but certain, and right.
/// let value = loss.value(&[1.0, 1.0, 1.0, -50.0, -50.0, 50.0]);
/// assert!((value - 3.0_f64.ln()).abs() < 1e-15);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Softmax {
    classes: usize,
    labels: Vec<usize>,
    weight: f64,
    /// Names of the samples for messages, if they are not their places.
    numbers: Vec<usize>,
}

impl Softmax {
    /// Creates the loss of these labels, which count the classes from 0.
    ///
    /// # Errors
    /// Fails if there are no labels, if there are fewer than two classes, or if a label is not below the number of classes.
    pub fn new(classes: usize, labels: Vec<usize>) -> Result<Self> {
        let (count, some) = (labels.len() as f64, !labels.is_empty());
        check::option("the number of labels", count, some, "give at least one")?;
        let remedy = "distinguish at least two";
        check::option("the number of classes", classes as f64, classes > 1, remedy)?;
        if let Some(sample) = labels.iter().position(|label| *label >= classes) {
            let label = labels[sample];
            return Err(Error::Label {
                sample,
                label,
                classes,
            }
            .into());
        }
        Ok(Self {
            classes,
            labels,
            weight: 1.0,
            numbers: Vec::new(),
        })
    }

    /// Sets the weight w of every sample, which is 1 by default.
    ///
    /// # Errors
    /// Fails if the weight is not positive and finite.
    pub fn weighted(mut self, weight: f64) -> Result<Self> {
        check::positive("the weight of a sample", &[weight])?;
        self.weight = weight;
        Ok(self)
    }

    /// Sets the weight 1/N of N samples, so that the loss is the mean cross entropy.
    #[must_use]
    pub fn mean(mut self) -> Self {
        self.weight = (self.labels.len() as f64).recip();
        self
    }

    /// Sets the names of the samples for messages.
    pub(crate) fn numbered(mut self, numbers: &[usize]) -> Self {
        self.numbers = numbers.to_vec();
        self
    }

    /// Returns the labels.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Returns the fraction of the samples whose label has the largest logit. Ties count as wrong.
    ///
    /// ```
    /// use pullback::loss::Softmax;
    /// let loss = Softmax::new(2, vec![0, 1, 1])?;
    /// assert_eq!(loss.accuracy(&[1.0, 0.0, 0.0, 2.0, 5.0, 5.0])?, 1.0 / 3.0 + 1.0 / 3.0);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails if the state has the wrong length or an entry that is not finite.
    pub fn accuracy(&self, rho: &[f64]) -> Result<f64> {
        self.check(rho)?;
        let right = |(logits, label): &(&[f64], &usize)| {
            let other = |(class, x): (usize, &f64)| class == **label || *x < logits[**label];
            logits.iter().enumerate().all(other)
        };
        Ok(self.samples(rho).filter(right).count() as f64 / self.labels.len() as f64)
    }

    /// Returns the logits of every sample with its label.
    fn samples<'r>(&'r self, rho: &'r [f64]) -> impl Iterator<Item = (&'r [f64], &'r usize)> {
        rho.chunks_exact(self.classes).zip(&self.labels)
    }

    /// Returns the square roots of all probabilities.
    fn roots(&self, rho: &[f64]) -> Vec<f64> {
        let mut roots = rho.to_vec();
        for logits in roots.chunks_exact_mut(self.classes) {
            let (largest, sum) = normaliser(logits);
            // The root of e^{x − m} is e^{(x − m)/2}, which underflows much later than its square.
            let root = |x: &mut f64| *x = (0.5 * (*x - largest)).exp() / sum.sqrt();
            logits.iter_mut().for_each(root);
        }
        roots
    }

    /// Returns the root of w (diag p − p pᵀ) at ρ.
    fn root(&self, rho: &[f64]) -> Result<SoftmaxRoot> {
        self.check(rho)?;
        let root = SoftmaxRoot::new(self.classes, self.weight, self.roots(rho));
        Ok(root.numbered(&self.numbers))
    }
}

/// Returns the largest logit m and Σ e^{x − m}.
//
// The probabilities are e^{x − m}/Σ e^{x − m}. The largest summand is 1, so that the sum neither overflows nor vanishes. ln Σ e^x
// as one number would have the error ε|m|, and every probability this relative error.
fn normaliser(logits: &[f64]) -> (f64, f64) {
    let largest = logits.iter().fold(f64::NEG_INFINITY, |m, x| m.max(*x));
    let sum: f64 = logits.iter().map(|x| (x - largest).exp()).sum();
    (largest, sum)
}

impl Loss for Softmax {
    fn value(&self, rho: &[f64]) -> f64 {
        if rho.len() != self.classes * self.labels.len() {
            return f64::NAN;
        }
        // −ln p_y = ln Σ e^x − x_y. For a sample that is almost certain, the difference of two large numbers would lose the
        // digits of a small loss; relative to the label, −ln p_y = ln(1 + Σ e^{x − x_y}) keeps them.
        let value = |(logits, label): (&[f64], &usize)| {
            let own = logits[*label];
            let others = logits
                .iter()
                .enumerate()
                .filter(|(class, _)| class != label);
            let gaps = others.map(|(_, x)| x - own);
            let largest = gaps.clone().fold(0.0, f64::max);
            if largest == f64::INFINITY {
                return largest;
            }
            let sum: f64 = gaps.map(|gap| (gap - largest).exp()).sum();
            // With the largest gap g > 0, ln(1 + Σ e^gap) = g + ln(e^{−g} + Σ e^{gap − g}).
            match largest > 0.0 {
                true => largest + ((-largest).exp() + sum).ln(),
                false => sum.ln_1p(),
            }
        };
        self.weight * self.samples(rho).map(value).sum::<f64>()
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        if rho.len() != self.classes * self.labels.len() || out.len() != rho.len() {
            out.fill(f64::NAN);
            return;
        }
        let scores = out.chunks_exact_mut(self.classes);
        for (out, (logits, label)) in scores.zip(self.samples(rho)) {
            self.score(logits, *label, out);
            out.iter_mut().for_each(|score| *score *= self.weight);
        }
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        Some(Box::new(Information(self)))
    }

    fn hessian(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        // The Hessian of ln Σ e^x is the covariance diag p − p pᵀ of the classes, whatever the label.
        self.root(rho)?.apply(v).map(Some)
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        let what = "the logits given to a softmax loss, one for every sample and class";
        check::length(what, rho.len(), self.classes * self.labels.len())?;
        check::finite("the logits given to a softmax loss", rho)
    }
}

impl Softmax {
    /// Computes the derivative p − e_y of −ln p_y.
    fn score(&self, logits: &[f64], label: usize, out: &mut [f64]) {
        let (largest, sum) = normaliser(logits);
        for (out, x) in out.iter_mut().zip(logits) {
            *out = (x - largest).exp() / sum;
        }
        // p_y − 1 is minus the sum of the other probabilities, which is small where the sample is almost certain.
        let others = out.iter().enumerate().filter(|(class, _)| *class != label);
        out[label] = -others.map(|(_, p)| p).sum::<f64>();
    }
}

/// Metric of the loss.
struct Information<'a>(&'a Softmax);

impl Metric for Information<'_> {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        Ok(Box::new(self.0.root(rho)?))
    }

    fn name(&self) -> &'static str {
        "Fisher information"
    }
}
