//! Errors of covariances.

use crate::error::{ModuleError, number};

/// Error of the covariance of a fit.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum CovarianceError {
    /// An objective whose curvature is not positive, although the loss is not quadratic.
    #[error(
        "the objective has no positive curvature at this point: relative to the metric it has the eigenvalue {}, so that there \
         are no standard errors; compute them at a minimum, or raise the scale of the loss", number(*eigenvalue)
    )]
    Indefinite {
        /// Lowest eigenvalue of the curvature, relative to the metric.
        eigenvalue: f64,
    },
    /// A loss whose value does not tell the noise.
    #[error(
        "the noise cannot be estimated from this loss, which is not half the sum of a known number of squared residuals; give \
         the noise to the loss and use `Variance::Known`, or implement `Loss::data`"
    )]
    NotQuadratic,
    /// As many parameters as data, so that nothing is left to estimate the noise from.
    #[error(
        "{data} data leave no residual for the noise beside {parameters} fitted parameters; add data, fix parameters, or give the \
         noise to the loss and use `Variance::Known`"
    )]
    TooFew {
        /// Number of data.
        data: usize,
        /// Number of combinations of free parameters that the data determine.
        parameters: usize,
    },
    /// A perfect fit.
    #[error(
        "the fit leaves no residual, which does not tell the noise; give the noise to the loss and use `Variance::Known`"
    )]
    NoResidual,
    /// A variance of the noise that is not 1, for a loss that is not quadratic.
    #[error(
        "the variance of the noise cannot be scaled for this loss, which weighs residuals by their size; give the noise to the \
         loss and use `Variance::Known`"
    )]
    Weighted,
    /// Combinations of parameters for a loss that weighs residuals by their size.
    #[error(
        "combinations are found for losses that are half a sum of squares near the fit, not for one that weighs residuals by their \
         size, whose errors are those of `Report::estimates`; take `loss::Observations` without the outliers"
    )]
    Robust,
    /// A profile with priors, in units of a noise that is not 1.
    #[error(
        "profiles with priors need a loss in units of the noise, because its objective would scale the priors as well; give the \
         noise to the loss and use `Variance::Known`"
    )]
    Priors,
}

impl ModuleError for CovarianceError {
    fn kind(&self) -> &'static str {
        match self {
            Self::Indefinite { .. } => "Indefinite",
            Self::NotQuadratic => "NotQuadratic",
            Self::TooFew { .. } => "TooFew",
            Self::NoResidual => "NoResidual",
            Self::Weighted => "Weighted",
            Self::Robust => "Robust",
            Self::Priors => "Priors",
        }
    }
}

impl From<CovarianceError> for crate::error::Error {
    fn from(error: CovarianceError) -> Self {
        Self::Module(Box::new(error))
    }
}
