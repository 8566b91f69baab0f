//! Choice of the order of the sweeps by the number of columns.

use std::sync::Arc;

use faer::{MatMut, MatRef};

use super::MAX_LANES;
use super::factor::OnDevice;
use crate::error::Result;
use crate::linalg::operator::Side;
use crate::linalg::sweep_order::{Estimate, Order};
use crate::linalg::{Batch, Factor, SolveStats};

/// Factor that sweeps few columns by colours and many from corners. Columns whose red-black iteration stagnates are
/// solved with sweeps from the corners.
pub(super) struct ByColumns<'a> {
    pub(super) estimate: Estimate,
    pub(super) red_black: OnDevice<'a>,
    pub(super) corners: Arc<OnDevice<'a>>,
}

impl<'a> ByColumns<'a> {
    /// Returns the factor that is estimated to be faster.
    // The choice depends only on the batch and not on earlier failures. Solutions of equal batches are therefore bitwise
    // identical, whatever was solved before.
    fn faster(&self, columns: usize) -> &OnDevice<'a> {
        // Wider batches are solved in blocks of this many columns.
        match self.estimate.faster(columns.min(MAX_LANES)) {
            Order::RedBlack => &self.red_black,
            Order::Corners => &self.corners,
        }
    }
}

impl Factor for ByColumns<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        self.faster(batch.ncols()).solve(side, guess, batch)
    }

    fn solve_batch(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: Batch,
    ) -> Result<(Batch, SolveStats)> {
        self.faster(batch.ncols()).solve_batch(side, guess, batch)
    }
}
