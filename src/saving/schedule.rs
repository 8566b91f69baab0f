//! When and where runs are saved.

use std::path::{Path, PathBuf};

/// File of a run, and how often it is written.
#[derive(Clone)]
pub(crate) struct Schedule {
    every: usize,
    path: PathBuf,
}

impl Schedule {
    /// Creates the schedule of a run that is saved after every `every`-th step or epoch and at its end, or only at its end if
    /// `every` is 0.
    pub(crate) fn new(every: usize, path: PathBuf) -> Self {
        Self { every, path }
    }

    /// Returns whether a run that went on from `before` to `after` steps or epochs is to be saved.
    pub(crate) fn is_due(&self, before: usize, after: usize, ended: bool) -> bool {
        // No number of steps but 0 is a multiple of 0.
        let reached = after > before && after.is_multiple_of(self.every);
        reached || ended
    }

    /// Returns the path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
