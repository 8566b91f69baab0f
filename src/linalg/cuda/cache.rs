//! What was made ready on a device: matrices of a descent come again and again with other numbers.
//!
//! Memory, and the graphs of steps, which know the addresses of their vectors, are kept from one to the next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::solver::IterativeSolver;
use crate::error::{Error, Result};

/// A generator, a Laplacian, and one more.
const MOST: usize = 3;

/// Matrices on a device, those in use and those that nobody solves with any more.
#[derive(Default)]
pub(super) struct Cache(Mutex<Vec<Arc<IterativeSolver>>>);

impl Cache {
    /// One out of use that `suits`, which may change it, or else one that is made now and comes here afterwards.
    pub(super) fn take(
        &self,
        suits: impl Fn(&IterativeSolver) -> Result<bool>,
        make: impl Fn() -> Result<IterativeSolver>,
    ) -> Result<Arc<IterativeSolver>> {
        let idle = |one: &&Arc<IterativeSolver>| Arc::strong_count(one) == 1;
        for known in self.all().iter().filter(idle) {
            if suits(known)? {
                return Ok(Arc::clone(known));
            }
        }
        let made = Arc::new(self.make(make)?);
        let mut all = self.all();
        // The oldest goes if it can.
        if all.len() >= MOST
            && let Some(oldest) = all.iter().position(|one| idle(&one))
        {
            all.remove(oldest);
        }
        all.push(Arc::clone(&made));
        Ok(made)
    }

    /// Makes one; out of memory, what is out of use is given back first.
    pub(super) fn make(
        &self,
        make: impl Fn() -> Result<IterativeSolver>,
    ) -> Result<IterativeSolver> {
        match make() {
            Err(Error::OutOfMemory { .. }) if self.clear() => make(),
            made => made,
        }
    }

    /// Gives back the memory of all that is out of use; whether there was any.
    pub(super) fn clear(&self) -> bool {
        let mut all = self.all();
        let before = all.len();
        all.retain(|one| Arc::strong_count(one) > 1);
        all.len() < before
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<IterativeSolver>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
