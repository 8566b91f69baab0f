//! Errors of looks at a curvature.

use crate::error::{ModuleError, number};

/// Error of a look at a curvature.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A curvature with a negative eigenvalue, where the answer needs a positive semidefinite one.
    #[error(
        "{what} needs a positive semidefinite curvature, but this one has the eigenvalue {}; take the information matrix or the \
         Gauss-Newton Hessian, or go to a minimum first",
        number(*eigenvalue)
    )]
    Negative {
        /// Name of the answer.
        what: &'static str,
        /// Negative eigenvalue, or a Ritz value above one.
        eigenvalue: f64,
    },
    /// A function that is not finite at an eigenvalue.
    #[error(
        "the function of the curvature is {value} at the eigenvalue {}; restrict it to where it is finite, such as \
         max(λ, 0)",
        number(*eigenvalue)
    )]
    Function {
        /// Eigenvalue, or node of the quadrature.
        eigenvalue: f64,
        /// Value of the function.
        value: f64,
    },
    /// A group without parameters.
    #[error(
        "the group `{group}` has no parameters; leave it out, or give the indices of its parameters"
    )]
    EmptyGroup {
        /// Name of the group.
        group: String,
    },
    /// A group with a parameter that does not exist.
    #[error(
        "the group `{group}` has the parameter {index}, but there are {parameters} parameters; give indices from 0"
    )]
    OutsideGroup {
        /// Name of the group.
        group: String,
        /// Index of the parameter.
        index: usize,
        /// Number of parameters.
        parameters: usize,
    },
    /// A group that names a parameter twice.
    #[error("the group `{group}` has the parameter {index} twice; give every index once")]
    RepeatedInGroup {
        /// Name of the group.
        group: String,
        /// Index of the parameter.
        index: usize,
    },
}

impl ModuleError for Error {
    fn kind(&self) -> &'static str {
        match self {
            Self::Negative { .. } => "Negative",
            Self::Function { .. } => "Function",
            Self::EmptyGroup { .. } => "EmptyGroup",
            Self::OutsideGroup { .. } => "OutsideGroup",
            Self::RepeatedInGroup { .. } => "RepeatedInGroup",
        }
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        Self::Module(Box::new(error))
    }
}
