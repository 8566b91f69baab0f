//! Factorisation of a matrix after row and column scaling.

use faer::MatMut;
use faer::dyn_stack::{MemStack, StackReq};

use super::Direct;
use crate::linalg::Method;
use crate::linalg::operator::Side;

/// Solver for A that uses a factorisation of the scaled matrix R A C, with diagonal R and C.
pub(crate) struct InUnits {
    /// Factorisation of R A C.
    pub(crate) direct: Box<dyn Direct>,
    /// Diagonals of the scaling matrices R and C.
    pub(crate) units: [Vec<f64>; 2],
}

impl Direct for InUnits {
    fn method(&self) -> Method {
        self.direct.method()
    }

    fn bytes(&self) -> usize {
        let [rows, columns] = &self.units;
        self.direct.bytes() + size_of_val(&**rows) + size_of_val(&**columns)
    }

    fn shared_work(&self) -> usize {
        self.direct.shared_work()
    }

    fn scratch(&self, columns: usize) -> StackReq {
        self.direct.scratch(columns)
    }

    /// Applies A⁻¹ = C (R A C)⁻¹ R or A⁻ᵀ = R (R A C)⁻ᵀ C.
    fn solve(&self, side: Side, mut batch: MatMut<'_, f64>, stack: &mut MemStack) {
        // A x = b means (R A C)(C⁻¹x) = R b. R and C are powers of two, so that scaling causes no rounding
        // errors, although it may change the pivots. A solution outside the range of f64 becomes ∞ and is
        // refused by the check.
        let [rows, columns] = &self.units;
        let (first, last) = match side {
            Side::Plain => (rows, columns),
            Side::Transpose => (columns, rows),
        };
        scale(batch.as_mut(), first);
        self.direct.solve(side, batch.as_mut(), stack);
        scale(batch, last);
    }
}

/// Computes batch ← diag(units) batch.
fn scale(batch: MatMut<'_, f64>, units: &[f64]) {
    for column in batch.col_iter_mut() {
        column.iter_mut().zip(units).for_each(|(x, u)| *x *= u);
    }
}
