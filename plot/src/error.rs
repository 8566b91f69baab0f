//! Errors, each with the picture concerned and the remedy.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Result of saving a picture.
pub type Result<T> = std::result::Result<T, Error>;

/// Reason why a picture could not be saved.
///
/// `Debug` prints the sentence of `Display`, because `fn main() -> Result<()>` shows `Debug`.
#[non_exhaustive]
#[derive(thiserror::Error)]
pub enum Error {
    /// A layer contradicts itself.
    #[error("cannot draw {}: chart '{chart}': {fault}", path.display())]
    Layer {
        /// Path of the picture without file extension.
        path: PathBuf,
        /// Title of the chart that holds the layer.
        chart: String,
        /// Contradiction in the layer.
        fault: Fault,
    },
    /// The drawing backend failed.
    #[error(
        "cannot draw {}: {reason}; try a page with fewer or smaller charts",
        path.display()
    )]
    Backend {
        /// Path of the file to be drawn.
        path: PathBuf,
        /// Message of the backend.
        reason: String,
    },
    /// A file or its folder could not be written.
    #[error(
        "cannot write {}: {source}; choose a writable folder with enough space",
        path.display()
    )]
    Write {
        /// Path of the file or folder.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

impl Error {
    /// Returns the name of the variant of the error.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Layer { .. } => "Layer",
            Self::Backend { .. } => "Backend",
            Self::Write { .. } => "Write",
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.kind())
    }
}

/// Contradiction within one layer.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The number of edges of a histogram is not one more than the number of bars.
    #[error(
        "{bars} bars need {} edges, not {edges}; give one edge more than heights",
        bars + 1
    )]
    Bars {
        /// Number of bars, which is the number of heights.
        bars: usize,
        /// Number of edges of the histogram.
        edges: usize,
    },
    /// The number of values of a field differs from its number of cells.
    #[error(
        "a field of {} × {} cells came with {values} values; give one for each cell",
        shape[0], shape[1]
    )]
    Values {
        /// Numbers of cells of the field along x and along y.
        shape: [usize; 2],
        /// Number of values of the field.
        values: usize,
    },
    /// A field has an empty, reversed or infinite side.
    #[error(
        "a field has the edges {x:?} in x and {y:?} in y; give finite numbers, the lower edge first"
    )]
    Edges {
        /// Lower and upper edge of the field in x.
        x: [f64; 2],
        /// Lower and upper edge of the field in y.
        y: [f64; 2],
    },
}
