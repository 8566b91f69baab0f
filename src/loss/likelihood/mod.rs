//! Negative log-likelihoods of data whose means and noise levels are entries of the state.

mod datum;
mod family;
mod information;

pub use self::datum::{Datum, NoiseLevel};
pub use self::family::Family;

use faer::{Mat, MatRef};

use self::datum::Term;
use super::Loss;
use crate::check;
use crate::error::Result;
use crate::linalg::Backend;
use crate::metric::{Metric, Root};

/// Negative log-likelihood −Σ ln p(yᵢ; μᵢ, σᵢ) of independent data, with all constants.
///
/// The means and the noise levels are entries of the state, so that parameters of the noise are estimated along with those of
/// the means. Several data may share an entry, such as replicates or data with a common noise level. Entries that no datum uses
/// have no effect.
///
/// The metric is the Fisher information of the entries. It is diagonal, adds up over data, and depends on the state: a Gaussian
/// datum adds 1/σ² for its mean and 2/σ² for its noise level. A covariance ([`Report::covariance`](crate::Report::covariance)) is
/// therefore the inverse Fisher information of the parameters. Data farther than about five noise levels from their means, as at
/// a start with levels that are far too small, add more for the level, so that steps do not overshoot.
///
/// Outside σ > 0 the value is ∞. A noise level that is a parameter may be estimated in its own units, which a step of the metric
/// at most halves, or as a [logarithm](crate::Transform::Log).
///
/// Laplace's distribution has a kink at the mean, and no second derivative. A descent comes to rest near the minimum, and reports
/// [`Stop::Rest`](crate::descent::Stop::Rest) and not convergence. In tests with 20 to 40 data it reached the median to 10⁻⁸ of
/// the scale, and a value within 0.02 of the minimum for lines, whose parameters share kinks.
///
/// ```
/// use pullback::automatic::{Curve, Formula, Scalar};
/// use pullback::loss::{Datum, Family, Likelihood, NoiseLevel};
/// use pullback::posterior::Variance;
/// use pullback::Descent;
///
/// /// Means a + b t at the times 0, 1, …, 9, and a noise level σ for all of them. θ holds a, b and σ.
/// struct Line;
///
/// impl Formula for Line {
///     fn dims(&self) -> (usize, usize) {
///         (11, 3)
///     }
///
///     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
///         for (t, mean) in out[..10].iter_mut().enumerate() {
///             *mean = theta[0] + theta[1] * t as f64;
///         }
///         out[10] = theta[2];
///     }
/// }
///
/// let values = [1.1, 2.9, 5.2, 6.8, 9.1, 11.0, 12.8, 15.3, 16.9, 19.2];
/// let datum = |(mean, &value)| Datum {
///     mean,
///     noise: NoiseLevel::Entry(10),
///     value,
///     family: Family::Gaussian,
/// };
/// let loss = Likelihood::new(11, values.iter().enumerate().map(datum))?;
/// let curve = Curve::new(Line);
/// let descent = Descent::new(&curve, &loss);
/// let report = descent.run(&[0.0, 1.0, 1.0], |_| ())?;
/// let estimates = report.estimates(&descent, Variance::Known)?.named(&["a", "b", "σ"])?;
/// assert!(report.converged() && (report.theta[1] - 2.0).abs() < 0.02);
/// // The standard error of σ is σ/√(2n).
/// let error = estimates.uncertainty().standard_errors[2];
/// assert!((error / report.theta[2] - 20_f64.sqrt().recip()).abs() < 1e-6);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Likelihood {
    entries: usize,
    terms: Vec<Term>,
    /// Entries of the state that a datum uses, in increasing order.
    seen: Vec<usize>,
}

impl Likelihood {
    /// Creates the negative log-likelihood of these data for a state with this number of entries.
    ///
    /// # Errors
    /// Fails if there are no data, if a value is NaN, infinite, or not positive although its logarithm is normal, if an entry is
    /// not in the state, or if a given noise level or the degrees of freedom are not positive and finite.
    pub fn new(entries: usize, data: impl IntoIterator<Item = Datum>) -> Result<Self> {
        Self::numbered(entries, data.into_iter().enumerate())
    }

    /// Creates the likelihood of data with their numbers in messages.
    fn numbered(entries: usize, data: impl Iterator<Item = (usize, Datum)>) -> Result<Self> {
        let terms = data.map(|(index, datum)| Term::new(index, datum, entries));
        Self::of_terms(entries, terms.collect::<Result<_>>()?)
    }

