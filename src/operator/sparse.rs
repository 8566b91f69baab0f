//! Operators written out as sparse matrices.

use faer::sparse::{SparseColMat, SymbolicSparseColMat};

use super::{Operator, View};

impl Operator<'_> {
    /// The operator as a sparse matrix; None where only products are known, or a gauge fills it.
    pub fn to_sparse(&self) -> Option<SparseColMat<usize, f64>> {
        match self.view() {
            View::Identity => Some(diagonal(&vec![1.0; self.nrows()])),
            View::Diagonal(d) => Some(diagonal(d)),
            View::Sparse(m) => {
                let pattern = m.symbolic().to_owned().ok()?;
                Some(SparseColMat::new(pattern, m.val().to_vec()))
            }
            View::Stencil(s) => (s.gauge() == 0.0).then(|| s.compress()),
            View::Dense(m) => {
                let (rows, cols) = m.shape();
                let pointers = (0..=cols).map(|j| j * rows).collect();
                let indices = (0..cols).flat_map(|_| 0..rows).collect();
                let values = (0..cols).flat_map(|j| m.col(j).iter().copied()).collect();
                Some(SparseColMat::new(
                    SymbolicSparseColMat::new_checked(rows, cols, pointers, None, indices),
                    values,
                ))
            }
            View::Free => None,
        }
    }
}

fn diagonal(entries: &[f64]) -> SparseColMat<usize, f64> {
    let n = entries.len();
    let pattern =
        SymbolicSparseColMat::new_checked(n, n, (0..=n).collect(), None, (0..n).collect());
    SparseColMat::new(pattern, entries.to_vec())
}
