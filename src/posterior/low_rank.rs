//! The posterior of many parameters: the prior, corrected where the data say more than it.

use std::fmt;

use faer::Mat;

use crate::check;
use crate::error::{Error, Result};
use crate::hessian::{Curvature, Spectrum};
use crate::linalg::Backend;
use crate::metric::Root;
use crate::model::adjoint::Linearisation;
use crate::prior::PriorTerms;

/// How many eigenpairs a posterior is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rank {
    /// Pairs that are kept, where there are as many.
    pub rank: usize,
    /// Random columns beyond these, for accuracy.
    pub oversampling: usize,
    /// The seed of the random columns.
    pub seed: u64,
}

impl Default for Rank {
    fn default() -> Self {
        Self {
            rank: 50,
            oversampling: 10,
            seed: 0,
        }
    }
}

/// The Gaussian posterior N(θ, (G + C)⁻¹) with C the precision of the priors and G of low rank beside it.
///
/// With the leading eigenpairs G u = λ C u, UᵀCU = 1,
///
/// ```text
/// (G + C)⁻¹ ≈ C⁻¹ − U diag(λ/(1 + λ)) Uᵀ
/// ```
///
/// up to eigenvalues that are small beside 1. An eigenvalue is the information of the data along u in units of that of
/// the prior. Where there are at most three times as many data as columns ([`Rank::rank`] and [`Rank::oversampling`]
/// together) an adjoint solve for each gives all pairs there are; else a randomised subspace iteration finds the leading
/// ones by two adjoint solves and a tangent one a column. See [`Descent::posterior`](crate::Descent::posterior).
pub struct Posterior<'a> {
    spectrum: Spectrum,
    prior: PriorTerms<'a>,
    backend: &'a dyn Backend,
    solves: usize,
}

/// Eigenvalues above this are not small beside 1.
const MATTERS: f64 = 0.1;

/// Nats that many eigenvalues, all of them small, may add up to before it is said.
const MUCH: f64 = 1.0;

impl<'a> Posterior<'a> {
    /// The posterior at a point, from what is known there.
    pub(crate) fn new(
        z: &Linearisation<'_>,
        root: &dyn Root,
        mut prior: PriorTerms<'a>,
        backend: &'a dyn Backend,
        rank: Rank,
    ) -> Result<Self> {
        check::option(
            "the rank of a posterior",
            rank.rank as f64,
            rank.rank > 0,
            "give the number of eigenpairs to keep, such as 50",
        )?;
        prior.factorise(backend)?;
        let before = z.solves();
        let size = (rank.rank, rank.oversampling, rank.seed);
        let spectrum = Spectrum::leading(&Curvature::new(z, root, Some(&prior)), &prior, size)?;
        let after = z.solves();
        Ok(Self {
            spectrum,
            prior,
            backend,
            solves: after.0 + after.1 - before.0 - before.1,
        })
    }

    /// The point it was made at: the mean.
    pub fn mean(&self) -> &[f64] {
        &self.prior.theta
    }

    /// The eigenvalues λ that were kept, largest first. What the others are worth says [`left_out`](Self::left_out).
    pub fn eigenvalues(&self) -> &[f64] {
        &self.spectrum.pairs.values
    }

    /// The eigenvectors u as columns, scaled to prior variance 1.
    pub fn eigenvectors(&self) -> &Mat<f64> {
        &self.spectrum.pairs.vectors
    }

    /// Tangent and adjoint solves that it took.
    pub fn solves(&self) -> usize {
        self.solves
    }

    /// The prior variance of every parameter.
    ///
    /// # Errors
    /// What solving with the prior reports.
    pub fn prior_variances(&self) -> Result<Vec<f64>> {
        self.prior.variances(self.backend)
    }

    /// The posterior variance of every parameter.
    ///
    /// # Errors
    /// What solving with the prior reports.
    pub fn variances(&self) -> Result<Vec<f64>> {
        let mut variances = self.prior_variances()?;
        for (j, l) in self.spectrum.pairs.values.iter().enumerate() {
            let column = self.spectrum.pairs.vectors.col_as_slice(j);
            let explained = l / (1.0 + l);
            for (v, u) in variances.iter_mut().zip(column) {
                *v -= explained * u * u;
            }
        }
        Ok(variances)
    }

