//! The sizes of equations, in which residuals are judged whatever the units of equations and unknowns.

use faer::sparse::SparseColMatRef;
use faer::{MatMut, MatRef};

use crate::linalg::operator::{Operator, Side, View};

/// Unknowns whose columns differ by less than this, once the rows are scaled, count as given in one unit.
const SPREAD: f64 = 1e6;

/// Most rounds of fitting the units, and the change in powers of two that ends them.
const ROUNDS: usize = 200;
const SETTLED: f64 = 0.05;

/// An entry this many powers of two below its fitted size counts half.
const SMALL: f64 = 20.0;

/// One over the sizes of the equations.
pub(super) struct Scales {
    /// For A, and for Aᵀ.
    pub(super) sides: [Vec<f64>; 2],
    /// Whether unknowns have units of their own.
    pub(super) mixed: bool,
}

/// Measures the equations.
///
/// Sizes are ‖Aᵢ‖₁, which undoes any units of the equations. Where unknowns have units of their own, far apart, that
/// would let the largest entry of a row decide, although the product with its unknown may be modest; then rows and columns
/// are fitted together, |aᵢⱼ| ≈ rᵢcⱼ (the least squares of Curtis & Reid 1972 in logarithms, solved by turns), and the size
/// is Σⱼ|aᵢⱼ|/cⱼ.
pub(super) fn scales(operator: &Operator<'_>) -> Scales {
    let sides = [Side::Plain, Side::Transpose];
    let sizes = sides.map(|side| operator.row_sizes(side));
    let units = units_beside(operator, &sizes);
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

/// 1/r and 1/c with |aᵢⱼ| ≈ rᵢcⱼ, in powers of two; none where all unknowns are in one unit, or entries are not known.
pub(crate) fn units(operator: &Operator<'_>) -> Option<[Vec<f64>; 2]> {
    let sides = [Side::Plain, Side::Transpose];
    units_beside(operator, &sides.map(|side| operator.row_sizes(side)))
}

/// Those of a matrix with these sizes of rows and columns.
fn units_beside(operator: &Operator<'_>, sizes: &[Vec<f64>; 2]) -> Option<[Vec<f64>; 2]> {
    if let View::Identity | View::Diagonal(_) = operator.view() {
        return None;
    }
    let [rows, columns] = [&sizes[0], &sizes[1]].map(|sizes| reciprocals(sizes));
    let one = spread(&magnitudes(operator, Side::Transpose, &rows)) < SPREAD
        && spread(&magnitudes(operator, Side::Plain, &columns)) < SPREAD;
    if one { None } else { fitted(operator) }
}

/// |A| x, or |Aᵀ| x, for x ≥ 0.
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

fn reciprocals(x: &[f64]) -> Vec<f64> {
    let reciprocal = |x: &f64| if x.is_normal() { x.recip() } else { 1.0 };
    x.iter().map(reciprocal).collect()
}

/// The largest of positive numbers over the smallest.
fn spread(x: &[f64]) -> f64 {
    let positive = || x.iter().filter(|x| **x > 0.0);
    let largest = positive().fold(0.0, |m: f64, x| m.max(*x));
    let smallest = positive().fold(f64::INFINITY, |m: f64, x| m.min(*x));
    largest / smallest
}

fn fitted(operator: &Operator<'_>) -> Option<[Vec<f64>; 2]> {
    let entries = match operator.view() {
        View::Dense(m) => {
            let all = (0..m.ncols()).flat_map(|j| (0..m.nrows()).map(move |i| (i, j)));
            logarithms(all.map(|(i, j)| (i, j, m[(i, j)])))
        }
        View::Sparse(m) => sparse(m),
        View::Stencil(stencil) => sparse(stencil.compress().as_ref()),
        _ => return None,
    };
    let n = operator.nrows();
    let mut logs = [vec![0.0; n], vec![0.0; n]];
    for _ in 0..ROUNDS {
        let mut change: f64 = 0.0;
        for side in 0..2 {
            let (mut sums, mut weights) = (vec![0.0; n], vec![0.0; n]);
            for &(i, j, log) in &entries {
                let at = [i, j];
                let gap = log - logs[0][i] - logs[1][j];
                let weight = 1.0 / (1.0 + (gap.min(0.0) / SMALL).powi(2));
                sums[at[side]] += weight * gap;
                weights[at[side]] += weight;
            }
            for (log, (sum, weight)) in logs[side].iter_mut().zip(sums.iter().zip(&weights)) {
                let move_ = if *weight > 0.0 { sum / weight } else { 0.0 };
                *log += move_;
                change = change.max(move_.abs());
            }
        }
        if change < SETTLED {
            break;
        }
    }
    Some(logs.map(|logs| logs.iter().map(|log| (-log.round()).exp2()).collect()))
}

fn sparse(m: SparseColMatRef<'_, usize, f64>) -> Vec<(usize, usize, f64)> {
    logarithms((0..m.ncols()).flat_map(|j| {
        let range = m.symbolic().col_range(j);
        let rows = m.symbolic().row_idx()[range.clone()].iter();
        rows.zip(&m.val()[range]).map(move |(&i, &a)| (i, j, a))
    }))
}

/// The binary logarithms of entries other than zero.
fn logarithms(entries: impl Iterator<Item = (usize, usize, f64)>) -> Vec<(usize, usize, f64)> {
    let stored = entries.filter(|entry| entry.2 != 0.0);
    stored.map(|(i, j, a)| (i, j, a.abs().log2())).collect()
}
