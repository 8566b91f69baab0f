//! Sparse LU of matrices that share one pattern, whose factors replace each other.

use std::sync::{Arc, OnceLock};

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::sparse::linalg::lu::{LuRef, NumericLu, SymbolicLu, factorize_symbolic_lu};
use faer::sparse::{SparseColMatRef, SymbolicSparseColMat};
use faer::{Conj, MatMut, Par};

use super::analyses::{Analyses, Matrix};
use super::lu::dominated;
use super::multifrontal::{Multifrontal, Symbolic};
use crate::linalg::cpu::checked::Direct;
use crate::linalg::memory::Budget;
use crate::linalg::operator::Side;
use crate::linalg::pool::Pool;

/// Number of columns of every batched solve. The last bits depend on it, but not on the place of a column.
const WIDTH: usize = 8;

/// Pattern of matrices, with its symbolic analyses and the memory of solves.
pub(crate) struct LuPlan {
    structure: Arc<SymbolicSparseColMat<usize>>,
    dominant: Analyses<Option<Arc<Symbolic>>>,
    /// Made at the first matrix that needs pivots. None without memory.
    pivoting: OnceLock<Option<SymbolicLu<usize>>>,
    workspaces: Pool<Workspace>,
}

/// Factors of a matrix, which may be replaced by those of others with the same pattern.
///
/// LU does not pivot if the pattern is symmetric and the matrix is diagonally dominant by columns or by rows. All other matrices
/// are factorised with partial pivoting.
pub(crate) struct ReusedLu {
    plan: Arc<LuPlan>,
    /// Factors without pivoting, if the matrix is dominant.
    dominant: Option<Multifrontal>,
    numeric: NumericLu<usize, f64>,
}

/// Memory of a solve.
struct Workspace {
    bytes: usize,
    stack: MemBuffer,
    /// A batch of `WIDTH` columns, by rows.
    batch: Vec<f64>,
}

impl LuPlan {
    /// Plans the factorisations of square matrices.
    pub(crate) fn new(structure: SymbolicSparseColMat<usize>) -> Self {
        Self {
            structure: Arc::new(structure),
            dominant: Analyses::default(),
            pivoting: OnceLock::new(),
            workspaces: Pool::default(),
        }
    }

    /// Returns the analysis for partial pivoting.
    fn pivoting(&self) -> Option<&SymbolicLu<usize>> {
        let analyse = || factorize_symbolic_lu((*self.structure).as_ref(), Default::default()).ok();
        self.pivoting.get_or_init(analyse).as_ref()
    }

    /// Calls `work` with memory for this request and a batch.
    fn with_workspace(&self, request: StackReq, work: impl FnOnce(&mut Workspace)) {
        let bytes = request.unaligned_bytes_required();
        let make = || Workspace {
            bytes,
            stack: MemBuffer::new(request),
            batch: vec![0.0; WIDTH * self.structure.ncols()],
        };
        self.workspaces.with(|w| w.bytes >= bytes, make, work);
    }
}

