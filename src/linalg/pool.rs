//! Pool of workspaces that are reused from solve to solve.

use std::sync::{Mutex, MutexGuard, PoisonError};

use faer::{ColMut, MatMut};
use rayon::prelude::*;

/// Pool of idle workspaces, from which repeated solves take their workspace instead of allocating one.
pub(crate) struct Pool<T> {
    idle: Mutex<Vec<T>>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self {
            idle: Mutex::new(Vec::new()),
        }
    }
}

impl<T> Pool<T> {
    fn idle(&self) -> MutexGuard<'_, Vec<T>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Allocates workspaces until `count` idle ones fit. `count` is the number of threads that may use them
    /// at once.
    ///
    /// Allocation during a parallel solve would make the number of workspaces depend on the timing of the
    /// threads.
    pub(crate) fn reserve<E>(
        &self,
        count: usize,
        fits: impl Fn(&T) -> bool,
        make: impl Fn() -> Result<T, E>,
    ) -> Result<(), E> {
        for _ in self.idle_that(&fits)..count {
            let workspace = make()?;
            self.idle().push(workspace);
        }
        Ok(())
    }

    /// Calls `work` with an idle workspace that fits, or a new one, and returns the workspace to the pool.
    ///
    /// `work` must not depend on the contents of the workspace, which are those that its last user left.
    pub(crate) fn with<R>(
        &self,
        fits: impl Fn(&T) -> bool,
        make: impl FnOnce() -> T,
        work: impl FnOnce(&mut T) -> R,
    ) -> R {
        let mut workspace = self.take(fits).unwrap_or_else(make);
        let result = work(&mut workspace);
        self.idle().push(workspace);
        result
    }

    /// Calls `work` as [`with`](Pool::with) does, for workspaces whose allocation may fail.
    ///
    /// # Errors
    /// Fails if `make` or `work` fails.
    pub(crate) fn try_with<R, E>(
        &self,
        fits: impl Fn(&T) -> bool,
        make: impl FnOnce() -> Result<T, E>,
        work: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut workspace = self.take(fits).map_or_else(make, Ok)?;
        let result = work(&mut workspace);
        self.idle().push(workspace);
        result
    }

    /// Frees idle workspaces that do not fit, so that workspaces of different sizes do not accumulate.
    pub(crate) fn keep(&self, fits: impl Fn(&T) -> bool) {
        self.idle().retain(fits);
    }

    /// Returns the number of idle workspaces that fit.
    pub(crate) fn idle_that(&self, fits: impl Fn(&T) -> bool) -> usize {
        self.idle().iter().filter(|w| fits(w)).count()
    }

    /// Takes a workspace that fits out of the pool, if there is one.
    fn take(&self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let mut idle = self.idle();
        let index = idle.iter().position(fits)?;
        // The lock is held only during the search, never while a workspace is in use. Which workspace a solve
        // receives does not affect its result, because a solve writes every entry before reading it.
        Some(idle.swap_remove(index))
    }
}

/// Returns how many of `pieces` tasks can run at the same time.
pub(crate) fn at_once(pieces: usize) -> usize {
    pieces.min(rayon::current_num_threads())
}

/// Returns whether the current thread belongs to a pool of several threads, so that parallel parts start at once.
pub(crate) fn is_parallel() -> bool {
    rayon::current_thread_index().is_some() && rayon::current_num_threads() > 1
}

/// Calls `work` on a thread of the pool if it `pays` and the pool has several threads.
///
/// A thread outside the pool waits for every parallel part, some 20 µs each. Moved to the pool, `work` pays this once.
pub(crate) fn in_pool<R: Send>(pays: bool, work: impl FnOnce() -> R + Send) -> R {
    if pays && !is_parallel() && rayon::current_num_threads() > 1 {
        return rayon::scope(|_| work());
    }
    work()
}

/// Number of multiplications from which threads share work.
// About 50 to 150 µs, several times the cost of waking a thread.
pub(crate) const SHARED: usize = 1 << 17;

/// Calls `work` with every piece of `size` entries of x and the index of its first entry, on all threads if it `pays`.
pub(crate) fn share_pieces(
    pays: bool,
    x: &mut [f64],
    size: usize,
    work: impl Fn(usize, &mut [f64]) + Sync,
) {
    in_pool(pays, || {
        if pays && is_parallel() {
            let pieces = x.par_chunks_mut(size).enumerate();
            pieces.for_each(|(k, piece)| work(k * size, piece));
        } else {
            let pieces = x.chunks_mut(size).enumerate();
            pieces.for_each(|(k, piece)| work(k * size, piece));
        }
    });
}

/// Calls `work` with every column of a matrix and its index, on all threads if the matrix is large.
pub(crate) fn share_columns(m: MatMut<'_, f64>, work: impl Fn(usize, ColMut<'_, f64>) + Sync) {
    if m.ncols() > 1 && m.nrows() * m.ncols() >= SHARED {
        let columns = m.par_col_iter_mut().enumerate();
        columns.for_each(|(j, column)| work(j, column));
    } else {
        let columns = m.col_iter_mut().enumerate();
        columns.for_each(|(j, column)| work(j, column));
    }
}

/// Calls two functions, side by side if it `pays` and the pool has several threads.
pub(crate) fn beside<A: Send, B: Send>(
    pays: bool,
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    if pays && rayon::current_num_threads() > 1 {
        rayon::join(one, other)
    } else {
        (one(), other())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_reused_if_it_fits() {
        let pool = Pool::default();
        let size = |n: usize| pool.with(|v: &Vec<u8>| v.len() == n, || vec![0; n], |v| v.as_ptr());
        let small = size(10);
        assert_eq!(size(10), small);
        assert_ne!(size(20), small);
        assert_eq!(size(10), small);
    }

    #[test]
    fn workspaces_that_do_not_fit_are_freed() {
        let pool = Pool::default();
        for n in [10, 20, 30] {
            pool.with(|v: &Vec<u8>| v.len() == n, || vec![0; n], |_| ());
        }
        pool.keep(|v| v.len() >= 20);
        assert_eq!(pool.idle_that(|_| true), 2);
    }

    #[test]
    fn reserved_workspaces_are_not_allocated_again() {
        let pool = Pool::default();
        let fits = |v: &Vec<u8>| v.len() >= 10;
        pool.reserve(2, fits, || Ok::<_, ()>(vec![0_u8; 10]))
            .unwrap();
        pool.reserve(2, fits, || Err(())).unwrap();
        assert_eq!(pool.reserve(3, fits, || Err(())), Err(()));
        let both = pool.try_with(
            fits,
            || Err(()),
            |_| pool.try_with(fits, || Err(()), |_| Ok(2)),
        );
        assert_eq!(both, Ok(2));
    }
}
