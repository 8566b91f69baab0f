//! Cache of the matrices that were prepared on a device.
//!
//! A descent solves with matrices of one shape and changing values. The next matrix of a shape reuses the buffers of an
//! idle entry, and with them the recorded steps (CUDA graphs), which contain the addresses of the buffers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// Number of entries from which a new entry evicts the oldest idle one. It suffices for a generator, a
/// Laplacian and one more matrix.
const MAX_ENTRIES: usize = 3;

/// Prepared matrices. An entry is idle if the cache holds the only reference to it.
pub(super) struct Cache<T>(Mutex<Vec<Arc<T>>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Cache<T> {
    /// Returns the first idle entry that `refill` accepts, or builds a new entry and caches it.
    pub(super) fn reuse_or_build(
        &self,
        refill: impl Fn(&T) -> Result<bool>,
        build: impl Fn() -> Result<T>,
    ) -> Result<Arc<T>> {
        let is_idle = |entry: &&Arc<T>| Arc::strong_count(entry) == 1;
        for entry in self.entries().iter().filter(is_idle) {
            if refill(entry)? {
                return Ok(Arc::clone(entry));
            }
        }
        let new = Arc::new(self.build(build)?);
        let mut entries = self.entries();
        // Entries in use are never evicted, so that the cache may temporarily exceed its limit.
        if entries.len() >= MAX_ENTRIES
            && let Some(oldest) = entries.iter().position(|entry| is_idle(&entry))
        {
            entries.remove(oldest);
        }
        entries.push(Arc::clone(&new));
        Ok(new)
    }

    /// Builds an entry of the cache. If memory runs out, evicts all idle entries and tries once more.
    pub(super) fn build(&self, build: impl Fn() -> Result<T>) -> Result<T> {
        match build() {
            Err(Error::OutOfMemory { .. }) if self.evict_idle() => build(),
            result => result,
        }
    }

    /// Evicts all idle entries and returns whether there were any.
    pub(super) fn evict_idle(&self) -> bool {
        let mut entries = self.entries();
        let before = entries.len();
        entries.retain(|entry| Arc::strong_count(entry) > 1);
        entries.len() < before
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Arc<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