    /// Samples as columns: prior samples x, shortened along every u by √(1 + λ) from uᵀC x on, around the mean.
    ///
    /// # Errors
    /// [`Error::PriorLacks`] for a prior without a root that does not [draw](crate::Prior::draw) samples itself; what solving
    /// with the prior reports.
    pub fn samples(&self, count: usize, seed: u64) -> Result<Mat<f64>> {
        let prior = self.prior.draw(count, seed)?;
        let covectors = self.prior.curvature(prior.as_ref())?;
        let shorten = |l: f64| (1.0 + l).sqrt().recip() - 1.0;
        let mut samples = self
            .spectrum
            .pairs
            .correct(prior, covectors.as_ref(), shorten);
        for j in 0..count {
            let column = samples.col_as_slice_mut(j).iter_mut();
            column.zip(self.mean()).for_each(|(x, m)| *x += m);
        }
        Ok(samples)
    }

    /// ½ Σ ln(1 + λ), the loss of entropy from prior to posterior in nats: what the experiment is worth.
    pub fn information_gain(&self) -> f64 {
        // A sum of nothing would be −0.
        let gains = self.spectrum.pairs.values.iter().map(|l| l.ln_1p());
        0.5 * gains.fold(0.0, |sum, gain| sum + gain)
    }

    /// ½ Σ ln(1 + λ) over the eigenvalues that were left out, in nats: what the information gain lacks.
    ///
    /// It is the sum itself where all pairs were found. Else it is an estimate: eigenvalues that were not computed continue the
    /// power law by which the second half of those that were kept falls.
    pub fn left_out(&self) -> f64 {
        let (kept, computed) = (self.eigenvalues(), &self.spectrum.left_out);
        let known: f64 = computed.iter().map(|l| l.ln_1p()).sum();
        let (n, half) = (kept.len(), kept.len().div_ceil(2));
        let Some((last, middle)) = kept.last().zip(kept.get(half.max(1) - 1)) else {
            return 0.0;
        };
        let power = if n == 1 {
            // One value knows no law; most spectra fall at least so fast.
            -2.0
        } else if half < n {
            (last / middle).ln() / (n as f64 / half as f64).ln()
        } else {
            0.0
        };
        let at = |j: usize| last * (j as f64 / n as f64).powf(power);
        let first = n + computed.len() + 1;
        let unseen = (first..first + self.spectrum.unseen).map(|j| at(j).ln_1p());
        0.5 * (known + unseen.sum::<f64>())
    }

    /// The largest eigenvalue that was left out, or a bound for it where none was computed.
    fn next(&self) -> f64 {
        let kept = self.eigenvalues().last();
        let bound = kept.filter(|_| self.spectrum.unseen > 0);
        let next = self.spectrum.left_out.first().or(bound);
        next.copied().unwrap_or(0.0)
    }

    /// The divergence of Kullback and Leibler of the posterior from the prior, ½ Σ (ln(1 + λ) − λ/(1 + λ)) + R(θ): what
    /// these data have taught.
    pub fn divergence(&self) -> f64 {
        let spread = self
            .spectrum
            .pairs
            .values
            .iter()
            .map(|l| l.ln_1p() - l / (1.0 + l));
        0.5 * spread.sum::<f64>() + self.prior.value()
    }
}

impl fmt::Display for Posterior<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let informed = self.eigenvalues().iter().filter(|l| **l > 1.0).count();
        write!(
            f,
            "the data say more than the prior along {informed} of {} directions; information gain {:.1} nats; {} solves",
            self.mean().len(),
            self.information_gain(),
            self.solves
        )?;
        let (next, rounding) = (self.next(), self.spectrum.rounding);
        if next > MATTERS || self.left_out() > MUCH {
            write!(
                f,
                "\n  eigenvalues of up to {next:.2e} were left out, {:.1} nats of information: variances are too large; raise \
                 the rank",
                self.left_out()
            )?;
        }
        if rounding > MATTERS {
            write!(
                f,
                "\n  eigenvalues below {rounding:.1e} are lost to rounding, beside a largest of {:.1e}: variances may be too \
                 large; check the scale of the noise",
                self.eigenvalues().first().copied().unwrap_or(0.0)
            )?;
        }
        Ok(())
    }
}

/// A posterior needs a prior.
pub(crate) fn no_prior() -> Error {
    Error::Option {
        what: "the number of priors of a posterior",
        value: 0.0,
        remedy: "add one with `Descent::prior`; without, see `Report::covariance`",
    }
}
