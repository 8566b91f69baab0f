//! Posterior of many parameters: the prior with a low-rank update from the data.

use std::fmt;

use faer::Mat;

use crate::check;
use crate::error::{Error, Result};
use crate::hessian::{GaussNewton, Hessian, SecondOrder, Spectrum};
use crate::linalg::Backend;
use crate::metric::Root;
use crate::model::adjoint::Linearisation;
use crate::prior::PriorTerms;

/// Number of eigenpairs of a posterior, and how to compute them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rank {
    /// Largest number of eigenpairs.
    pub rank: usize,
    /// Number of random columns beyond the rank, for accuracy.
    pub oversampling: usize,
    /// Seed of the random columns.
    pub seed: u64,
    /// Whether the curvature is that of the exact Hessian, instead of the Gauss-Newton Hessian G.
    ///
    /// The model and the loss need second derivatives, and the Hessian must be positive definite. Some eigenvalues may then be
    /// negative: the data make the objective flatter than the prior does. A column takes two tangent and two adjoint solves,
    /// and eigenpairs are in the order of their magnitude.
    pub exact: bool,
}

impl Default for Rank {
    fn default() -> Self {
        Self {
            rank: 50,
            oversampling: 10,
            seed: 0,
            exact: false,
        }
    }
}

/// Gaussian posterior N(θ, (G + C)⁻¹), with the precision C of the priors and a curvature G of low rank.
///
/// With the leading eigenpairs G u = λ C u, UᵀCU = I,
///
/// ```text
/// (G + C)⁻¹ ≈ C⁻¹ − U diag(λ/(1 + λ)) Uᵀ
/// ```
///
/// up to eigenvalues that are small compared to 1. An eigenvalue is the information of the data along u,
/// relative to that of the prior. If there are at most three times as many data as columns ([`Rank::rank`]
/// plus [`Rank::oversampling`]), one adjoint solve per datum gives all eigenpairs. Otherwise a randomised
/// subspace iteration finds the leading ones by two adjoint solves and one tangent solve per column
/// (Bui-Thanh, Ghattas, Martin and Stadler 2013). With [`Rank::exact`], G is the exact second derivative of f(ρ(θ)). See [`Descent::posterior`](crate::Descent::posterior).
pub struct Posterior<'a> {
    spectrum: Spectrum,
    prior: PriorTerms<'a>,
    backend: &'a dyn Backend,
    solves: usize,
}

/// Largest neglected eigenvalue that is not reported.
const LARGE_EIGENVALUE: f64 = 0.1;

/// Largest total information of neglected eigenvalues, in nats, that is not reported.
const LARGE_INFORMATION: f64 = 1.0;

/// Second derivative of the loss in a posterior.
pub(crate) enum Data<'d> {
    /// Metric, for the Gauss-Newton Hessian.
    GaussNewton(&'d dyn Root),
    /// Loss and its covector, for the exact Hessian.
    Exact(&'d SecondOrder<'d>),
}

