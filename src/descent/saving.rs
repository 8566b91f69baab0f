//! Runs that are saved from time to time.

use std::path::PathBuf;

use super::saved::Saved;
use super::stop::Stop;
use super::{Descent, Run};
use crate::error::Result;

/// When and where a run is saved.
#[derive(Clone)]
pub(super) struct Saving {
    every: usize,
    path: PathBuf,
}

impl Saving {
    /// Returns whether a run that went on from `before` to `after` steps is to be saved.
    pub(super) fn is_due(&self, before: usize, after: usize, stop: Option<Stop>) -> bool {
        // No number of steps but 0 is a multiple of 0.
        let reached = after > before && after.is_multiple_of(self.every);
        reached || stop.is_some()
    }

    pub(super) fn save(&self, saved: &Saved) -> Result<()> {
        saved.write(&self.path)
    }
}

impl<'a> Descent<'a> {
    /// Saves runs to a file after every `every`-th step and at the end, or only at the end if `every` is 0. The file is replaced
    /// as a whole or not at all.
    ///
    /// This applies to runs by [`run`](Self::run), [`begin`](Self::begin) and [`resume`](Self::resume), not to the many runs of a
    /// [multi-start](crate::multistart) or a [profile](crate::profile). A step fails if the file cannot be written, but has been
    /// taken: the run may go on.
    #[must_use]
    pub fn save_every(mut self, every: usize, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.saving = Some(Saving { every, path });
        self
    }
}

impl Run<'_> {
    /// Sets when and where the run is saved.
    pub(super) fn saving(mut self, saving: Option<Saving>) -> Self {
        self.saving = saving;
        self
    }
}
