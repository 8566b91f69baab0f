//! Errors of time steps.

use crate::error::{ModuleError, number};

/// Error of an integration in time.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A rate that is NaN or infinite.
    #[error(
        "the rate of x[{component}] is {} at t = {}, where x[{component}] = {}; check the rate for this state, or bound the \
         parameters",
        number(*rate), number(*t), number(*x)
    )]
    NotFinite {
        /// Time.
        t: f64,
        /// Index of the component.
        component: usize,
        /// Value of the component.
        x: f64,
        /// Rate of the component.
        rate: f64,
    },
    /// Steps that became too short for the time to advance.
    #[error(
        "steps shrink to nothing at t = {}, where x[{component}] = {} changes fastest; the solution may grow without bound, or \
         the rate may jump there; a stiff rate needs `Method::Implicit`",
        number(*t), number(*x)
    )]
    Vanished {
        /// Time.
        t: f64,
        /// Component with the largest estimated error.
        component: usize,
        /// Value of this component.
        x: f64,
    },
    /// Too many steps.
    #[error(
        "{limit} steps reach only t = {} of {}; allow more by `most_steps`, ask for less accuracy, or use `Method::Implicit` \
         if the rate is stiff",
        number(*t), number(*end)
    )]
    TooMany {
        /// Number of steps.
        limit: usize,
        /// Time reached.
        t: f64,
        /// Last time.
        end: f64,
    },
    /// An implicit stage of a kept step that has no solution.
    #[error(
        "the equations of the step at t = {} are not solved for these parameters with the steps that were kept; choose the \
         steps anew",
        number(*t)
    )]
    Unsolved {
        /// Time.
        t: f64,
    },
    /// Times that do not increase from the start.
    #[error(
        "time {index} is {}, after {}; give times in increasing order, none before the start",
        number(*time), number(*before)
    )]
    Times {
        /// Index of the time.
        index: usize,
        /// Time.
        time: f64,
        /// Time before it, or the start.
        before: f64,
    },
}

impl ModuleError for Error {
    fn kind(&self) -> &'static str {
        match self {
            Self::NotFinite { .. } => "NotFinite",
            Self::Vanished { .. } => "Vanished",
            Self::TooMany { .. } => "TooMany",
            Self::Unsolved { .. } => "Unsolved",
            Self::Times { .. } => "Times",
        }
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        Self::Module(Box::new(error))
    }
}
