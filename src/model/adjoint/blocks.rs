//! ZᵀW for columns that are made a block at a time.
//!
//! Probes are lowered by the metric, tangents are weighted by it, rows of an observation are picked one by one. Each of these
//! k × m matrices is needed only through its p × m product with Zᵀ. So they pass in blocks of a fixed width, which bounds the
//! memory however many columns there are.

use std::ops::Range;
use std::sync::atomic::Ordering;

use faer::Mat;

use super::Linearisation;
use super::sensitivity::WIDTH;
use crate::check;
use crate::error::Result;
use crate::linalg::Batch;

/// Cuts 0..columns into blocks of this width. The last is up to twice as wide, since a few columns alone cost nearly as much
/// as a block.
fn cut(columns: usize, width: usize) -> impl Iterator<Item = Range<usize>> {
    let count = (columns / width).max(1);
    (0..count).map(move |block| {
        let end = (block + 1) * width;
        block * width..if block + 1 == count { columns } else { end }
    })
}

/// Cuts 0..columns into blocks, for work on columns of the length of a state.
pub(crate) fn blocks(columns: usize) -> impl Iterator<Item = Range<usize>> {
    cut(columns, WIDTH)
}

impl Linearisation<'_> {
    /// Returns ZᵀW for W = `[make(0..n) | make(n..) | …]`, one transposed solve a column.
    ///
    /// # Errors
    /// As for [`adjoint`](Self::adjoint), and those of `make`.
    pub(crate) fn adjoint_by_blocks(
        &self,
        columns: usize,
        mut make: impl FnMut(Range<usize>) -> Result<Batch>,
    ) -> Result<Mat<f64>> {
        let (k, p) = (self.state_dim(), self.sensitivity.param_dim());
        let mut out = Mat::zeros(self.param_dim(), columns);
        self.sensitivity.announce(columns);
        for block in cut(columns, self.sensitivity.width()) {
            let (w, width) = (make(block.clone())?, block.len());
            check::length("the rows of an adjoint batch", w.nrows(), k)?;
            check::length("the columns of an adjoint batch", w.ncols(), width)?;
            if self.takes_solves() {
                self.adjoints.fetch_add(width, Ordering::Relaxed);
            }
            let product = self.sensitivity.adjoint(w)?;
            check::length("the rows of an adjoint", product.nrows(), p)?;
            check::length("the columns of an adjoint", product.ncols(), width)?;
            let mut place = out.as_mut().subcols_mut(block.start, width);
            match self.chart.is_identity() {
                true => place.copy_from(product),
                false => self.chart.restrict_into(product.as_ref(), place),
            }
        }
        Ok(out)
    }
}
