//! Runs that are saved from time to time.

use std::path::PathBuf;

use super::{Descent, Run};
use crate::saving::Schedule;

impl<'a> Descent<'a> {
    /// Saves runs to a file after every `every`-th step and at the end, or only at the end if `every` is 0. The file is replaced
    /// as a whole or not at all.
    ///
    /// This applies to runs by [`run`](Self::run), [`begin`](Self::begin) and [`resume`](Self::resume), not to the many runs of a
    /// [multi-start](crate::multistart) or a [profile](crate::profile). A step fails if the file cannot be written, but has been
    /// taken: the run may go on.
    #[must_use]
    pub fn save_every(mut self, every: usize, path: impl Into<PathBuf>) -> Self {
        self.saving = Some(Schedule::new(every, path.into()));
        self
    }
}

impl Run<'_> {
    /// Sets when and where the run is saved.
    pub(super) fn saving(mut self, saving: Option<Schedule>) -> Self {
        self.saving = saving;
        self
    }
}
