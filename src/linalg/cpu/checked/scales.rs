//! Row scaling that makes the backward error independent of the units of equations and unknowns.

use faer::sparse::SparseColMatRef;
use faer::{MatMut, MatRef};

use crate::linalg::operator::{Operator, Side};

/// Ratio of the largest to the smallest column sum, after row scaling, from which the unknowns count as given
/// in different units.
const SPREAD: f64 = 1e6;

/// Largest number of sweeps in the fit of the units.
// Alternating between rows and columns is the Gauss-Seidel method for the Laplacian of the bipartite graph of
// the pattern. It takes one sweep for a full pattern with equal weights, but many for a long chain.
const SWEEPS: usize = 200;

/// Change of the binary logarithms of the units below which their fit has converged.
// The fit is rounded to integer powers of two, so that a twentieth of a power is accurate enough.
const CONVERGED: f64 = 0.05;

/// Number of powers of two below the fitted size |aᵢⱼ| ≈ rᵢcⱼ at which the weight of an entry in the fit is
/// halved.
// An entry a million times smaller than its fitted size changes its equation in the sixth digit.
const SMALL: f64 = 20.0;

/// Row scaling of a matrix and of its transpose.
pub(super) struct Scales {
    /// Reciprocals of the row norms of A, and of Aᵀ.
    pub(super) sides: [Vec<f64>; 2],
    /// Whether the unknowns have units that differ by orders of magnitude.
    pub(super) mixed: bool,
}

/// Computes the row scaling of A and Aᵀ.
///
/// Dividing equation i by its row norm ‖Aᵢ‖₁ cancels the unit of the equation. The norm is misleading if the
/// units of the unknowns are far apart: the largest entry of a row dominates the norm, although its product
/// with the unknown may be modest. In that case a fit |aᵢⱼ| ≈ rᵢcⱼ determines the units of rows and columns
/// together (least squares in logarithms, Curtis & Reid 1972, solved by alternating between rows and
/// columns). The row norm is then Σⱼ |aᵢⱼ|/cⱼ.
pub(super) fn scales(operator: &Operator<'_>) -> Scales {
    let sizes = sizes(operator);
    let units = units_from_sizes(operator, &sizes);
    let mixed = units.is_some();
    let sides = match units {
        Some([rows, columns]) => [
            reciprocals(&magnitudes(operator, Side::Plain, &columns)),
            reciprocals(&magnitudes(operator, Side::Transpose, &rows)),
        ],
        None => sizes.map(|sizes| reciprocals(&sizes)),
    };
    Scales { sides, mixed }
}

/// Returns the scale factors 1/r and 1/c with |aᵢⱼ| ≈ rᵢcⱼ, rounded to powers of two.
///
/// Returns `None` if all unknowns have comparable units, or if the operator does not expose its entries.
pub(crate) fn units(operator: &Operator<'_>) -> Option<[Vec<f64>; 2]> {
    units_from_sizes(operator, &sizes(operator))
}

/// Returns the norms ‖·‖₁ of the rows and columns.
fn sizes(operator: &Operator<'_>) -> [Vec<f64>; 2] {
    let rows = operator.row_sizes(Side::Plain);
    match operator.is_definite_by_construction() {
        true => [rows.clone(), rows],
        false => [rows, operator.row_sizes(Side::Transpose)],
    }
}

/// Computes the result of [`units`] from the norms ‖·‖₁ of the rows and columns.
fn units_from_sizes(operator: &Operator<'_>, sizes: &[Vec<f64>; 2]) -> Option<[Vec<f64>; 2]> {
    if operator.is_diagonal() {
        return None;
    }
    let [rows, columns] = [&sizes[0], &sizes[1]].map(|sizes| reciprocals(sizes));
    // The first spread is that of the column sums after every row has been divided by its own sum. The second
    // is the same quantity for Aᵀ, since the factors also serve to solve with Aᵀ. A symmetric A needs only one.
    let uniform = spread(&magnitudes(operator, Side::Transpose, &rows)) < SPREAD
        && (operator.is_definite_by_construction()
            || spread(&magnitudes(operator, Side::Plain, &columns)) < SPREAD);
    if uniform { None } else { fit(operator) }
}

