//! ZᵀW for columns that are made a block at a time.
//!
//! Probes are lowered by the metric, tangents are weighted by it, rows of an observation are picked one by one. Each of these
//! k × m matrices is needed only through its p × m product with Zᵀ. So they pass in blocks of a fixed width, which bounds the
//! memory however many columns there are.

use std::ops::Range;

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
        let mut out = Mat::zeros(self.param_dim(), columns);
        self.sensitivity.announce(columns);
        for block in cut(columns, self.sensitivity.width()) {
            let w = make(block.clone())?;
            check::length("the columns of an adjoint batch", w.ncols(), block.len())?;
            let product = self.adjoint_batch(w)?;
            let mut place = out.as_mut().subcols_mut(block.start, block.len());
            place.copy_from(product);
        }
        Ok(out)
    }
}
