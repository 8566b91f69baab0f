//! Zᵀ W for columns that are made a block at a time, solved for, contracted and forgotten.
//!
//! Probes are lowered by the metric, tangents are weighted by it, rows of an observation are picked one by one: all
//! these are k × m matrices of which nobody needs more than what Zᵀ makes of them, p × m numbers. So they go through
//! in blocks: k × [`WIDTH`] numbers stay in memory, however many columns there are.

use std::ops::Range;

use faer::prelude::ReborrowMut;
use faer::{Mat, MatMut, MatRef};

use super::Linearisation;
use crate::check;
use crate::error::Result;
use crate::linalg::Side;
use crate::linalg::{Batch, Factor, check_shape};

/// Columns that the solvers see together: enough for their lanes and for many threads. Fixed, so that results do not
/// depend on the number of threads.
const WIDTH: usize = 64;

/// 0..columns, cut into blocks of this width. The last is up to twice as wide, for a few columns alone would cost nearly
/// as much as a block.
fn cut(columns: usize, width: usize) -> impl Iterator<Item = Range<usize>> {
    let count = (columns / width).max(1);
    (0..count).map(move |block| {
        let end = (block + 1) * width;
        block * width..if block + 1 == count { columns } else { end }
    })
}

/// 0..columns in blocks, for work on columns of the length of a state that need not all be there at once.
pub(crate) fn blocks(columns: usize) -> impl Iterator<Item = Range<usize>> {
    cut(columns, WIDTH)
}

impl Linearisation<'_> {
    /// Zᵀ W for W = `[make(0..n) | make(n..) | …]`, one transposed solve a column.
    ///
    /// What a backend keeps stays there through solve and contraction. Where A is repeated, a column is as many for the
    /// solver as there are copies, and a block so much narrower.
    ///
    /// # Errors
    /// As for [`adjoint`](Self::adjoint), and those of `make`.
    pub(crate) fn pull(
        &self,
        columns: usize,
        mut make: impl FnMut(Range<usize>) -> Result<Batch>,
    ) -> Result<Mat<f64>> {
        let mut out = Mat::zeros(self.param_dim(), columns);
        if let Some(factor) = &self.factor {
            factor.announce(columns);
        }
        for block in cut(columns, WIDTH.div_ceil(self.copies)) {
            let mut lambda = make(block.clone())?;
            self.check_adjoint(lambda.nrows())?;
            check::length(
                "the columns of an adjoint batch",
                lambda.ncols(),
                block.len(),
            )?;
            if let Some(factor) = &self.factor {
                self.count(Side::Transpose, lambda.ncols());
                lambda = self.solve_batch(factor.as_ref(), Side::Transpose, lambda)?;
            }
            let pulled = out.as_mut().subcols_mut(block.start, block.len());
            self.contract_batch(lambda, pulled)?;
        }
        Ok(out)
    }

    /// A⁻¹B or A⁻ᵀB, beside which that of the probe may stand as one more column.
    fn solve_batch(&self, factor: &dyn Factor, side: Side, mut b: Batch) -> Result<Batch> {
        let mut first = !self.probed();
        match &mut b {
            Batch::Here(b) if first => self.add_probe(side, b),
            // It is not worth the way back to put the probe beside it.
            Batch::There(_) if first => {
                let mut probe = Mat::zeros(self.state_dim(), 0);
                self.add_probe(side, &mut probe);
                let (_, stats) = factor.solve_batch(side, None, Batch::Here(probe))?;
                self.judge_probe(stats)?;
                first = false;
            }
            _ => {}
        }
        let shape = b.shape();
        let (x, stats) = factor.solve_batch(side, None, b)?;
        check_shape(x.shape(), shape)?;
        if first {
            self.judge_probe(stats)?;
        }
        Ok(x)
    }

    pub(super) fn check_adjoint(&self, rows: usize) -> Result<()> {
        check::length("the rows of an adjoint batch", rows, self.state_dim())
    }

    /// out ← −CᵀΛ, in the coordinates of the chart.
    pub(super) fn contract(&self, lambda: MatRef<'_, f64>, mut out: MatMut<'_, f64>) -> Result<()> {
        let c = &self.param_jacobian;
        if self.chart.is_identity() {
            c.apply_into(Side::Transpose, lambda, out.rb_mut());
        } else {
            let whole = c.apply(Side::Transpose, lambda)?;
            self.chart.restrict_into(whole.as_ref(), out.rb_mut());
        }
        negate(out);
        Ok(())
    }

    /// The same for the first columns of a batch, of which only the product comes back from where it is.
    fn contract_batch(&self, lambda: Batch, mut out: MatMut<'_, f64>) -> Result<()> {
        let columns = out.ncols();
        if let Batch::Here(lambda) = &lambda {
            return self.contract(lambda.subcols(0, columns), out);
        }
        let whole = lambda
            .apply(&self.param_jacobian, Side::Transpose)?
            .fetch()?;
        let whole = whole.subcols(0, columns);
        if self.chart.is_identity() {
            out.copy_from(whole);
        } else {
            self.chart.restrict_into(whole, out.rb_mut());
        }
        negate(out);
        Ok(())
    }
}

pub(super) fn negate(a: MatMut<'_, f64>) {
    for column in a.col_iter_mut() {
        column.iter_mut().for_each(|a| *a = -*a);
    }
}
