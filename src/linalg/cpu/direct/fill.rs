//! Estimates of the fill of a sparse LU factorisation, made before it starts.

use faer::Side as Triangle;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::perm::PermRef;
use faer::sparse::linalg::SupernodalThreshold;
use faer::sparse::linalg::cholesky::{
    CholeskySymbolicParams, SymmetricOrdering, factorize_symbolic_cholesky,
};
use faer::sparse::linalg::qr::{
    col_etree, col_etree_scratch, column_counts_aat_scratch, column_counts_ata, postorder,
    postorder_scratch,
};
use faer::sparse::{FaerError, Pair, SymbolicSparseColMat, SymbolicSparseColMatRef};

type Pattern<'a> = SymbolicSparseColMatRef<'a, usize>;
type Order<'a> = PermRef<'a, usize>;

/// Peak memory of growing factor arrays, as a multiple of the size of their entries.
///
/// A vector that exceeds its capacity moves to a new block of twice the capacity. The value was measured on
/// grids in one to three dimensions and on random matrices, see `tests/memory/limit.rs`.
const GROWTH: usize = 2;

/// Bytes per row that an LU factorisation needs in addition to the entries of its factors.
const ROW: usize = 150;

/// Returns the number of bytes needed to compute factors with `entries` entries.
pub(crate) fn bytes(rows: usize, entries: usize) -> usize {
    let values = entries.saturating_mul(GROWTH * size_of::<f64>());
    values.saturating_add(ROW * rows)
}

/// Returns an upper bound on nnz(L) + nnz(U) for any choice of pivots: the entries of the QR factors of A (George & Ng
/// 1985).
///
/// The bound is far too large if A has a dense row.
pub(crate) fn any_pivots(a: Pattern<'_>, order: Order<'_>) -> Result<usize, FaerError> {
    let n = a.ncols();
    let transposed = a.transpose().to_col_major()?;
    let scratch = StackReq::any_of(&[
        col_etree_scratch::<usize>(n, n),
        postorder_scratch::<usize>(n),
        column_counts_aat_scratch::<usize>(n, n),
    ]);
    let mut memory = MemBuffer::try_new(scratch).map_err(|_| FaerError::OutOfMemory)?;
    let stack = MemStack::new(&mut memory);
    let [mut parents, mut post, mut upper, mut first] = [const { Vec::new() }; 4].map(|mut v| {
        v.resize(n, 0);
        v
    });
    // AᵀA does not depend on the order of the rows of A, and neither does the pattern of its Cholesky factor
    // R. The bound therefore holds for every choice of pivots, that is, for all row interchanges.
    let tree = col_etree(a, Some(order), &mut parents, stack);
    postorder(&mut post, tree, stack);
    let columns = (transposed.as_ref(), Some(order));
    column_counts_ata(
        &mut upper, &mut first, columns.0, columns.1, tree, &post, stack,
    );
    // The Cholesky factor of AᵀA has at least the entries of R in each column (`upper`). The number of
    // Householder entries per column (`lower`) follows from the column elimination tree. Each row of A starts
    // in the column of its first entry. The reflection of column j acts on the rows gathered in j. One of
    // them becomes row j of R, and the others move on to the parent of j.
    let mut lower = vec![0_usize; n];
    for column in first.iter().map(|&column| column as isize) {
        if column >= 0 {
            lower[column as usize] += 1;
        }
    }
    for (j, &parent) in tree.into_inner().iter().enumerate() {
        if parent >= 0 {
            lower[parent as usize] += lower[j].saturating_sub(1);
        }
    }
    Ok(upper.iter().chain(&lower).sum())
}

/// Estimates nnz(L) + nnz(U) for pivots on the diagonal, as 3 times the entries of the Cholesky factor of
/// A + Aᵀ.
///
/// L and U together have twice the entries of the Cholesky factor. Explicit zeros in supernodes are estimated
/// at half of this number.
pub(crate) fn diagonal_pivots(a: Pattern<'_>, order: Order<'_>) -> Result<usize, FaerError> {
    let n = a.ncols();
    let both = |j: usize| {
        let rows = a.row_idx_of_col_raw(j).iter();
        rows.flat_map(move |&i| [Pair::new(i, j), Pair::new(j, i)])
    };
    let positions: Vec<_> = (0..n).flat_map(both).collect();
    let symmetric = SymbolicSparseColMat::try_new_from_indices(n, n, &positions);
    let (symmetric, _) = symmetric.map_err(|_| FaerError::OutOfMemory)?;
    let parameters = CholeskySymbolicParams {
        supernodal_flop_ratio_threshold: SupernodalThreshold::FORCE_SIMPLICIAL,
        ..Default::default()
    };
    let order = SymmetricOrdering::Custom(order);
    let cholesky =
        factorize_symbolic_cholesky(symmetric.as_ref(), Triangle::Lower, order, parameters)?;
    Ok(3 * cholesky.len_val())
}
