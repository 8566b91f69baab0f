//! Symmetry check of matrices that were declared positive definite.

use faer::sparse::SparseColMatRef;

use crate::error::Error;
use crate::linalg::operator::Operator;

/// Returns an error for the pair of entries with the largest asymmetry |aᵢⱼ − aⱼᵢ| / (|aᵢᵢ||aⱼⱼ|)^½.
///
/// Returns `None` if no asymmetry exceeds `tolerance`, or if the matrix was not declared positive definite.
pub(super) fn asymmetry(operator: &Operator<'_>, tolerance: f64) -> Option<Error> {
    if !operator.is_positive_definite() {
        return None;
    }
    let worst = match operator.as_dense() {
        Some(m) => {
            let n = m.nrows();
            let pairs = (0..n).flat_map(|j| (0..j).map(move |i| (i, j)));
            worst(pairs, |i, j| m[(i, j)])
        }
        None => operator.with_sparse(sparse)?,
    };
    // A positive definite matrix satisfies |aᵢⱼ| < (aᵢᵢaⱼⱼ)^½, so that (aᵢᵢaⱼⱼ)^½ is the natural scale for an
    // entry. This scale also makes the test independent of the units of the unknowns.
    let Pair {
        row,
        column,
        entries,
        error,
    } = worst?;
    (error > tolerance).then_some(Error::NotSymmetric {
        what: "an operator declared positive definite",
        row,
        column,
        entry: entries[0],
        mirrored: entries[1],
    })
}

/// Pair of mirrored entries, which should be equal.
struct Pair {
    row: usize,
    column: usize,
    /// Values aᵢⱼ and aⱼᵢ of the pair.
    entries: [f64; 2],
    /// Asymmetry |aᵢⱼ − aⱼᵢ| / (|aᵢᵢ||aⱼⱼ|)^½ of the pair.
    error: f64,
}

/// Finds the pair with the largest asymmetry in a sparse matrix. Duplicate entries are summed.
fn sparse(m: SparseColMatRef<'_, usize, f64>) -> Option<Pair> {
    let entry = |i: usize, j: usize| {
        let range = m.symbolic().col_range(j);
        let rows = m.symbolic().row_idx()[range.clone()].iter();
        let stored = rows.zip(&m.val()[range]).filter(|(row, _)| **row == i);
        stored.fold(0.0, |sum, (_, value)| sum + value)
    };
    let stored = (0..m.ncols()).flat_map(|j| {
        let rows = m.symbolic().row_idx()[m.symbolic().col_range(j)].iter();
        rows.map(move |&i| (i, j))
    });
    // For each stored entry (i, j), columns i and j are scanned. This is affordable, because the search runs
    // only after a solve has been refused.
    worst(stored.filter(|(i, j)| i != j), entry)
}

/// Finds the pair with the largest asymmetry among `pairs`.
fn worst(
    pairs: impl Iterator<Item = (usize, usize)>,
    entry: impl Fn(usize, usize) -> f64,
) -> Option<Pair> {
    let compared = pairs.map(|(i, j)| {
        let entries = [entry(i, j), entry(j, i)];
        // Take two square roots, because the product of the diagonal entries may overflow. A zero diagonal
        // entry makes the quotient huge, as it should: such a matrix is not positive definite.
        let size = entry(i, i).abs().sqrt() * entry(j, j).abs().sqrt();
        Pair {
            row: i,
            column: j,
            entries,
            error: (entries[0] - entries[1]).abs() / size.max(f64::MIN_POSITIVE),
        }
    });
    compared.reduce(|a, b| if b.error > a.error { b } else { a })
}