impl<'a> Posterior<'a> {
    /// Computes the posterior at the point of the linearisation, which becomes its mean.
    pub(crate) fn new<'d>(
        z: &'d Linearisation<'d>,
        data: Data<'d>,
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
        let spectrum = match data {
            Data::GaussNewton(root) => {
                Spectrum::leading(&GaussNewton::new(z, root, Some(&prior)), &prior, size)?
            }
            Data::Exact(at) => Spectrum::exact(&Hessian::new(z, at, None)?, &prior, size)?,
        };
        let after = z.solves();
        Ok(Self {
            spectrum,
            prior,
            backend,
            solves: after.0 + after.1 - before.0 - before.1,
        })
    }

    /// Returns the mean, the point at which the posterior was computed.
    pub fn mean(&self) -> &[f64] {
        &self.prior.theta
    }

    /// Returns the eigenvalues λ of the kept eigenpairs, in decreasing order of magnitude. [`left_out`](Self::left_out) estimates
    /// the information of the other eigenpairs.
    pub fn eigenvalues(&self) -> &[f64] {
        &self.spectrum.eigenpairs.values
    }

    /// Returns the eigenvectors u as columns, scaled to prior variance 1.
    pub fn eigenvectors(&self) -> &Mat<f64> {
        &self.spectrum.eigenpairs.vectors
    }

    /// Returns the number of tangent and adjoint solves that the posterior took.
    pub fn solves(&self) -> usize {
        self.solves
    }

    /// Returns the prior variance of every parameter.
    ///
    /// # Errors
    /// Fails if a solve with the prior fails.
    pub fn prior_variances(&self) -> Result<Vec<f64>> {
        self.prior.variances(self.backend)
    }

    /// Returns the posterior variance of every parameter.
    ///
    /// # Errors
    /// Fails if a solve with the prior fails.
    pub fn variances(&self) -> Result<Vec<f64>> {
        // The variances are the diagonal of C⁻¹ − U diag(λ/(1 + λ)) Uᵀ. The difference has an error of about
        // ε times the prior variance: where the data reduce a variance by the factor 10ᵏ, it loses k digits.
        // The error may exceed the variance itself, which is therefore bounded below: C⁻¹ − U Uᵀ is positive
        // semidefinite, so that no variance is less than Σ u²/(1 + λ).
        let mut variances = self.prior_variances()?;
        let mut bounds = vec![0.0; variances.len()];
        for (j, l) in self.spectrum.eigenpairs.values.iter().enumerate() {
            let column = self.spectrum.eigenpairs.vectors.col_as_slice(j);
            let explained = l / (1.0 + l);
            for ((v, bound), u) in variances.iter_mut().zip(&mut bounds).zip(column) {
                *v -= explained * u * u;
                *bound += u * u / (1.0 + l);
            }
        }
        let pairs = variances.iter().zip(&bounds);
        Ok(pairs.map(|(v, bound)| v.max(*bound)).collect())
    }

    /// Draws samples as columns: the mean plus prior samples x, contracted by 1/√(1 + λ) along every u.
    ///
    /// # Errors
    /// Fails with [`Error::PriorLacks`] if the prior neither has a root nor [draws](crate::Prior::draw) samples. Fails
    /// if a solve with the prior fails.
    pub fn samples(&self, count: usize, seed: u64) -> Result<Mat<f64>> {
        // B = I + U diag((1 + λ)^{-1/2} − 1) UᵀC contracts the coefficient uᵀC x of x along every u. For x ~ N(0,
        // C⁻¹), B C⁻¹Bᵀ = C⁻¹ + U diag(1/(1 + λ) − 1) Uᵀ is the posterior covariance, because UᵀCU = I.
        let prior = self.prior.draw(count, seed)?;
        let covectors = self.prior.curvature(prior.as_ref())?;
        let shorten = |l: f64| (1.0 + l).sqrt().recip() - 1.0;
        let mut samples = self
            .spectrum
            .eigenpairs
            .correct(prior, covectors.as_ref(), shorten);
        for j in 0..count {
            let column = samples.col_as_slice_mut(j).iter_mut();
            column.zip(self.mean()).for_each(|(x, m)| *x += m);
        }
        Ok(samples)
    }

    /// Returns the information gain ½ Σ ln(1 + λ) in nats: the decrease of entropy from prior to posterior.
    pub fn information_gain(&self) -> f64 {
        // The fold starts from +0, because `sum` returns −0 for an empty iterator.
        let gains = self.spectrum.eigenpairs.values.iter().map(|l| l.ln_1p());
        0.5 * gains.fold(0.0, |sum, gain| sum + gain)
    }

    /// Returns the information ½ Σ ln(1 + λ) of the neglected eigenvalues in nats, which
    /// [`information_gain`](Self::information_gain) does not include.
    ///
    /// The result is exact if all eigenpairs were computed. Otherwise it is an estimate, which extrapolates
    /// the uncomputed eigenvalues by a power law fitted to the second half of the kept eigenvalues.
    pub fn left_out(&self) -> f64 {
        let (kept, computed) = (self.eigenvalues(), &self.spectrum.left_out);
        let computed_sum: f64 = computed.iter().map(|l| l.ln_1p()).sum();
        let (n, half) = (kept.len(), kept.len().div_ceil(2));
        // λⱼ = λₙ (j/n)^power, with the power through λₙ and the eigenvalue at the middle.
        let Some((last, middle)) = kept.last().zip(kept.get(half.max(1) - 1)) else {
            return 0.0;
        };
        let power = if n == 1 {
            // A single value determines no power; most spectra decay at least as fast as j⁻².
            -2.0
        } else if half < n {
            (last / middle).abs().ln() / (n as f64 / half as f64).ln()
        } else {
            0.0
        };
        // If a model smooths like the inverse of a differential operator, its eigenvalues decay like a power.
        // The first few need not follow it, so that the second half of the kept ones determines the power.
        let at = |j: usize| last * (j as f64 / n as f64).powf(power);
        let first = n + computed.len() + 1;
        let uncomputed = (first..first + self.spectrum.uncomputed).map(|j| at(j).ln_1p());
        0.5 * (computed_sum + uncomputed.sum::<f64>())
    }

    /// Returns the largest neglected eigenvalue, or a bound for it if no neglected eigenvalue was computed.
    fn next(&self) -> f64 {
        let kept = self.eigenvalues().last();
        let bound = kept.filter(|_| self.spectrum.uncomputed > 0);
        let next = self.spectrum.left_out.first().or(bound);
        next.map_or(0.0, |l| l.abs())
    }

    /// Returns the Kullback-Leibler divergence of the posterior from the prior, ½ Σ (ln(1 + λ) − λ/(1 + λ)) + R(θ).
    pub fn divergence(&self) -> f64 {
        // For N(m, Σ) and N(m₀, C⁻¹), KL = ½(tr(CΣ) − n − ln det(CΣ) + (m − m₀)ᵀC(m − m₀)), and CΣ has the eigenvalues
        // 1/(1 + λ).
        let terms = self
            .spectrum
            .eigenpairs
            .values
            .iter()
            .map(|l| l.ln_1p() - l / (1.0 + l));
        0.5 * terms.sum::<f64>() + self.prior.value()
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
        if next > LARGE_EIGENVALUE || self.left_out() > LARGE_INFORMATION {
            write!(
                f,
                "\n  eigenvalues of up to {next:.2e} were left out, {:.1} nats of information: variances are too \
                 large; raise the rank",
                self.left_out()
            )?;
        }
        if rounding > LARGE_EIGENVALUE {
            write!(
                f,
                "\n  eigenvalues below {rounding:.1e} are lost to rounding (the largest is {:.1e}): variances may be \
                 too large; check the scale of the noise",
                self.eigenvalues().first().copied().unwrap_or(0.0)
            )?;
        }
        Ok(())
    }
}

/// Returns the error of a posterior without a prior.
pub(crate) fn no_prior() -> Error {
    Error::Option {
        what: "the number of priors of a posterior",
        value: 0.0,
        remedy: "add one with `Descent::prior`; without, see `Report::covariance`",
    }
}
