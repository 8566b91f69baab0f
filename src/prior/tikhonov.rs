//! Gaussian priors given by their covariance.

use faer::{MatMut, MatRef};

use super::{Prior, Quadratic, check_right_hand_side, deviation};
use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Factor, Method, Operator, Side, SolveStats};
use crate::noise::Noise;

/// Gaussian prior ½ (θ − m)ᵀ Γ⁻¹ (θ − m).
///
/// ```
/// use pullback::{prior::Tikhonov, Noise, Prior};
/// let prior = Tikhonov::new(vec![1.0, 2.0], Noise::uniform(2, 0.5)?)?;
/// assert_eq!(prior.value(&[1.5, 2.0])?, 0.5);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Tikhonov {
    mean: Vec<f64>,
    covariance: Noise,
    whitening: Operator<'static>,
}

impl Tikhonov {
    /// Returns the prior N(mean, covariance).
    ///
    /// # Errors
    /// Fails if the mean is not finite, or if its length differs from the size of the covariance.
    pub fn new(mean: Vec<f64>, covariance: Noise) -> Result<Self> {
        check::length("the mean of a prior", mean.len(), covariance.dim())?;
        check::finite("the mean of a prior", &mean)?;
        Ok(Self {
            mean,
            whitening: covariance.whitening(),
            covariance,
        })
    }
}

impl Prior for Tikhonov {
    fn at(&self, theta: &[f64]) -> Result<Quadratic<'_>> {
        // s = Γ^{-1/2}(θ − m) and P = ∂s/∂θ = Γ^{-1/2}. For a full Γ, s comes from a triangular solve and P
        // is the inverse factor; the two agree up to rounding.
        let residual = self.covariance.whitened(&deviation(theta, &self.mean)?)?;
        Quadratic::squares(self.whitening.lend(), residual)
    }

    fn is_affine(&self) -> bool {
        true
    }

    fn precision<'a>(&'a self, _: &[f64], _: &'a dyn Backend) -> Result<Box<dyn Factor + 'a>> {
        Ok(Box::new(CovarianceProducts(&self.covariance)))
    }

    fn variances(&self, _: &[f64], _: &dyn Backend) -> Result<Vec<f64>> {
        Ok(self.covariance.variances())
    }
}

/// Solver with the precision C = Γ⁻¹: the solution of C x = b is the product x = Γ b. Nothing is factorised.
struct CovarianceProducts<'a>(&'a Noise);

impl Factor for CovarianceProducts<'_> {
    fn solve(
        &self,
        _: Side,
        _: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_right_hand_side(batch.as_ref(), self.0.dim())?;
        self.0.multiply(batch);
        Ok(SolveStats::default().by(Method::Named("products with the covariance")))
    }
}
