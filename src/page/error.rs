//! Errors of pages.

use std::io;
use std::path::PathBuf;

use crate::error::ModuleError;

/// Reason why a page could not be written.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The file could not be written.
    #[error("cannot write {}: {source}; choose a file in a writable folder with enough space", path.display())]
    Write {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

impl ModuleError for PageError {
    fn kind(&self) -> &'static str {
        match self {
            Self::Write { .. } => "Write",
        }
    }
}

impl From<PageError> for crate::error::Error {
    fn from(error: PageError) -> Self {
        Self::Module(Box::new(error))
    }
}
