//! LU of general sparse matrices: without pivoting where that is safe, and with it elsewhere.

use std::sync::Arc;

use faer::MatMut;
use faer::dyn_stack::{MemStack, StackReq};
use faer::sparse::SparseColMat;

use super::analyses::{Analyses, Matrix};
use super::cholesky::Order;
use super::multifrontal::{Multifrontal, Symbolic};
use super::pivoted_lu::{LuAnalysis, SparseLu};
use crate::error::Result;
use crate::linalg::Method;
use crate::linalg::cpu::checked::{Direct, InUnits, units};
use crate::linalg::memory::Budget;
use crate::linalg::operator::{Operator, Side, View};

/// A diagonal that is smaller than the rest of its column by this share still dominates: sums are rounded.
const ROUNDING: f64 = 1e-12;

/// Symbolic analyses for both ways.
#[derive(Default)]
pub(crate) struct GeneralAnalyses {
    pivoting: Analyses<LuAnalysis>,
    /// None for patterns that are not symmetric. Those by minimum degree, and those in an order that was given: bits must
    /// not depend on what was solved before.
    dominant: [Analyses<Option<Arc<Symbolic>>>; 2],
}

/// Factorises, without pivoting if the pattern is symmetric and the diagonal dominates the columns or the rows: then
/// no pivot is small beside its column, or row, and no entry grows more than twofold (Wilkinson; Higham, Accuracy and
/// Stability of Numerical Algorithms, theorem 9.9).
///
/// The order of elimination is for that way, minimum degree where there is none.
pub(crate) fn factorise<'a, 'm>(
    a: impl Into<Matrix<'m>>,
    analyses: &'a GeneralAnalyses,
    order: Order<'_>,
    budget: Budget,
) -> Result<Box<dyn Direct + 'a>> {
    let a = a.into();
    let known = &analyses.dominant[usize::from(order.is_some())];
    if let Some(side) = dominated(a)
        && let Some(lu) = Multifrontal::new(a, side, known, order, budget)?
    {
        return Ok(Box::new(Fallible {
            first: lu,
            analyses,
            budget,
        }));
    }
    Ok(Box::new(Fallible {
        first: with_pivoting(a, analyses, budget)?,
        analyses,
        budget,
    }))
}

/// Factorises a symmetric M-matrix by the sums of its rows, in this order; None if a pivot vanishes.
pub(crate) fn by_sums<'m>(
    (a, sums): (impl Into<Matrix<'m>>, &[f64]),
    analyses: &GeneralAnalyses,
    order: &dyn Fn() -> Vec<usize>,
    budget: Budget,
) -> Result<Option<Multifrontal>> {
    Multifrontal::with_sums((a.into(), sums), &analyses.dominant[1], order, budget)
}

pub(crate) fn with_pivoting<'m>(
    a: impl Into<Matrix<'m>>,
    analyses: &GeneralAnalyses,
    budget: Budget,
) -> Result<Box<dyn Direct>> {
    Ok(Box::new(SparseLu::new(
        a.into(),
        &analyses.pivoting,
        budget,
    )?))
}

/// LU with pivoting once more: in fitting units where unknowns have some of their own, and as it is if `always`.
fn pivoting(
    matrix: &Operator<'_>,
    (analyses, budget): (&GeneralAnalyses, Budget),
    always: bool,
) -> Option<Box<dyn Direct>> {
    let lu = |a: &SparseColMat<usize, f64>| with_pivoting(a.as_ref(), analyses, budget).ok();
    let mut copy = match matrix.view() {
        View::Sparse(a) => SparseColMat::new(a.symbolic().to_owned().ok()?, a.val().to_vec()),
        View::Stencil(stencil) => stencil.compress(),
        _ => return None,
    };
    let Some(units) = units(matrix) else {
        return always.then(|| lu(&copy)).flatten();
    };
    let (symbolic, values) = copy.parts_mut();
    for j in 0..symbolic.ncols() {
        for k in symbolic.col_range(j) {
            values[k] *= units[0][symbolic.row_idx()[k]] * units[1][j];
        }
    }
    let direct = lu(&copy)?;
    Some(Box::new(InUnits { direct, units }))
}

/// LU, and what is needed to pivot after all, or in other units.
struct Fallible<'a, D> {
    first: D,
    analyses: &'a GeneralAnalyses,
    budget: Budget,
}

impl<D: Direct> Direct for Fallible<'_, D> {
    fn method(&self) -> Method {
        self.first.method()
    }

    fn bytes(&self) -> usize {
        self.first.bytes()
    }

    fn scratch(&self, columns: usize) -> StackReq {
        self.first.scratch(columns)
    }

    fn solve(&self, side: Side, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        self.first.solve(side, batch, stack);
    }

    fn safer(&self, matrix: &Operator<'_>) -> Option<Box<dyn Direct>> {
        let pivoted = self.method() == Method::SparseLu;
        pivoting(matrix, (self.analyses, self.budget), !pivoted)
    }
}

/// The side whose columns are dominated by the diagonal, if there is one.
fn dominated(a: Matrix<'_>) -> Option<Side> {
    let n = a.size();
    let mut diagonal = vec![0.0; n];
    // Of the columns, and of the rows.
    let mut others = [vec![0.0; n], vec![0.0; n]];
    for j in 0..n {
        for k in a.symbolic().col_range(j) {
            let (i, value) = (a.symbolic().row_idx()[k], a.values()[k]);
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

#[cfg(test)]
mod tests {
    use faer::sparse::Triplet;

    use super::*;

    fn matrix(rows: &[&[f64]]) -> SparseColMat<usize, f64> {
        let entries = rows.iter().enumerate().flat_map(|(i, row)| {
            let row = row.iter().enumerate().filter(|(_, v)| **v != 0.0);
            row.map(move |(j, v)| Triplet::new(i, j, *v))
        });
        let entries: Vec<_> = entries.collect();
        SparseColMat::try_new_from_triplets(rows.len(), rows.len(), &entries).unwrap()
    }

    #[test]
    fn a_diagonal_dominates_columns_or_rows_or_neither() {
        let columns = matrix(&[&[2.0, 3.0], &[-2.0, -3.0]]);
        let rows = matrix(&[&[2.0, -2.0], &[3.0, 3.0]]);
        let neither = matrix(&[&[2.0, 3.0], &[3.0, 2.0]]);
        assert_eq!(dominated(columns.as_ref().into()), Some(Side::Plain));
        assert_eq!(dominated(rows.as_ref().into()), Some(Side::Transpose));
        assert_eq!(dominated(neither.as_ref().into()), None);
    }

    #[test]
    fn pivoting_is_left_out_only_where_it_may_be() {
        let without = |rows: &[&[f64]]| {
            let (a, analyses) = (matrix(rows), Analyses::default());
            let side = dominated(a.as_ref().into()).unwrap();
            let lu = Multifrontal::new(a.as_ref().into(), side, &analyses, None, Budget::UNLIMITED)
                .unwrap();
            lu.is_some()
        };
        assert!(without(&[&[2.0, 1.0], &[-1.0, 3.0]]));
        assert!(!without(&[&[2.0, 1.0], &[0.0, 3.0]]), "half a pattern");
        assert!(!without(&[&[1.0, -1.0], &[-1.0, 1.0]]), "a singular matrix");
        assert!(!without(&[&[0.0, 0.0], &[0.0, 1.0]]), "an empty column");
    }
}
