//! Products ZᵀW with the columns of W computed block by block.
//!
//! Some k × m matrices W, such as probes multiplied by Lᵀ or the rows of an observation operator, are needed
//! only through the p × m product ZᵀW. They are computed in blocks of a fixed width, so that the memory does
//! not grow with the number of columns.

use std::ops::Range;

use faer::Mat;

use super::Linearisation;
use super::sensitivity::WIDTH;
use crate::check;
use crate::error::Result;
use crate::linalg::Batch;

/// Splits 0..columns into blocks of `width` columns. The remainder joins the last block, because a few
/// columns alone cost nearly as much as a full block.
fn split(columns: usize, width: usize) -> impl Iterator<Item = Range<usize>> {
    // The split depends only on the number of columns, not on the number of threads. In every run a column
    // therefore shares its block, and its SIMD lanes, with the same columns.
    let count = (columns / width).max(1);
    (0..count).map(move |block| {
        let end = (block + 1) * width;
        block * width..if block + 1 == count { columns } else { end }
    })
}

/// Splits 0..columns into blocks of [`WIDTH`], for matrices whose columns have the length of a state.
pub(crate) fn blocks(columns: usize) -> impl Iterator<Item = Range<usize>> {
    split(columns, WIDTH)
}

impl Linearisation<'_> {
    /// Computes ZᵀW, with one transposed solve per column. `make(range)` returns the columns `range` of W.
    ///
    /// # Errors
    /// Fails as [`adjoint`](Self::adjoint) does, and if `make` fails.
    pub(crate) fn adjoint_by_blocks(
        &self,
        columns: usize,
        mut make: impl FnMut(Range<usize>) -> Result<Batch>,
    ) -> Result<Mat<f64>> {
        let (k, p) = (self.state_dim(), self.sensitivity.param_dim());
        let mut out = Mat::zeros(self.param_dim(), columns);
        // A question to a deferred sensitivity, even about no columns, would linearise the model.
        if columns == 0 {
            return Ok(out);
        }
        self.sensitivity.announce(columns);
        // Only one block of W and its solutions are stored at a time. Apart from the p × m result, the memory
        // does not grow with m.
        for block in split(columns, self.sensitivity.width().max(1)) {
            let (w, width) = (make(block.clone())?, block.len());
            check::length("the rows of an adjoint batch", w.nrows(), k)?;
            check::length("the columns of an adjoint batch", w.ncols(), width)?;
            if self.takes_solves() {
                self.count_adjoints(width);
            }
            let product = self.sensitivity.adjoint(w)?;
            check::length("the rows of an adjoint", product.nrows(), p)?;
            check::length("the columns of an adjoint", product.ncols(), width)?;
            let mut target = out.as_mut().subcols_mut(block.start, width);
            match self.chart.is_identity() {
                true => target.copy_from(product),
                false => self.chart.restrict_into(product.as_ref(), target),
            }
        }
        Ok(out)
    }
}
