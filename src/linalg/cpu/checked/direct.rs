//! Interface of direct solvers.

use faer::MatMut;
use faer::dyn_stack::{MemStack, StackReq};

use crate::linalg::Method;
use crate::linalg::operator::{Operator, Side};

/// Direct solver whose solutions are not yet verified.
pub(crate) trait Direct: Send + Sync {
    /// Returns the method of the solver, for statistics.
    fn method(&self) -> Method;

    /// Returns the size of the factors in bytes.
    fn bytes(&self) -> usize;

    /// Returns the scratch memory that a solve with `columns` columns requires.
    fn scratch(&self, columns: usize) -> StackReq;

    /// Computes batch ← A⁻¹ batch or A⁻ᵀ batch, without allocations.
    fn solve(&self, side: Side, batch: MatMut<'_, f64>, stack: &mut MemStack);

    /// Returns the number of multiplications per column that threads can share.
    fn shared_work(&self) -> usize {
        0
    }

    /// Builds a slower and more stable solver for the same matrix. Returns `None` if there is no such
    /// solver or its setup fails.
    fn safer(&self, _matrix: &Operator<'_>) -> Option<Box<dyn Direct>> {
        None
    }
}

impl<D: Direct + ?Sized> Direct for Box<D> {
    fn method(&self) -> Method {
        (**self).method()
    }

    fn bytes(&self) -> usize {
        (**self).bytes()
    }

    fn scratch(&self, columns: usize) -> StackReq {
        (**self).scratch(columns)
    }

    fn solve(&self, side: Side, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        (**self).solve(side, batch, stack);
    }

    fn shared_work(&self) -> usize {
        (**self).shared_work()
    }

    fn safer(&self, matrix: &Operator<'_>) -> Option<Box<dyn Direct>> {
        (**self).safer(matrix)
    }
}
