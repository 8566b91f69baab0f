//! Conversion of operators to sparse matrices.

use faer::sparse::{SparseColMat, SymbolicSparseColMat};

use super::{Operator, View};

impl Operator<'_> {
    /// Returns the operator as a sparse matrix, or `None` if the operator is matrix-free or a gauge makes the
    /// matrix dense.
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
            View::Repeated { block, count } => Some(repeat(&block.to_sparse()?, count)),
            View::Free => None,
        }
    }
}

/// Returns diag(B, …, B).
fn repeat(block: &SparseColMat<usize, f64>, count: usize) -> SparseColMat<usize, f64> {
    let (nrows, ncols) = block.shape();
    let size = count * block.row_idx().len();
    let (mut rows, mut values) = (Vec::with_capacity(size), Vec::with_capacity(size));
    let mut pointers = vec![0];
    for (copy, j) in (0..count).flat_map(|copy| (0..ncols).map(move |j| (copy, j))) {
        rows.extend(block.row_idx_of_col(j).map(|i| copy * nrows + i));
        values.extend_from_slice(block.val_of_col(j));
        pointers.push(rows.len());
    }
    let (nrows, ncols) = (count * nrows, count * ncols);
    let pattern = SymbolicSparseColMat::new_checked(nrows, ncols, pointers, None, rows);
    SparseColMat::new(pattern, values)
}

/// Returns diag(entries).
fn diagonal(entries: &[f64]) -> SparseColMat<usize, f64> {
    let n = entries.len();
    let pattern =
        SymbolicSparseColMat::new_checked(n, n, (0..=n).collect(), None, (0..n).collect());
    SparseColMat::new(pattern, entries.to_vec())
}
