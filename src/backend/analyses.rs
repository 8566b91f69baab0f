//! One symbolic analysis a sparsity pattern.

use std::sync::{Arc, Mutex, PoisonError};

use faer::sparse::SymbolicSparseColMatRef;

use crate::error::Result;

type Pattern<'a> = SymbolicSparseColMatRef<'a, usize>;

/// Patterns remembered; a descent uses two or three.
const REMEMBERED: usize = 8;

/// Symbolic analyses by sparsity pattern, in the order of making.
pub(super) struct Analyses<S> {
    known: Mutex<Vec<Known<S>>>,
}

/// Where the columns begin and end, row indices, and what was found out about them.
type Known<S> = (Vec<(usize, usize)>, Vec<usize>, Arc<S>);

impl<S> Default for Analyses<S> {
    fn default() -> Self {
        Self {
            known: Mutex::new(Vec::new()),
        }
    }
}

impl<S> Analyses<S> {
    /// The analysis of this pattern, made now unless it is known.
    pub(super) fn of(
        &self,
        pattern: Pattern<'_>,
        analyse: impl FnOnce() -> Result<S>,
    ) -> Result<Arc<S>> {
        let ranges: Vec<(usize, usize)> = (0..pattern.ncols())
            .map(|j| pattern.col_range(j))
            .map(|range| (range.start, range.end))
            .collect();
        let rows = pattern.row_idx();
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = lock()
            .iter()
            .find(|(known, r, _)| *known == ranges && r == rows)
            .map(|(_, _, analysis)| Arc::clone(analysis));
        if let Some(analysis) = found {
            return Ok(analysis);
        }
        let analysis = Arc::new(analyse()?);
        let mut known = lock();
        if known.len() == REMEMBERED {
            known.remove(0);
        }
        known.push((ranges, rows.to_vec(), Arc::clone(&analysis)));
        Ok(analysis)
    }
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
            let analysis = analyses.of(matrix.symbolic(), || {
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