/// Returns |A| x or |Aᵀ| x, for x ≥ 0.
fn magnitudes(operator: &Operator<'_>, side: Side, x: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; x.len()];
    let n = x.len();
    operator.magnitude_into(
        side,
        MatRef::from_column_major_slice(x, n, 1),
        MatMut::from_column_major_slice_mut(&mut out, n, 1),
    );
    out
}

/// Returns 1/xᵢ for every entry of x, and 1 for entries that are zero, subnormal or not finite.
fn reciprocals(x: &[f64]) -> Vec<f64> {
    // The reciprocal of a subnormal number may overflow. A zero row remains singular under any scaling.
    let reciprocal = |x: &f64| if x.is_normal() { x.recip() } else { 1.0 };
    x.iter().map(reciprocal).collect()
}

/// Returns the ratio of the largest to the smallest positive entry of x.
fn spread(x: &[f64]) -> f64 {
    let positive = || x.iter().filter(|x| **x > 0.0);
    let largest = positive().fold(0.0, |m: f64, x| m.max(*x));
    let smallest = positive().fold(f64::INFINITY, |m: f64, x| m.min(*x));
    largest / smallest
}

/// Fits |aᵢⱼ| ≈ rᵢcⱼ, and returns 1/r and 1/c rounded to powers of two. Scaling by powers of two is exact.
fn fit(operator: &Operator<'_>) -> Option<[Vec<f64>; 2]> {
    let entries = match operator.as_dense() {
        Some(m) => {
            let all = (0..m.ncols()).flat_map(|j| (0..m.nrows()).map(move |i| (i, j)));
            logarithms(all.map(|(i, j)| (i, j, m[(i, j)])))
        }
        None => operator.with_sparse(sparse)?,
    };
    let n = operator.nrows();
    // Minimise Σᵢⱼ wᵢⱼ (log|aᵢⱼ| − ρᵢ − γⱼ)² over ρ = log r and γ = log c. For fixed γ each ρᵢ moves by the
    // weighted mean of the deviations d in its row, and vice versa for γ. The weights w = 1/(1 + (d/SMALL)²)
    // for d < 0 reduce the influence of entries far below their fitted size, which hardly affect the
    // equations. (ρ + t, γ − t) fits as well as (ρ, γ): all row norms then change by the same factor, so that
    // their ratios are unique. If a user changes units, A becomes D₁AD₂, ρ and γ absorb the logarithms of D₁
    // and D₂, and the scaled matrix does not change, except for the rounding to powers of two. A sweep costs
    // O(nnz).
    let mut logs = [vec![0.0; n], vec![0.0; n]];
    for _ in 0..SWEEPS {
        let mut change: f64 = 0.0;
        for side in 0..2 {
            let (mut sums, mut weights) = (vec![0.0; n], vec![0.0; n]);
            for &(i, j, log) in &entries {
                let index = [i, j][side];
                let deviation = log - logs[0][i] - logs[1][j];
                let weight = 1.0 / (1.0 + (deviation.min(0.0) / SMALL).powi(2));
                sums[index] += weight * deviation;
                weights[index] += weight;
            }
            for (log, (sum, weight)) in logs[side].iter_mut().zip(sums.iter().zip(&weights)) {
                let mean = if *weight > 0.0 { sum / weight } else { 0.0 };
                *log += mean;
                change = change.max(mean.abs());
            }
        }
        if change < CONVERGED {
            break;
        }
    }
    Some(logs.map(|logs| logs.iter().map(|log| (-log.round()).exp2()).collect()))
}

/// Returns the triplets (i, j, log₂|aᵢⱼ|) of the nonzero entries of a sparse matrix.
fn sparse(m: SparseColMatRef<'_, usize, f64>) -> Vec<(usize, usize, f64)> {
    logarithms((0..m.ncols()).flat_map(|j| {
        let range = m.symbolic().col_range(j);
        let rows = m.symbolic().row_idx()[range.clone()].iter();
        rows.zip(&m.val()[range]).map(move |(&i, &a)| (i, j, a))
    }))
}

/// Returns the triplets (i, j, log₂|aᵢⱼ|) of the nonzero entries in `entries`.
fn logarithms(entries: impl Iterator<Item = (usize, usize, f64)>) -> Vec<(usize, usize, f64)> {
    let stored = entries.filter(|entry| entry.2 != 0.0);
    stored.map(|(i, j, a)| (i, j, a.abs().log2())).collect()
}
