//! Variance of the noise of the data: known, given, or estimated from the residual.

use super::error::CovarianceError;
use crate::check;
use crate::error::Result;

/// Variance of the noise in units of the loss, which is ½ Σ r² of the residuals r.
///
/// It scales the curvature G of the data, and leaves the precision C of the priors: the covariance is (G/s² + C)⁻¹.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Variance {
    /// The loss is in units of the noise, s² = 1, as [`Observations`](crate::loss::Observations) with their noise are.
    #[default]
    Known,
    /// The residual of the fit estimates it by s² = 2 f/(n − p), from the [number](crate::Loss::data) n of data and the number p
    /// of combinations of free parameters that the data determine. Priors do not count in f. Intervals are those of
    /// Student's distribution with n − p degrees of freedom.
    Estimated,
    /// Known from elsewhere, such as repeated measurements.
    Given {
        /// Variance s² in units of the loss.
        variance: f64,
        /// Degrees of freedom of the estimate, for Student's distribution; None if it is exact.
        freedom: Option<f64>,
    },
}

/// Residual of a fit to data with a quadratic loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residual {
    /// Misfit f at the fit, without the penalties of priors.
    pub misfit: f64,
    /// Number n of data, without missing ones.
    pub data: usize,
    /// Number p of combinations of free parameters that the data determine.
    pub parameters: usize,
}

impl Residual {
    /// Returns the degrees of freedom n − p, or 0 if there are more parameters than data.
    pub fn freedom(&self) -> f64 {
        self.data.saturating_sub(self.parameters) as f64
    }

    /// Returns χ² = 2 f, which is n − p on average if the noise in the loss is right.
    pub fn chi_squared(&self) -> f64 {
        2.0 * self.misfit
    }

    /// Returns χ²/(n − p), which estimates the variance of the noise in units of the loss, or None if n = p.
    pub fn reduced(&self) -> Option<f64> {
        let freedom = self.freedom();
        (freedom > 0.0).then(|| self.chi_squared() / freedom)
    }
}

impl Variance {
    /// Returns s² and the degrees of freedom of its estimate, given the residual of the fit.
    ///
    /// # Errors
    /// Fails if a given number is not positive and finite, and if the residual does not tell the noise.
    pub(super) fn resolve(self, residual: Option<&Residual>) -> Result<(f64, Option<f64>)> {
        match self {
            Self::Known => Ok((1.0, None)),
            Self::Given { variance, freedom } => {
                check::positive("the variance of the noise", &[variance])?;
                check::positive("the degrees of freedom", freedom.as_slice())?;
                Ok((variance, freedom))
            }
            Self::Estimated => {
                let residual = residual.ok_or(CovarianceError::NotQuadratic)?;
                let Residual {
                    data, parameters, ..
                } = *residual;
                let reduced = residual.reduced();
                let reduced = reduced.ok_or(CovarianceError::TooFew { data, parameters })?;
                match reduced > 0.0 {
                    true => Ok((reduced, Some(residual.freedom()))),
                    false => Err(CovarianceError::NoResidual.into()),
                }
            }
        }
    }
}
