//! LU of general sparse matrices: without pivoting if that is provably stable, else with partial pivoting.

use std::sync::Arc;

use faer::MatMut;
use faer::dyn_stack::{MemStack, StackReq};
use faer::sparse::{SparseColMat, SparseColMatRef};

use super::Order;
use super::analyses::{Analyses, Matrix};
use super::multifrontal::{Multifrontal, Symbolic};
use super::pivoted_lu::{LuAnalysis, SparseLu};
use crate::error::Result;
use crate::linalg::Method;
use crate::linalg::cpu::checked::{Direct, InUnits, units};
use crate::linalg::memory::Budget;
use crate::linalg::operator::{Operator, Side};

/// Relative tolerance of the test for diagonal dominance. The tolerance absorbs the rounding errors of the sums.
const ROUNDING: f64 = 1e-12;

/// Symbolic analyses of LU with and without pivoting.
#[derive(Default)]
pub(crate) struct GeneralAnalyses {
    pivoting: Analyses<LuAnalysis>,
    /// Analyses without pivoting: under minimum degree (index 0) and under a prescribed order (index 1). Separate
    /// caches keep results independent of earlier solves. The analysis is `None` for patterns that are not symmetric.
    dominant: [Analyses<Option<Arc<Symbolic>>>; 2],
}

/// Factorises A, without pivoting if its pattern is symmetric and it is diagonally dominant by columns or by
/// rows.
///
/// Under such dominance no pivot is small relative to its column (or row), and no entry grows more than twofold
/// (Wilkinson; Higham, Accuracy and Stability of Numerical Algorithms, theorem 9.9).
///
/// `order` is the elimination order for LU without pivoting; `None` selects minimum degree.
pub(crate) fn factorise<'a, 'm>(
    a: impl Into<Matrix<'m>>,
    analyses: &'a GeneralAnalyses,
    order: Order<'_>,
    budget: Budget,
) -> Result<Box<dyn Direct + 'a>> {
    let a = a.into();
    // No pivoting is needed for the following reason. Let |aⱼⱼ| ≥ Σ_{i≠j} |aᵢⱼ| in every column, and
    // eliminate the first unknown. The multipliers satisfy Σ_{i>1} |lᵢ₁| ≤ 1. In column j the off-diagonal
    // moduli of aᵢⱼ − lᵢ₁a₁ⱼ sum to at most
    // (|aⱼⱼ| − |a₁ⱼ|) + |a₁ⱼ|(1 − |lⱼ₁|) = |aⱼⱼ| − |lⱼ₁a₁ⱼ| ≤ |aⱼⱼ − lⱼ₁a₁ⱼ|. So the Schur complement is
    // diagonally dominant as well, and by the same estimate no column sum of moduli grows. Initially these
    // sums are at most 2|aⱼⱼ|, which bounds the growth of entries by 2. If the rows are dominant, the
    // argument applies to Aᵀ, which is then factorised instead of A.
    let cache = &analyses.dominant[usize::from(order.is_some())];
    let dominant = match dominated(a) {
        Some(side) => Multifrontal::new(a, side, cache, order, budget)?,
        None => None,
    };
    let first: Box<dyn Direct> = match dominant {
        Some(lu) => Box::new(lu),
        None => with_pivoting(a, analyses, budget)?,
    };
    Ok(Box::new(WithFallback {
        first,
        analyses,
        budget,
    }))
}

/// Factorises a symmetric M-matrix A with given row sums A·1 in a prescribed order. Returns `None` if a pivot vanishes.
pub(crate) fn by_sums<'m>(
    (a, sums): (impl Into<Matrix<'m>>, &[f64]),
    analyses: &GeneralAnalyses,
    order: &dyn Fn() -> Vec<usize>,
    budget: Budget,
) -> Result<Option<Multifrontal>> {
    Multifrontal::with_sums((a.into(), sums), &analyses.dominant[1], order, budget)
}

/// Factorises A by LU with partial pivoting.
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

/// Factorises the scaled matrix R A C with partial pivoting, for a matrix A in badly scaled units.
///
/// If no scaling is needed, factorises A itself if `unscaled` is true, and returns `None` otherwise.
fn fallback(
    matrix: &Operator<'_>,
    (analyses, budget): (&GeneralAnalyses, Budget),
    unscaled: bool,
) -> Option<Box<dyn Direct>> {
    let lu = |a: &SparseColMat<usize, f64>| with_pivoting(a.as_ref(), analyses, budget).ok();
    let copy = |a: SparseColMatRef<'_, usize, f64>| {
        let structure = a.symbolic().to_owned().ok()?;
        Some(SparseColMat::new(structure, a.val().to_vec()))
    };
    let mut copy = matrix.with_sparse(copy)??;
    let Some(units) = units(matrix) else {
        return unscaled.then(|| lu(&copy)).flatten();
    };
    let (symbolic, values) = copy.parts_mut();
    for j in 0..symbolic.ncols() {
        for k in symbolic.col_range(j) {
            // The factors are powers of two, so that the scaling is exact unless an entry leaves the range of
            // f64.
            values[k] *= units[0][symbolic.row_idx()[k]] * units[1][j];
        }
    }
    let direct = lu(&copy)?;
    Some(Box::new(InUnits { direct, units }))
}

/// LU factorisation whose fallback uses partial pivoting, and scales rows and columns if necessary.
struct WithFallback<'a> {
    first: Box<dyn Direct>,
    analyses: &'a GeneralAnalyses,
    budget: Budget,
}

impl Direct for WithFallback<'_> {
    fn method(&self) -> Method {
        self.first.method()
    }

    fn bytes(&self) -> usize {
        self.first.bytes()
    }

    fn shared_work(&self) -> usize {
        self.first.shared_work()
    }

    fn scratch(&self, columns: usize) -> StackReq {
        self.first.scratch(columns)
    }

    fn solve(&self, side: Side, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        self.first.solve(side, batch, stack);
    }

    fn safer(&self, matrix: &Operator<'_>) -> Option<Box<dyn Direct>> {
        // A second LU of the unscaled matrix only helps if the first one did not pivot.
        let pivoted = self.method() == Method::SparseLu;
        fallback(matrix, (self.analyses, self.budget), !pivoted)
    }
}

/// Returns `Plain` if |aⱼⱼ| ≥ Σ_{i≠j} |aᵢⱼ| in every column j of A up to rounding, or `Transpose` if this
/// holds for Aᵀ.
pub(super) fn dominated(a: Matrix<'_>) -> Option<Side> {
    let n = a.size();
    let mut diagonal = vec![0.0; n];
    // Sums of off-diagonal moduli, by column and by row. A sum of m terms has a relative error below m ε, so
    // that the tolerance covers about 4500 entries per column.
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
    // Columns of a generator sum to zero in exact arithmetic. Its diagonal then equals the sum of the other
    // moduli, and rounding errors decide which is larger.
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
