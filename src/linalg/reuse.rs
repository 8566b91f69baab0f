//! Reuse of the last factorisation if the next matrix is equal.
//!
//! Newton's method solves for a state with ∂g/∂ρ, and its sensitivities are solved with ∂g/∂ρ again. If g is affine in
//! ρ, both matrices are equal. The entries are compared, so that models need not declare the equality.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::operator::Operator;
use super::{Backend, Factor};
use crate::error::Result;

/// Source of factors that may be shared.
pub(crate) trait Factors: Send + Sync {
    /// Returns a factor of `a`, and whether it was computed by this call.
    ///
    /// # Errors
    /// Fails as [`Backend::factor`] does.
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<(Arc<dyn Factor + 'a>, bool)>;

    /// Whether the factor of an equal matrix is cached.
    fn has_factor(&self, a: &Operator<'_>) -> bool;

    /// Discards all cached factors.
    fn discard(&self);
}

/// Backend that caches its last factorisations.
pub(crate) struct Reuse<'b> {
    backend: &'b dyn Backend,
    /// Largest number of factors in `cache`, which lists them oldest first.
    capacity: usize,
    cache: Mutex<VecDeque<Cached<'b>>>,
}

/// Cached factor with its matrix.
struct Cached<'b> {
    matrix: Operator<'b>,
    factor: Arc<dyn Factor + 'b>,
}

impl<'b> Reuse<'b> {
    pub(crate) fn new(backend: &'b dyn Backend, capacity: usize) -> Self {
        Self {
            backend,
            capacity,
            cache: Mutex::default(),
        }
    }

    fn cache(&self) -> MutexGuard<'_, VecDeque<Cached<'b>>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the cached factor if its matrix equals `a`.
    fn cached(&self, a: &Operator<'_>) -> Option<Arc<dyn Factor + 'b>> {
        let cache = self.cache();
        // A comparison reads both matrices once. Different matrices usually differ in one of the first
        // entries, so that a failed comparison costs nothing, and a successful one saves a factorisation.
        let cached = cache.iter().find(|cached| cached.matrix.equals(a))?;
        Some(Arc::clone(&cached.factor))
    }
}

impl Factors for Reuse<'_> {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<(Arc<dyn Factor + 'a>, bool)> {
        if let Some(factor) = self.cached(&a) {
            return Ok((factor, false));
        }
        let Some(matrix) = a.to_owned_entries() else {
            return Ok((Arc::from(self.backend.factor(a)?), true));
        };
        // Free the oldest factor first: the memory may not suffice for one more.
        {
            let mut cache = self.cache();
            while cache.len() >= self.capacity {
                cache.pop_front();
            }
        }
        let factor: Arc<dyn Factor + '_> = Arc::from(self.backend.factor(matrix.clone())?);
        self.cache().push_back(Cached {
            matrix,
            factor: Arc::clone(&factor),
        });
        Ok((factor, true))
    }

    fn has_factor(&self, a: &Operator<'_>) -> bool {
        self.cached(a).is_some()
    }

    fn discard(&self) {
        self.cache().clear();
    }
}
