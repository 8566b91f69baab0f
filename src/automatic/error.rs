//! Errors of models that are differentiated automatically.

use std::fmt;

use crate::error::{ModuleError, number};

/// Result with the error of this module.
pub(super) type Outcome<T> = std::result::Result<T, Error>;

/// Unknown or parameter of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// Entry of the state ρ.
    State(usize),
    /// Entry of the parameters θ.
    Parameter(usize),
    /// Component of the state x of dynamics.
    Component(usize),
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(i) => write!(f, "ρ[{i}]"),
            Self::Parameter(i) => write!(f, "θ[{i}]"),
            Self::Component(i) => write!(f, "x[{i}]"),
        }
    }
}

/// Error of a residual or formula.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// An output that the function does not write.
    #[error(
        "entry {row} of the output is not written; write every entry of `out`, as many as `dims` says"
    )]
    Unwritten {
        /// Index of the output.
        row: usize,
    },
    /// An output that the function reads before it has written it, as by `out[i] += …`.
    #[error(
        "entry {row} of the output is computed from an entry that is not assigned yet; assign before adding, as with \
         `out[{row}] = …` before `out[{row}] += …`"
    )]
    ReadUnwritten {
        /// Index of the output.
        row: usize,
    },
    /// An output that changes from call to call at the same point.
    #[error(
        "entry {row} of the output changes from call to call at the same point; let it depend on its arguments alone (no \
         random numbers, no counters)"
    )]
    Unsteady {
        /// Index of the output.
        row: usize,
    },
    /// A value that [`Formula::rows`](super::Formula::rows) computes differently from [`Formula::values`](super::Formula::values).
    #[error(
        "`rows` and `values` disagree in entry {row}; let `values` call `rows` with `first` = 0"
    )]
    Rows {
        /// Index of the output.
        row: usize,
    },
    /// A derivative that was lost through `Scalar::value`.
    #[error(
        "the derivative of entry {row} of the output with respect to {variable} is lost, because a number is read by \
         `value()`; use `lookup` for tables, and compute with the number itself elsewhere"
    )]
    Lost {
        /// Index of the output.
        row: usize,
        /// Variable that the output depends on.
        variable: Variable,
    },
    /// A derivative that holds at a single point only, because of a branch that is taken nowhere else.
    #[error(
        "the derivative of entry {row} of the output with respect to {variable} is not that of the function nearby, because of a \
         branch that is taken at this point only; write `if x == 0.0` without a branch, and let an iteration take at least one \
         more step after it has converged"
    )]
    OffBranch {
        /// Index of the output.
        row: usize,
        /// Variable that the output depends on.
        variable: Variable,
    },
    /// An output that was computed on another thread, or from numbers of another evaluation.
    #[error(
        "entry {row} of the output is computed on another thread, or from numbers that another evaluation has left behind; \
         compute it on the thread that calls the function, from its arguments"
    )]
    Foreign {
        /// Index of the output.
        row: usize,
    },
    /// Derivatives that disagree with each other.
    #[error(
        "two ways to differentiate entry {row} of the output disagree; let it depend on its arguments alone, and take the same \
         branches in every evaluation at a point"
    )]
    Inconsistent {
        /// Index of the output.
        row: usize,
    },
    /// A derivative that is NaN or infinite.
    #[error(
        "the derivative of entry {row} of the output with respect to {variable} is {} at {}; avoid points where the function \
         is not differentiable, such as √0, ln 0 or 0/0, or bound the parameters away from them",
        number(*derivative), number(*at)
    )]
    NotFinite {
        /// Index of the output.
        row: usize,
        /// Variable of the derivative.
        variable: Variable,
        /// Derivative.
        derivative: f64,
        /// Value of the variable.
        at: f64,
    },
    /// An equation without unknowns.
    #[error(
        "equation {row} contains no entry of ρ at this point, so that it cannot be solved; check the residual, or start from \
         another `guess`"
    )]
    WithoutUnknowns {
        /// Index of the equation.
        row: usize,
    },
    /// An unknown that no equation contains.
    #[error(
        "no equation contains ρ[{index}] at this point, so that it is not determined; check the residual, or start from \
         another `guess`"
    )]
    Undetermined {
        /// Index of the unknown.
        index: usize,
    },
}

impl Error {
    /// Returns the error with another name of its variable.
    #[must_use]
    pub(crate) fn renamed(mut self, name: impl Fn(Variable) -> Variable) -> Self {
        if let Self::Lost { variable, .. }
        | Self::OffBranch { variable, .. }
        | Self::NotFinite { variable, .. } = &mut self
        {
            *variable = name(*variable);
        }
        self
    }
}

impl ModuleError for Error {
    fn kind(&self) -> &'static str {
        match self {
            Self::Unwritten { .. } => "Unwritten",
            Self::ReadUnwritten { .. } => "ReadUnwritten",
            Self::Unsteady { .. } => "Unsteady",
            Self::Rows { .. } => "Rows",
            Self::Lost { .. } => "Lost",
            Self::OffBranch { .. } => "OffBranch",
            Self::Foreign { .. } => "Foreign",
            Self::Inconsistent { .. } => "Inconsistent",
            Self::NotFinite { .. } => "NotFinite",
            Self::WithoutUnknowns { .. } => "WithoutUnknowns",
            Self::Undetermined { .. } => "Undetermined",
        }
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        Self::Module(Box::new(error))
    }
}
