//! Errors of designs.

use crate::error::ModuleError;

/// Error of an optimal design.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// Candidates that do not determine the parameters, even all together.
    #[error(
        "all candidates together do not determine the parameters: the combination {} has no effect; add candidates that see \
         it, or give a prior precision",
        describe(combination)
    )]
    Undetermined {
        /// Indices of parameters, with their shares.
        combination: Vec<(usize, f64)>,
    },
    /// A choice of too few candidates.
    #[error(
        "no choice of {count} candidates was found that determines all {parameters} parameters; choose more of them, or give \
         a prior precision"
    )]
    TooFew {
        /// Number of candidates to choose.
        count: usize,
        /// Number of parameters.
        parameters: usize,
    },
}

fn describe(combination: &[(usize, f64)]) -> String {
    let terms = combination.iter().map(|(i, x)| format!("{x:+.3} θ{i}"));
    terms.collect::<Vec<_>>().join(" ")
}

impl ModuleError for Error {
    fn kind(&self) -> &'static str {
        match self {
            Self::Undetermined { .. } => "Undetermined",
            Self::TooFew { .. } => "TooFew",
        }
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        Self::Module(Box::new(error))
    }
}
