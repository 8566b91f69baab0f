//! Error of K-FAC with models that it is not made for.

use crate::error::ModuleError;

/// Error of [`Kfac`](super::Kfac) with a model that has no layers, or with transforms.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "K-FAC needs a model with layers, such as `models::Network`, whose parameters have no transforms; use \
     `ConjugateGradient` or `LeastSquares`, or remove the transforms"
)]
pub struct NotLayered;

impl ModuleError for NotLayered {
    fn kind(&self) -> &'static str {
        "NotLayered"
    }
}

impl From<NotLayered> for crate::error::Error {
    fn from(error: NotLayered) -> Self {
        Self::Module(Box::new(error))
    }
}
