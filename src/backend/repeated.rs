//! Block-diagonal matrices of equal blocks: one factorisation, and one batch for all blocks.

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{MatMut, MatRef};

use super::{Factor, SolveStats, check_batch, check_near};
use crate::error::Result;
use crate::operator::{Side, fold, unfold};

/// diag(B, …, B), made ready by making B ready.
pub(super) struct Repeated<'a> {
    pub(super) block: Box<dyn Factor + 'a>,
    /// Rows of B.
    pub(super) rows: usize,
    pub(super) count: usize,
}

impl Repeated<'_> {
    /// `solve` on the parts of a batch, as one wider batch.
    fn fold(
        &self,
        mut batch: MatMut<'_, f64>,
        solve: impl FnOnce(MatMut<'_, f64>) -> Result<SolveStats>,
    ) -> Result<SolveStats> {
        check_batch(batch.rb(), self.rows * self.count)?;
        if self.count == 0 {
            return Ok(SolveStats::default());
        }
        if batch.ncols() == 1
            && let Some(column) = batch.rb_mut().col_mut(0).try_as_col_major_mut()
        {
            let parts = column.as_slice_mut();
            let parts = MatMut::from_column_major_slice_mut(parts, self.rows, self.count);
            return solve(parts);
        }
        let mut folded = fold(self.count, batch.rb());
        let stats = solve(folded.as_mut())?;
        unfold(self.count, folded.as_ref(), batch);
        Ok(stats)
    }
}

impl Factor for Repeated<'_> {
    fn solve(&self, side: Side, batch: MatMut<'_, f64>) -> Result<SolveStats> {
        self.fold(batch, |parts| self.block.solve(side, parts))
    }

    fn solve_from(
        &self,
        side: Side,
        near: MatRef<'_, f64>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_near(near, batch.rb())?;
        let near = fold(self.count, near);
        self.fold(batch, |parts| {
            self.block.solve_from(side, near.as_ref(), parts)
        })
    }

    fn expect(&self, columns: usize) {
        self.block.expect(columns * self.count);
    }
}
