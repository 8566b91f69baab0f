//! Block-diagonal matrices of equal blocks: one factorisation, and one batch for all blocks.

use faer::MatMut;
use faer::prelude::{Reborrow, ReborrowMut};

use super::{Factor, SolveStats, check_batch};
use crate::error::Result;
use crate::operator::{Side, fold, unfold};

/// diag(B, …, B), made ready by making B ready.
pub(super) struct Repeated<'a> {
    pub(super) block: Box<dyn Factor + 'a>,
    /// Rows of B.
    pub(super) rows: usize,
    pub(super) count: usize,
}

impl Factor for Repeated<'_> {
    fn solve(&self, side: Side, mut batch: MatMut<'_, f64>) -> Result<SolveStats> {
        check_batch(batch.rb(), self.rows * self.count)?;
        if self.count == 0 {
            return Ok(SolveStats::default());
        }
        if batch.ncols() == 1
            && let Some(column) = batch.rb_mut().col_mut(0).try_as_col_major_mut()
        {
            let parts = column.as_slice_mut();
            let parts = MatMut::from_column_major_slice_mut(parts, self.rows, self.count);
            return self.block.solve(side, parts);
        }
        let mut folded = fold(self.count, batch.rb());
        let stats = self.block.solve(side, folded.as_mut())?;
        unfold(self.count, folded.as_ref(), batch);
        Ok(stats)
    }
}
