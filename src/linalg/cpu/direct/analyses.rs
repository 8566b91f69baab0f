//! Cache of symbolic analyses, one per sparsity pattern.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use faer::sparse::{SparseColMatRef, SymbolicSparseColMat, SymbolicSparseColMatRef};

use crate::error::Result;

type Structure = SymbolicSparseColMat<usize>;

/// Number of patterns in a cache. A descent uses two or three.
const CAPACITY: usize = 8;

/// Sparse matrix to factorise, with its structure if other matrices share that structure.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) view: SparseColMatRef<'a, usize, f64>,
    shared: Option<&'a Arc<Structure>>,
}

impl<'a> Matrix<'a> {
    pub(crate) fn new(
        view: SparseColMatRef<'a, usize, f64>,
        shared: Option<&'a Arc<Structure>>,
    ) -> Self {
        Self { view, shared }
    }

    pub(crate) fn symbolic(self) -> SymbolicSparseColMatRef<'a, usize> {
        self.view.symbolic()
    }

    pub(crate) fn values(self) -> &'a [f64] {
        self.view.val()
    }

    pub(crate) fn size(self) -> usize {
        self.view.nrows()
    }
}

impl<'a> From<SparseColMatRef<'a, usize, f64>> for Matrix<'a> {
    fn from(view: SparseColMatRef<'a, usize, f64>) -> Self {
        Self::new(view, None)
    }
}

/// Cache of symbolic analyses, keyed by sparsity pattern. A full cache evicts its oldest entry.
pub(crate) struct Analyses<S> {
    /// Cached analyses, oldest first.
    cached: Mutex<Vec<Cached<S>>>,
}

struct Cached<S> {
    /// Sparsity pattern that serves as key. If the matrix shares its structure, this is the same `Arc`, so
    /// that a lookup can compare addresses.
    structure: Arc<Structure>,
    analysis: Arc<S>,
}

impl<S> Default for Analyses<S> {
    fn default() -> Self {
        Self {
            cached: Mutex::new(Vec::new()),
        }
    }
}

impl<S> Analyses<S> {
    /// Returns the analysis of the pattern of `matrix`. Calls `analyse` only if the cache holds no such pattern.
    ///
    /// The lock is released during `analyse`. Two threads may thus analyse a pattern twice, but never block
    /// each other.
    pub(crate) fn of(
        &self,
        matrix: Matrix<'_>,
        analyse: impl FnOnce() -> Result<S>,
    ) -> Result<Arc<S>> {
        if let Some(analysis) = self.find(matrix) {
            return Ok(analysis);
        }
        // An analysis depends on the pattern alone. It therefore does not matter which of two threads caches
        // its result.
        let analysis = Arc::new(analyse()?);
        let structure = match (matrix.shared, matrix.symbolic().to_owned()) {
            (Some(shared), _) => Arc::clone(shared),
            (None, Ok(owned)) => Arc::new(owned),
            // Too little memory for a copy of the pattern: return the analysis uncached.
            (None, Err(_)) => return Ok(analysis),
        };
        let mut cached = self.lock();
        if cached.len() == CAPACITY {
            cached.remove(0);
        }
        cached.push(Cached {
            structure,
            analysis: Arc::clone(&analysis),
        });
        Ok(analysis)
    }

    /// Looks up a pattern: by address if the structure is shared, otherwise by comparison in O(nnz).
    ///
    /// A shared structure that matches by comparison replaces the key, so that the next lookup matches by address.
    fn find(&self, matrix: Matrix<'_>) -> Option<Arc<S>> {
        let mut cached = self.lock();
        if let Some(shared) = matrix.shared
            && let Some(found) = cached.iter().find(|c| Arc::ptr_eq(&c.structure, shared))
        {
            return Some(Arc::clone(&found.analysis));
        }
        let pattern = matrix.symbolic();
        let found = cached
            .iter_mut()
            .find(|cached| equal((*cached.structure).as_ref(), pattern))?;
        if let Some(shared) = matrix.shared {
            found.structure = Arc::clone(shared);
        }
        Some(Arc::clone(&found.analysis))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Cached<S>>> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether two patterns are stored identically. Equal rows in a different order do not count.
fn equal(a: SymbolicSparseColMatRef<'_, usize>, b: SymbolicSparseColMatRef<'_, usize>) -> bool {
    let ranges = || (0..a.ncols()).all(|j| a.col_range(j) == b.col_range(j));
    (a.nrows(), a.ncols()) == (b.nrows(), b.ncols()) && a.row_idx() == b.row_idx() && ranges()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use faer::sparse::{SparseColMat, Triplet};

    use super::*;

    #[test]
    fn a_pattern_is_analysed_once_whatever_its_values() {
        let (analyses, count) = (Analyses::default(), Cell::new(0));
        let of = |entries: &[(usize, usize, f64)]| {
            let entries: Vec<_> = entries
                .iter()
                .map(|&(i, j, v)| Triplet::new(i, j, v))
                .collect();
            let matrix = SparseColMat::<usize, f64>::try_new_from_triplets(2, 2, &entries).unwrap();
            let analysis = analyses.of(matrix.as_ref().into(), || {
                count.set(count.get() + 1);
                Ok(count.get())
            });
            *analysis.unwrap()
        };
        assert_eq!(of(&[(0, 0, 1.0), (1, 1, 2.0)]), 1);
        assert_eq!(of(&[(0, 0, 3.0), (1, 1, 4.0)]), 1);
        assert_eq!(of(&[(0, 1, 3.0), (1, 0, 4.0)]), 2);
        for _ in 0..2 * CAPACITY {
            assert_eq!(of(&[(0, 0, 5.0), (1, 1, 6.0)]), 1);
        }
        assert_eq!(count.get(), 2);
    }
}
