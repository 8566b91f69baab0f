//! Room for work, kept from one solve for the next.

use std::sync::{Mutex, PoisonError};

/// Workspaces that are not in use, so that only the first solve of a kind has to make one.
pub(super) struct Pool<T> {
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
    /// Calls `work` with an idle workspace that `fits`, or one made now, which is kept for the next call.
    ///
    /// What a workspace holds is whatever the last call left there.
    pub(super) fn with<R>(
        &self,
        fits: impl Fn(&T) -> bool,
        make: impl FnOnce() -> T,
        work: impl FnOnce(&mut T) -> R,
    ) -> R {
        let lock = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let found = {
            let mut idle = lock();
            let place = idle.iter().position(fits);
            place.map(|place| idle.swap_remove(place))
        };
        let mut room = found.unwrap_or_else(make);
        let result = work(&mut room);
        lock().push(room);
        result
    }
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
}
