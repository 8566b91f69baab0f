//! LU of general sparse matrices: without pivoting where that is safe, and with it elsewhere.

use std::sync::Arc;

use faer::MatMut;
use faer::sparse::SparseColMatRef;
use faer::sparse::linalg::lu::SymbolicLu;

use super::analyses::Analyses;
use super::checked::Direct;
use super::multifrontal::{Multifrontal, Symbolic};
use super::sparse::SparseLu;
use crate::error::Result;
use crate::operator::{Operator, Side, View};

type Matrix<'a> = SparseColMatRef<'a, usize, f64>;

/// A diagonal that is smaller than the rest of its column by this share still dominates: sums are rounded.
const ROUNDING: f64 = 1e-12;

/// Symbolic analyses for both ways.
#[derive(Default)]
pub(super) struct GeneralAnalyses {
    pivoting: Analyses<SymbolicLu<usize>>,
    /// None for patterns that are not symmetric. Those by minimum degree, and those in an order that was given: bits must
    /// not depend on what was solved before.
    dominant: [Analyses<Option<Arc<Symbolic>>>; 2],
}

/// Factorises, without pivoting if the pattern is symmetric and the diagonal dominates the columns or the rows: then
/// no pivot is small beside its column, or row, and no entry grows more than twofold (Wilkinson; Higham, Accuracy and
/// Stability of Numerical Algorithms, theorem 9.9).
///
/// The order of elimination is for that way, minimum degree where there is none.
pub(super) fn factorise<'a>(
    a: Matrix<'_>,
    analyses: &'a GeneralAnalyses,
    order: Option<&[usize]>,
) -> Result<Box<dyn Direct + 'a>> {
    let known = &analyses.dominant[usize::from(order.is_some())];
    if let Some(side) = dominated(a)
        && let Some(lu) = Multifrontal::new(a, side, known, order)?
    {
        return Ok(Box::new(Dominant { lu, analyses }));
    }
    with_pivoting(a, analyses)
}

pub(super) fn with_pivoting(a: Matrix<'_>, analyses: &GeneralAnalyses) -> Result<Box<dyn Direct>> {
    Ok(Box::new(SparseLu::new(a, &analyses.pivoting)?))
}

/// The side whose columns are dominated by the diagonal, if there is one.
fn dominated(a: Matrix<'_>) -> Option<Side> {
    let n = a.ncols();
    let mut diagonal = vec![0.0; n];
    // Of the columns, and of the rows.
    let mut others = [vec![0.0; n], vec![0.0; n]];
    for j in 0..n {
        for k in a.symbolic().col_range(j) {
            let (i, value) = (a.symbolic().row_idx()[k], a.val()[k]);
            if i == j {
                diagonal[j] += value;
            } else {
                others[0][j] += value.abs();
                others[1][i] += value.abs();
            }
        }
    }
    let sides = [Side::Plain, Side::Transpose].into_iter().zip(&others);
    let dominates = |others: &[f64]| {
        let mut pairs = diagonal.iter().zip(others);
        pairs.all(|(d, o)| *o <= d.abs() * (1.0 + ROUNDING))
    };
    sides
        .into_iter()
        .find_map(|(side, others)| dominates(others).then_some(side))
}

/// LU without pivoting, and what is needed to pivot after all.
struct Dominant<'a> {
    lu: Multifrontal,
    analyses: &'a GeneralAnalyses,
}

impl Direct for Dominant<'_> {
    fn solve(&self, side: Side, batch: MatMut<'_, f64>) {
        self.lu.solve(side, batch);
    }

    fn safer(&self, matrix: &Operator<'_>) -> Option<Box<dyn Direct>> {
        match matrix.view() {
            View::Sparse(a) => with_pivoting(a, self.analyses).ok(),
            View::Stencil(stencil) => {
                with_pivoting(stencil.compress().as_ref(), self.analyses).ok()
            }
            _ => None,
        }
    }
}