    /// Creates the likelihood of data with their names in messages.
    pub(super) fn named(entries: usize, data: &[(String, Datum)]) -> Result<Self> {
        let data = data.iter().enumerate();
        let terms = data.map(|(index, (name, datum))| {
            Term::new(index, *datum, entries).map(|term| term.named(name))
        });
        Self::of_terms(entries, terms.collect::<Result<_>>()?)
    }

    fn of_terms(entries: usize, terms: Vec<Term>) -> Result<Self> {
        check::option(
            "the number of data of a likelihood",
            terms.len() as f64,
            !terms.is_empty(),
            "give at least one that is not missing",
        )?;
        let mut seen: Vec<usize> = terms.iter().flat_map(Term::entries).collect();
        seen.sort_unstable();
        seen.dedup();
        Ok(Self {
            entries,
            terms,
            seen,
        })
    }

    /// Creates the negative log-likelihood of those data whose value is not NaN.
    ///
    /// # Errors
    /// Fails as [`new`](Self::new) does. Messages number the data as they were given, missing ones included.
    pub fn present(entries: usize, data: impl IntoIterator<Item = Datum>) -> Result<Self> {
        let data = data.into_iter().enumerate();
        Self::numbered(entries, data.filter(|(_, datum)| !datum.value.is_nan()))
    }

    /// Returns the negative log-likelihood of those data that use these entries alone, for a state that consists of them.
    ///
    /// A [`Window`](crate::evolution::Window) of an evolution has such entries.
    ///
    /// # Errors
    /// Fails if an entry is not in the state, or if no datum is left.
    pub fn part(&self, entries: &[usize]) -> Result<Self> {
        let mut places = vec![None; self.entries];
        for (place, &entry) in entries.iter().enumerate() {
            let what = "an entry of a part of the state";
            let inside = entry < self.entries;
            let remedy = "give an index below the length of the state";
            check::option(what, entry as f64, inside, remedy)?;
            places[entry] = Some(place);
        }
        let moved = |term: &Term| term.clone().moved(|entry| places[entry]);
        Self::of_terms(entries.len(), self.terms.iter().filter_map(moved).collect())
    }

    /// Returns the number of data.
    pub fn count(&self) -> usize {
        self.terms.len()
    }

    /// Returns −ln p of every datum.
    ///
    /// # Errors
    /// Fails if the state has the wrong length.
    pub fn values(&self, rho: &[f64]) -> Result<Vec<f64>> {
        check::length(LENGTH, rho.len(), self.entries)?;
        Ok(self.terms.iter().map(|term| term.value(rho)).collect())
    }

    /// Returns the root of the information of every entry.
    fn information_roots(&self, rho: &[f64]) -> Vec<f64> {
        let mut roots = vec![0.0; self.entries];
        let terms = self.terms.iter();
        terms.for_each(|term| term.add_information(rho, &mut roots));
        roots
    }
}

/// Name of the state in the check of its length.
const LENGTH: &str =
    "the length of the state given to a likelihood (of a table: outputs per time × times)";

impl Loss for Likelihood {
    fn value(&self, rho: &[f64]) -> f64 {
        self.values(rho)
            .map_or(f64::NAN, |values| values.iter().sum())
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        let terms = self.terms.iter();
        terms.for_each(|term| term.add_slopes(rho, out));
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        Some(Box::new(Information(self)))
    }

    /// Returns None with data of Laplace's distribution, whose density has a kink at the mean.
    fn hessian(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        self.check(rho)?;
        check::length("the rows of a batch", v.nrows(), self.entries)?;
        let mut product = Mat::zeros(v.nrows(), v.ncols());
        let mut terms = self.terms.iter();
        let known = terms.all(|term| term.add_bends(rho, v, &mut product));
        Ok(known.then_some(product))
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        check::length(LENGTH, rho.len(), self.entries)?;
        self.terms.iter().try_for_each(|term| term.check(rho))
    }
}

/// Fisher information of the entries of the state, raised for data far from their means.
struct Information<'a>(&'a Likelihood);

impl Metric for Information<'_> {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        self.0.check(rho)?;
        self.0.diagonal(&self.0.information_roots(rho))
    }

    fn name(&self) -> &'static str {
        "Fisher information"
    }
}