impl ReusedLu {
    /// Creates factors that are still to be set.
    pub(crate) fn new(plan: &Arc<LuPlan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            dominant: None,
            numeric: NumericLu::new(),
        }
    }

    /// Factorises the matrix with these values. Returns whether that succeeds: the matrix is regular, and there is memory.
    pub(crate) fn set(&mut self, values: &[f64]) -> bool {
        let plan = Arc::clone(&self.plan);
        let view = SparseColMatRef::new((*plan.structure).as_ref(), values);
        let matrix = Matrix::new(view, Some(&plan.structure));
        // The memory of the last factors serves the new ones.
        self.dominant = None;
        if let Some(side) = dominated(matrix) {
            let budget = Budget::new(None);
            let lu = Multifrontal::new(matrix, side, &plan.dominant, None, budget);
            self.dominant = lu.ok().flatten();
        }
        if self.dominant.is_none() && !self.pivot(view) {
            return false;
        }
        // A pivot of zero makes a solution infinite, or not a number.
        let mut x = vec![1.0; view.ncols()];
        self.solve_one(Side::Plain, &mut x);
        x.iter().all(|x| x.is_finite())
    }

    /// Factorises a matrix with partial pivoting. Returns whether that succeeds.
    fn pivot(&mut self, a: SparseColMatRef<'_, usize, f64>) -> bool {
        let Some(lu) = self.plan.pivoting() else {
            return false;
        };
        let scratch = lu.factorize_numeric_lu_scratch::<f64>(Par::Seq, Default::default());
        let Ok(mut memory) = MemBuffer::try_new(scratch) else {
            return false;
        };
        let stack = MemStack::new(&mut memory);
        let parameters = Default::default();
        lu.factorize_numeric_lu(&mut self.numeric, a, Par::Seq, stack, parameters)
            .is_ok()
    }

    /// Solves for a batch, which stands row by row. The bits of a column do not depend on the other columns.
    pub(crate) fn solve<const L: usize>(&self, side: Side, x: &mut [[f64; L]]) {
        const { assert!(L <= WIDTH) };
        let request = self.scratch(WIDTH);
        self.plan.with_workspace(request, |workspace| {
            let Workspace { stack, batch, .. } = workspace;
            for (row, x) in batch.chunks_exact_mut(WIDTH).zip(&*x) {
                row[..L].copy_from_slice(x);
                row[L..].fill(0.0);
            }
            let columns = MatMut::from_row_major_slice_mut(batch, x.len(), WIDTH);
            self.solve_columns(side, columns, stack);
            for (row, x) in batch.chunks_exact(WIDTH).zip(x) {
                x.copy_from_slice(&row[..L]);
            }
        });
    }

    /// Solves for one column, in less time than as a batch. The last bits may differ from those of a batch.
    pub(crate) fn solve_one(&self, side: Side, x: &mut [f64]) {
        self.plan.with_workspace(self.scratch(1), |workspace| {
            let n = x.len();
            let column = MatMut::from_column_major_slice_mut(x, n, 1);
            self.solve_columns(side, column, &mut workspace.stack);
        });
    }

    fn scratch(&self, columns: usize) -> StackReq {
        match (&self.dominant, self.plan.pivoting.get()) {
            (Some(lu), _) => lu.scratch(columns),
            (None, Some(Some(lu))) => {
                let plain = lu.solve_in_place_scratch::<f64>(columns, Par::Seq);
                plain.or(lu.solve_transpose_in_place_scratch::<f64>(columns, Par::Seq))
            }
            _ => StackReq::EMPTY,
        }
    }

    fn solve_columns(&self, side: Side, batch: MatMut<'_, f64>, stack: &mut MemBuffer) {
        let stack = MemStack::new(stack);
        if let Some(lu) = &self.dominant {
            lu.solve(side, batch, stack);
        } else if let Some(symbolic) = self.plan.pivoting() {
            let lu = LuRef::new_unchecked(symbolic, &self.numeric);
            match side {
                Side::Plain => lu.solve_in_place_with_conj(Conj::No, batch, Par::Seq, stack),
                Side::Transpose => {
                    lu.solve_transpose_in_place_with_conj(Conj::No, batch, Par::Seq, stack);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    /// Two species on a grid of m² cells that diffuse and react: the pattern, and values with or without dominance.
    fn reaction(m: usize, dominant: bool) -> (SymbolicSparseColMat<usize>, Vec<f64>) {
        let at = |[x, y]: [usize; 2], s: usize| (x * m + y) * 2 + s;
        let (mut pointers, mut rows, mut values) = (vec![0], Vec::new(), Vec::new());
        for (x, y, s) in (0..2 * m * m).map(|i| (i / 2 / m, i / 2 % m, i % 2)) {
            let first = rows.len();
            let beside = [
                [x.wrapping_sub(1), y],
                [x + 1, y],
                [x, y.wrapping_sub(1)],
                [x, y + 1],
            ];
            let inside = beside.into_iter().filter(|[x, y]| *x < m && *y < m);
            rows.extend(inside.map(|cell| at(cell, s)));
            rows.extend([at([x, y], 0), at([x, y], 1)]);
            rows[first..].sort_unstable();
            let own = if dominant { 8.0 } else { -0.3 };
            let value = |&row: &usize| if row == at([x, y], s) { own } else { -1.1 };
            values.extend(rows[first..].iter().map(value));
            pointers.push(rows.len());
        }
        let n = pointers.len() - 1;
        let structure = SymbolicSparseColMat::new_checked(n, n, pointers, None, rows);
        (structure, values)
    }

    /// Returns the largest entry of |A x − b| or |Aᵀx − b| in a column.
    fn residual(a: SparseColMatRef<'_, usize, f64>, side: Side, x: &[f64], b: &[f64]) -> f64 {
        let mut gap = b.to_vec();
        for j in 0..a.ncols() {
            for (&i, value) in a.symbolic().row_idx()[a.symbolic().col_range(j)]
                .iter()
                .zip(&a.val()[a.symbolic().col_range(j)])
            {
                match side {
                    Side::Plain => gap[i] -= value * x[j],
                    Side::Transpose => gap[j] -= value * x[i],
                }
            }
        }
        gap.iter().fold(0.0, |most, g| most.max(g.abs()))
    }

    #[test]
    fn large_systems_are_solved_with_the_same_bits_for_any_number_of_columns() {
        // faer's own bits depend on the number of columns from about this size on.
        let m = 64;
        let (structure, dominant) = reaction(m, true);
        let pivoted = reaction(m, false).1;
        let plan = Arc::new(LuPlan::new(structure));
        let mut lu = ReusedLu::new(&plan);
        for (values, without_pivots) in [(&dominant, true), (&pivoted, false), (&dominant, true)] {
            assert!(lu.set(values));
            assert_eq!(lu.dominant.is_some(), without_pivots);
            let a = SparseColMatRef::new((*plan.structure).as_ref(), values);
            for side in [Side::Plain, Side::Transpose] {
                let numbers = random::normal(8 * a.ncols(), 1, 1);
                let b: &[[f64; 8]] = numbers.as_chunks().0;
                let column = |lane: usize| -> Vec<f64> { b.iter().map(|b| b[lane]).collect() };
                let mut x = b.to_vec();
                lu.solve(side, &mut x);
                let mut four: Vec<[f64; 4]> = b.iter().map(|b| [b[2], b[7], b[0], b[4]]).collect();
                lu.solve(side, &mut four);
                let mut one: Vec<[f64; 1]> = b.iter().map(|b| [b[7]]).collect();
                lu.solve(side, &mut one);
                for ((x, four), one) in x.iter().zip(&four).zip(&one) {
                    let bits = [x[2], x[7], x[0], x[4]].map(f64::to_bits);
                    assert_eq!(four.map(f64::to_bits), bits);
                    assert_eq!(one[0].to_bits(), bits[1]);
                }
                let mut quick = column(7);
                lu.solve_one(side, &mut quick);
                let size = quick.iter().fold(1.0_f64, |size, x| size.max(x.abs()));
                assert!(residual(a, side, &quick, &column(7)) < 1e-12 * size);
                let batched: Vec<f64> = x.iter().map(|x| x[7]).collect();
                assert!(residual(a, side, &batched, &column(7)) < 1e-12 * size);
            }
        }
    }
}
