//! Errors of coordinates.

use crate::error::{ModuleError, number};

/// Error of a parameter that has no coordinate.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A parameter that is not positive, with [`Transform::Log`](super::Transform::Log).
    #[error(
        "θ{index} of {what} is {}, but must be above 0 for `Transform::Log`; raise it above 0, or use another transform",
        number(*value)
    )]
    NoLogarithm {
        /// Name of the point.
        what: &'static str,
        /// Index of the parameter.
        index: usize,
        /// Value of the parameter.
        value: f64,
    },
    /// A parameter that is not between the ends, with [`Transform::Logit`](super::Transform::Logit).
    #[error(
        "θ{index} of {what} is {}, but must be above {} and below {} for `Transform::Logit`; move it inside or widen the \
         interval",
        number(*value), number(*lower), number(*upper)
    )]
    NotBetween {
        /// Name of the point.
        what: &'static str,
        /// Index of the parameter.
        index: usize,
        /// Value of the parameter.
        value: f64,
        /// Lower end of the interval.
        lower: f64,
        /// Upper end of the interval.
        upper: f64,
    },
}

impl ModuleError for Error {
    fn kind(&self) -> &'static str {
        match self {
            Self::NoLogarithm { .. } => "NoLogarithm",
            Self::NotBetween { .. } => "NotBetween",
        }
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        Self::Module(Box::new(error))
    }
}
