//! How many entries the factors of a sparse LU will have, before they are there.

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

/// What the factors take while they grow, in multiples of what their entries take: vectors that outgrow their room
/// are moved to twice the room. Measured on grids in one to three dimensions and random matrices, `tests/memory/limit.rs`.
const GROWTH: usize = 2;

/// Bytes a row besides.
const ROW: usize = 150;

/// Bytes for factors that have so many entries.
pub(crate) fn bytes(rows: usize, entries: usize) -> usize {
    let values = entries.saturating_mul(GROWTH * size_of::<f64>());
    values.saturating_add(ROW * rows)
}

/// A bound of the entries that L and U may have whatever the pivots: those of the factors of a QR decomposition
/// (George & Ng 1985). A dense row makes it a bound far off.
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
    let tree = col_etree(a, Some(order), &mut parents, stack);
    postorder(&mut post, tree, stack);
    let columns = (transposed.as_ref(), Some(order));
    column_counts_ata(
        &mut upper, &mut first, columns.0, columns.1, tree, &post, stack,
    );
    // Rows wait in the column of their first entry, and pass on to the parent all but one at a time.
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

/// The entries if every pivot stands on the diagonal, by the factor of A + Aᵀ, and half as many more for those that
/// supernodes store as zeros.
pub(crate) fn diagonal_pivots(a: Pattern<'_>, order: Order<'_>) -> Result<usize, FaerError> {
    let n = a.ncols();
    let both = |j: usize| {
        let rows = a.row_idx_of_col_raw(j).iter();
        rows.flat_map(move |&i| [Pair::new(i, j), Pair::new(j, i)])
    };
    let places: Vec<_> = (0..n).flat_map(both).collect();
    let symmetric = SymbolicSparseColMat::try_new_from_indices(n, n, &places);
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
