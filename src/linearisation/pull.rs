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
use crate::operator::Side;

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
    /// Where A is repeated, a column is as many for the solver as there are copies, and a block so much narrower.
    ///
    /// # Errors
    /// As for [`adjoint`](Self::adjoint), and those of `make`.
    pub(crate) fn pull(
        &self,
        columns: usize,
        mut make: impl FnMut(Range<usize>) -> Result<Mat<f64>>,
    ) -> Result<Mat<f64>> {
        let mut out = Mat::zeros(self.param_dim(), columns);
        if let Some(factor) = &self.factor {
            factor.expect(columns);
        }
        for block in cut(columns, WIDTH.div_ceil(self.copies)) {
            let mut lambda = make(block.clone())?;
            self.check_adjoint(lambda.as_ref())?;
            if let Some(factor) = &self.factor {
                self.count(Side::Transpose, lambda.ncols());
                (lambda, _) = self.solve(factor.as_ref(), Side::Transpose, lambda, None)?;
            }
            let pulled = out.as_mut().subcols_mut(block.start, block.len());
            self.contract(lambda.as_ref(), pulled)?;
        }
        Ok(out)
    }

    pub(super) fn check_adjoint(&self, w: MatRef<'_, f64>) -> Result<()> {
        check::length("the rows of an adjoint batch", w.nrows(), self.state_dim())
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
}

pub(super) fn negate(a: MatMut<'_, f64>) {
    for column in a.col_iter_mut() {
        column.iter_mut().for_each(|a| *a = -*a);
    }
}
