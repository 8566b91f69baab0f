//! Reuse of the last factorisation if the next matrix is equal.
//!
//! Newton's method solves linear systems with ∂g/∂ρ, and so do the sensitivities at the solution. If g is
//! affine in ρ, both matrices are equal. Matrices are compared entry by entry, so that models need not
//! declare them equal.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use faer::{MatMut, MatRef};
use serde::{Deserialize, Serialize};

use super::operator::{Operator, Side};
use super::{Backend, Batch, Factor, SolveStats};
use crate::error::Result;

/// Source of factors that several callers may share: a backend, and a cache of its most recent factorisations.
pub(crate) struct Reuse<'b> {
    backend: &'b dyn Backend,
    /// Capacity of `cache`, which lists the factors from oldest to newest.
    capacity: usize,
    cache: Mutex<VecDeque<Cached<'b>>>,
    /// Caches of models that are solved side by side, once they are asked for.
    lanes: OnceLock<Vec<Arc<Reuse<'b>>>>,
}

/// Cached factor with its matrix.
struct Cached<'b> {
    matrix: Operator<'static>,
    factor: Arc<Announced<'b>>,
}

/// Factor that remembers the largest number of columns announced to it.
struct Announced<'b> {
    factor: Box<dyn Factor + 'b>,
    columns: AtomicUsize,
}

/// What the cached factors come from, oldest first, and those of models that are solved side by side.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Origins {
    own: Vec<Origin>,
    lanes: Vec<Origins>,
}

/// What a cached factor comes from: its matrix, and the number of columns announced to it.
#[derive(Clone, Serialize, Deserialize)]
struct Origin {
    matrix: Operator<'static>,
    announced: usize,
}

impl<'b> Reuse<'b> {
    pub(crate) fn new(backend: &'b dyn Backend, capacity: usize) -> Self {
        Self {
            backend,
            capacity,
            cache: Mutex::default(),
            lanes: OnceLock::new(),
        }
    }

    /// Returns caches for the lanes of the backend, as many as at the first call.
    pub(crate) fn lanes(&self, backends: &[&'b dyn Backend]) -> &[Arc<Self>] {
        let lane = |backend: &&'b dyn Backend| Arc::new(Self::new(*backend, self.capacity));
        self.lanes
            .get_or_init(|| backends.iter().map(lane).collect())
    }

    fn cache(&self) -> MutexGuard<'_, VecDeque<Cached<'b>>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what the cached factors come from.
    pub(crate) fn origins(&self) -> Origins {
        let cache = self.cache();
        let origin = |cached: &Cached<'_>| Origin {
            matrix: cached.matrix.clone(),
            announced: cached.factor.columns.load(Ordering::Relaxed),
        };
        let lanes = self.lanes.get().into_iter().flatten();
        Origins {
            own: cache.iter().map(origin).collect(),
            lanes: lanes.map(|lane| lane.origins()).collect(),
        }
    }

    /// Fills the cache with the factors of these matrices.
    ///
    /// # Errors
    /// Fails as [`Backend::factor`] does.
    pub(crate) fn restore(&self, origins: Origins) -> Result<()> {
        self.discard();
        for Origin { matrix, announced } in origins.own {
            let factor = self.compute(matrix)?;
            if announced > 0 {
                factor.announce(announced);
            }
        }
        let Some(backends) = lanes(self.backend, origins.lanes.len()) else {
            return Ok(());
        };
        let mut both = self.lanes(&backends).iter().zip(origins.lanes);
        both.try_for_each(|(lane, origins)| lane.restore(origins))
    }

    /// Factorises a matrix, and caches its factor.
    fn compute(&self, matrix: Operator<'static>) -> Result<Arc<Announced<'b>>> {
        let factor = Arc::new(Announced {
            factor: self.backend.factor(matrix.clone())?,
            columns: AtomicUsize::new(0),
        });
        self.cache().push_back(Cached {
            matrix,
            factor: Arc::clone(&factor),
        });
        Ok(factor)
    }

    /// Returns the cached factor of a matrix that equals `a`, if there is one.
    fn cached(&self, a: &Operator<'_>) -> Option<Arc<Announced<'b>>> {
        let cache = self.cache();
        // A comparison reads both matrices once. Different matrices usually differ in one of the first
        // entries, so that a failed comparison is nearly free, and a successful one saves a factorisation.
        let cached = cache.iter().find(|cached| cached.matrix.equals(a))?;
        Some(Arc::clone(&cached.factor))
    }

    /// Returns a factor of `a`, and whether it was computed by this call.
    ///
    /// # Errors
    /// Fails as [`Backend::factor`] does.
    pub(crate) fn factor<'a>(&'a self, a: Operator<'a>) -> Result<(Arc<dyn Factor + 'a>, bool)> {
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
        Ok((self.compute(matrix)?, true))
    }

    /// Returns whether the factor of an equal matrix is cached.
    pub(crate) fn has_factor(&self, a: &Operator<'_>) -> bool {
        self.cached(a).is_some()
    }

    /// Discards all cached factors.
    pub(crate) fn discard(&self) {
        self.cache().clear();
    }
}

/// Returns the lanes of a backend, if there are to be any.
pub(super) fn lanes(backend: &dyn Backend, count: usize) -> Option<Vec<&dyn Backend>> {
    match count {
        0 => None,
        count => backend.lanes(count),
    }
}

impl Factor for Announced<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        self.factor.solve(side, guess, batch)
    }

    fn solve_batch(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: Batch,
    ) -> Result<(Batch, SolveStats)> {
        self.factor.solve_batch(side, guess, batch)
    }

    fn announce(&self, columns: usize) {
        self.columns.fetch_max(columns, Ordering::Relaxed);
        self.factor.announce(columns);
    }
}
