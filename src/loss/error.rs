//! Errors of data.

use crate::error::ModuleError;

/// Error of data given to a loss.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A datum whose value is NaN.
    #[error(
        "the value of datum {datum} is NaN; leave missing data out, or drop them by `Likelihood::present`"
    )]
    Missing {
        /// Index of the datum.
        datum: usize,
    },
    /// A datum that refers to an entry that the state does not have.
    #[error(
        "datum {datum} takes its {what} from entry {entry} of the state, which has {entries} entries; compare the index with \
         the layout of the model's state"
    )]
    Entry {
        /// Index of the datum.
        datum: usize,
        /// Name of the number that the entry holds.
        what: &'static str,
        /// Index of the entry.
        entry: usize,
        /// Length of the state.
        entries: usize,
    },
}

impl ModuleError for Error {
    fn kind(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "Missing",
            Self::Entry { .. } => "Entry",
        }
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        Self::Module(Box::new(error))
    }
}
