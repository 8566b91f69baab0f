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
}

impl ModuleError for CovarianceError {
    fn kind(&self) -> &'static str {
        match self {
            Self::Indefinite { .. } => "Indefinite",
        }
    }
}

impl From<CovarianceError> for crate::error::Error {
    fn from(error: CovarianceError) -> Self {
        Self::Module(Box::new(error))
    }
}
