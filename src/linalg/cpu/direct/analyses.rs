//! One symbolic analysis a sparsity pattern.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use faer::sparse::{SparseColMatRef, SymbolicSparseColMat, SymbolicSparseColMatRef};

use crate::error::Result;

type Structure = SymbolicSparseColMat<usize>;

/// Patterns remembered; a descent uses two or three.
const REMEMBERED: usize = 8;

/// A sparse matrix to factorise, and its structure where that may be shared with other matrices.
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

/// Symbolic analyses by sparsity pattern, in the order of making.
pub(crate) struct Analyses<S> {
    known: Mutex<Vec<Known<S>>>,
}

struct Known<S> {
    /// Shared with the matrices that have it where they share theirs.
    structure: Arc<Structure>,
    analysis: Arc<S>,
}

impl<S> Default for Analyses<S> {
    fn default() -> Self {
        Self {
            known: Mutex::new(Vec::new()),
        }
    }
}

impl<S> Analyses<S> {
    /// The analysis of the pattern of this matrix, made now unless it is known.
    pub(crate) fn of(
        &self,
        matrix: Matrix<'_>,
        analyse: impl FnOnce() -> Result<S>,
    ) -> Result<Arc<S>> {
        if let Some(analysis) = self.find(matrix) {
            return Ok(analysis);
        }
        let analysis = Arc::new(analyse()?);
        let structure = match (matrix.shared, matrix.symbolic().to_owned()) {
            (Some(shared), _) => Arc::clone(shared),
            (None, Ok(owned)) => Arc::new(owned),
            // No memory to remember it.
            (None, Err(_)) => return Ok(analysis),
        };
        let mut known = self.lock();
        if known.len() == REMEMBERED {
            known.remove(0);
        }
        known.push(Known {
            structure,
            analysis: Arc::clone(&analysis),
        });
        Ok(analysis)
    }

    /// A structure that is shared is recognised by its address, and any other is read.
    fn find(&self, matrix: Matrix<'_>) -> Option<Arc<S>> {
        let mut known = self.lock();
        if let Some(shared) = matrix.shared
            && let Some(known) = known.iter().find(|k| Arc::ptr_eq(&k.structure, shared))
        {
            return Some(Arc::clone(&known.analysis));
        }
        let pattern = matrix.symbolic();
        let found = known
            .iter_mut()
            .find(|known| equal((*known.structure).as_ref(), pattern))?;
        if let Some(shared) = matrix.shared {
            found.structure = Arc::clone(shared);
        }
        Some(Arc::clone(&found.analysis))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Known<S>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
        let (analyses, made) = (Analyses::default(), Cell::new(0));
        let of = |entries: &[(usize, usize, f64)]| {
            let entries: Vec<_> = entries
                .iter()
                .map(|&(i, j, v)| Triplet::new(i, j, v))
                .collect();
            let matrix = SparseColMat::<usize, f64>::try_new_from_triplets(2, 2, &entries).unwrap();
            let analysis = analyses.of(matrix.as_ref().into(), || {
                made.set(made.get() + 1);
                Ok(made.get())
            });
            *analysis.unwrap()
        };
        assert_eq!(of(&[(0, 0, 1.0), (1, 1, 2.0)]), 1);
        assert_eq!(of(&[(0, 0, 3.0), (1, 1, 4.0)]), 1);
        assert_eq!(of(&[(0, 1, 3.0), (1, 0, 4.0)]), 2);
        for _ in 0..2 * REMEMBERED {
            assert_eq!(of(&[(0, 0, 5.0), (1, 1, 6.0)]), 1);
        }
        assert_eq!(made.get(), 2);
    }
}
