//! Block-diagonal matrices of equal blocks, solved with one factorisation and one batch for all blocks.

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{MatMut, MatRef};

use super::operator::{Operator, Side, fold_into, unfold};
use super::pool::Pool;
use super::{Factor, SolveStats, check_batch, check_guess};
use crate::check;
use crate::error::Result;

/// Factorises a square matrix with `factor`. For a matrix of equal diagonal blocks, only one block is
/// factorised.
///
/// # Errors
/// Fails if the matrix is not square, or if `factor` fails.
pub(crate) fn by_block<'a>(
    a: Operator<'a>,
    factor: impl FnOnce(Operator<'a>) -> Result<Box<dyn Factor + 'a>>,
) -> Result<Box<dyn Factor + 'a>> {
    check::length(
        "the columns of a matrix to solve with",
        a.ncols(),
        a.nrows(),
    )?;
    match a.into_block() {
        Ok((block, count)) => Ok(Box::new(Repeated {
            rows: block.nrows(),
            block: factor(block)?,
            count,
            workspaces: Pool::default(),
        })),
        Err(single) => factor(single),
    }
}

/// Factor of the block-diagonal matrix diag(B, …, B), which needs only the factor of B.
struct Repeated<'a> {
    block: Box<dyn Factor + 'a>,
    /// Number of rows of B.
    rows: usize,
    count: usize,
    /// Buffers for batches whose columns cannot be split into blocks without a copy.
    workspaces: Pool<Vec<f64>>,
}

impl Repeated<'_> {
    /// Calls `work` with a workspace for `columns` columns, viewed as a batch with one column per block of
    /// each column.
    fn with_workspace<R>(&self, columns: usize, work: impl FnOnce(MatMut<'_, f64>) -> R) -> R {
        let (rows, parts) = (self.rows, columns * self.count);
        let fits = |workspace: &Vec<f64>| workspace.len() >= rows * parts;
        // The number of columns is rounded up to a power of two, so that a few workspaces serve batches of
        // all widths.
        let make = || vec![0.0; rows * parts.next_power_of_two()];
        self.workspaces.with(fits, make, |workspace| {
            let folded = &mut workspace[..rows * parts];
            work(MatMut::from_column_major_slice_mut(folded, rows, parts))
        })
    }

    /// Splits every column into its blocks, and applies `solve` to all blocks as the columns of one wider
    /// batch.
    fn fold(
        &self,
        mut batch: MatMut<'_, f64>,
        solve: impl FnOnce(MatMut<'_, f64>) -> Result<SolveStats>,
    ) -> Result<SolveStats> {
        check_batch(batch.rb(), self.rows * self.count)?;
        if self.count == 0 {
            return Ok(SolveStats::default());
        }
        // A contiguous column (x₁, …, xₙ) is stored like the batch of columns x₁, …, xₙ, and needs no copy.
        if batch.ncols() == 1
            && let Some(column) = batch.rb_mut().col_mut(0).try_as_col_major_mut()
        {
            let parts = column.as_slice_mut();
            let parts = MatMut::from_column_major_slice_mut(parts, self.rows, self.count);
            return solve(parts);
        }
        self.with_workspace(batch.ncols(), |mut folded| {
            fold_into(self.count, batch.rb(), folded.rb_mut());
            let stats = solve(folded.rb_mut())?;
            unfold(self.count, folded.rb(), batch);
            Ok(stats)
        })
    }
}

impl Factor for Repeated<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_guess(guess, batch.rb())?;
        let Some(guess) = guess.filter(|_| self.count > 0) else {
            return self.fold(batch, |parts| self.block.solve(side, None, parts));
        };
        self.with_workspace(guess.ncols(), |mut folded| {
            fold_into(self.count, guess, folded.rb_mut());
            self.fold(batch, |parts| {
                self.block.solve(side, Some(folded.rb()), parts)
            })
        })
    }

    fn announce(&self, columns: usize) {
        self.block.announce(columns * self.count);
    }
}
