//! Room for work, kept from one solve for the next.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Workspaces that are not in use, so that only the first solve of a kind has to make one.
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

    /// Makes as many idle workspaces that `fit` as threads may ask for at once, so that none has to be made while
    /// they work: how many would be made then depends on which thread comes first.
    pub(crate) fn reserve<E>(
        &self,
        count: usize,
        fits: impl Fn(&T) -> bool,
        make: impl Fn() -> Result<T, E>,
    ) -> Result<(), E> {
        let ready = self.idle_that(&fits);
        for _ in ready..count {
            let room = make()?;
            self.idle().push(room);
        }
        Ok(())
    }

    /// Calls `work` with an idle workspace that `fits`, or one made now, which is kept for the next call.
    ///
    /// What a workspace holds is whatever the last call left there.
    pub(crate) fn with<R>(
        &self,
        fits: impl Fn(&T) -> bool,
        make: impl FnOnce() -> T,
        work: impl FnOnce(&mut T) -> R,
    ) -> R {
        let mut room = self.take(fits).unwrap_or_else(make);
        let result = work(&mut room);
        self.idle().push(room);
        result
    }

    /// The same where making one may fail.
    pub(crate) fn try_with<R, E>(
        &self,
        fits: impl Fn(&T) -> bool,
        make: impl FnOnce() -> Result<T, E>,
        work: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut room = self.take(fits).map_or_else(make, Ok)?;
        let result = work(&mut room);
        self.idle().push(room);
        result
    }

    /// Gives up idle workspaces that do not fit, so that those of several sizes do not pile up.
    pub(crate) fn keep(&self, fits: impl Fn(&T) -> bool) {
        self.idle().retain(fits);
    }

    /// How many idle workspaces fit.
    pub(crate) fn idle_that(&self, fits: impl Fn(&T) -> bool) -> usize {
        self.idle().iter().filter(|room| fits(room)).count()
    }

    fn take(&self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let mut idle = self.idle();
        let place = idle.iter().position(fits)?;
        Some(idle.swap_remove(place))
    }
}

/// How many of so many pieces of work can be under way at once.
pub(crate) fn at_once(pieces: usize) -> usize {
    pieces.min(rayon::current_num_threads())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_serves_again_if_it_fits() {
        let pool = Pool::default();
        let size = |n: usize| pool.with(|v: &Vec<u8>| v.len() == n, || vec![0; n], |v| v.as_ptr());
        let small = size(10);
        assert_eq!(size(10), small);
        assert_ne!(size(20), small);
        assert_eq!(size(10), small);
    }

    #[test]
    fn what_does_not_fit_is_given_up() {
        let pool = Pool::default();
        for n in [10, 20, 30] {
            pool.with(|v: &Vec<u8>| v.len() == n, || vec![0; n], |_| ());
        }
        pool.keep(|v| v.len() >= 20);
        assert_eq!(pool.idle_that(|_| true), 2);
    }

    #[test]
    fn what_is_reserved_need_not_be_made() {
        let pool = Pool::default();
        let fits = |v: &Vec<u8>| v.len() >= 10;
        let made = |n: usize| move || Ok::<_, ()>(vec![0_u8; n]);
        pool.reserve(2, fits, made(10)).unwrap();
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
