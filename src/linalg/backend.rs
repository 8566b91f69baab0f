//! How A X = B and Aᵀ X = B are solved, for whole batches of columns.

use faer::{MatMut, MatRef};
use rayon::prelude::*;

use super::batch::Batch;
use super::operator::{Operator, Side};
use super::stats::SolveStats;
use crate::check;
use crate::error::{Error, Result};

/// Something that can solve linear systems.
///
/// ```
/// use pullback::{Backend, Cpu, Operator, Side, faer::mat};
/// let cpu = Cpu::default();
/// let a = Operator::dense(mat![[2.0, 1.0], [0.0, 4.0]]);
/// let factor = cpu.factor(a)?;
/// let mut x = mat![[4.0], [8.0]];
/// factor.solve(Side::Plain, x.as_mut())?;
/// assert!((x[(0, 0)] - 1.0).abs() < 1e-15 && (x[(1, 0)] - 2.0).abs() < 1e-15);
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Backend: Sync {
    /// Prepares to solve with `a`, which the factor keeps, for both A and Aᵀ.
    ///
    /// # Errors
    /// A matrix that is not square, has entries that are not finite, or cannot be factorised.
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>>;
}

/// A matrix made ready for solving.
pub trait Factor: Send + Sync {
    /// batch ← A⁻¹ batch, or A⁻ᵀ batch. After an error what is left in the batch means nothing.
    ///
    /// # Errors
    /// [`Error::Singular`] when the answer does not satisfy the equations, whatever
    /// the factorisation said; [`Error::Dimension`] when the rows do not fit.
    fn solve(&self, side: Side, batch: MatMut<'_, f64>) -> Result<SolveStats>;

    /// The same from solutions that are nearly right, one for every column of the batch; direct methods have no use
    /// for them. The answer is as accurate as that of [`solve`](Factor::solve), relative to the batch.
    ///
    /// # Errors
    /// As [`solve`](Factor::solve).
    fn solve_from(
        &self,
        side: Side,
        _near: MatRef<'_, f64>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        self.solve(side, batch)
    }

    /// The same for a batch that may come from another solve and go on to a next one, and need not be on the processor in
    /// between: a backend with an accelerator takes to it what is [here](Batch::Here), and leaves the answer
    /// [there](Batch::There). The answer has the shape of the batch. By default, all is fetched for
    /// [`solve`](Factor::solve).
    ///
    /// # Errors
    /// As [`solve`](Factor::solve); what the accelerator reports.
    fn solve_batch(&self, side: Side, batch: Batch) -> Result<(Batch, SolveStats)> {
        let mut x = batch.fetch()?;
        let stats = self.solve(side, x.as_mut())?;
        Ok((Batch::Here(x), stats))
    }

    /// Says how many columns are to come in all, where they come batch by batch: what pays for many only may then be
    /// done for them although each batch has few. Changes no answer by more than the accuracy of one.
    fn expect(&self, columns: usize) {
        let _ = columns;
    }
}

/// x ← A⁻¹b in so many columns, from what x holds, unless that is nothing, or no number as in memory that a caller left
/// as it was.
pub(crate) fn improve(
    factor: &dyn Factor,
    columns: usize,
    mut b: Vec<f64>,
    x: &mut [f64],
) -> Result<SolveStats> {
    b.swap_with_slice(x);
    let (near, rows) = (b, x.len() / columns);
    let batch = MatMut::from_column_major_slice_mut(x, rows, columns);
    if near.iter().all(|x| x.is_finite()) && near.iter().any(|x| *x != 0.0) {
        let near = MatRef::from_column_major_slice(&near, rows, columns);
        factor.solve_from(Side::Plain, near, batch)
    } else {
        factor.solve(Side::Plain, batch)
    }
}

/// Whether a batch of right-hand sides can be solved for at all.
pub(crate) fn check_batch(batch: MatRef<'_, f64>, rows: usize) -> Result<()> {
    check::length("the right-hand side of a linear solve", batch.nrows(), rows)?;
    let broken = |j: usize| {
        let mut column = batch.col(j).iter().enumerate();
        let (index, &value) = column.find(|(_, x)| !x.is_finite())?;
        Some(Error::NotFinite {
            what: "the right-hand side of a linear solve",
            index,
            value,
        })
    };
    let found = if batch.nrows() * batch.ncols() < MANY {
        (0..batch.ncols()).find_map(broken)
    } else {
        (0..batch.ncols()).into_par_iter().find_map_first(broken)
    };
    found.map_or(Ok(()), Err)
}

/// From so many numbers on, looking at them all takes longer than to wake other threads for it.
const MANY: usize = 1 << 20;

/// Whether there is a solution near by for every column.
pub(crate) fn check_near(near: MatRef<'_, f64>, batch: MatRef<'_, f64>) -> Result<()> {
    let what = "the solutions near those of a linear solve";
    check::length(what, near.nrows(), batch.nrows())?;
    check::length(what, near.ncols(), batch.ncols())
}

/// Beyond this amplification no digit of a solution is left.
pub(crate) const SINGULAR: f64 = 1e14;
