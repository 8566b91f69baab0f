//! Reuse of the last factorisation if the next matrix is equal.
//!
//! Newton's method solves linear systems with ∂g/∂ρ, and so do the sensitivities at the solution. If g is
//! affine in ρ, both matrices are equal. Matrices are compared entry by entry, so that models need not
//! declare them equal.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::operator::Operator;
use super::{Backend, Factor};
use crate::error::Result;

/// Source of factors that several callers may share.
pub(crate) trait Factors: Send + Sync {
    /// Returns a factor of `a`, and whether it was computed by this call.
    ///
    /// # Errors
    /// Fails as [`Backend::factor`] does.
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<(Arc<dyn Factor + 'a>, bool)>;

    /// Returns whether the factor of an equal matrix is cached.
    fn has_factor(&self, a: &Operator<'_>) -> bool;

    /// Discards all cached factors.
    fn discard(&self);
}

/// Backend that caches its most recent factorisations.
pub(crate) struct Reuse<'b> {
    backend: &'b dyn Backend,
    /// Capacity of `cache`, which lists the factors from oldest to newest.
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

    /// Returns the cached factor of a matrix that equals `a`, if there is one.
    fn cached(&self, a: &Operator<'_>) -> Option<Arc<dyn Factor + 'b>> {
        let cache = self.cache();
        // A comparison reads both matrices once. Different matrices usually differ in one of the first
        // entries, so that a failed comparison is nearly free, and a successful one saves a factorisation.
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
        // Free the oldest factor first, because the memory may not suffice for another one.
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
