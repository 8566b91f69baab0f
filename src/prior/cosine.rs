//! Precisions that a cosine transform diagonalises.

use faer::{MatMut, MatRef};

use crate::check;
use crate::error::{Error, Result};
use crate::grid::{CosineTransform, Grid};
use crate::linalg::{Factor, Method, Side, SolveStats};

/// Solves with f(−Δ) on a box without flux through the boundary, by cosine transforms.
///
/// The transform is orthogonal and loses nothing but rounding, a few units whatever the grid. So answers are not put back
/// into their equations, as those of factorisations are; tests do that. It runs on the processor whatever the backend:
/// n log n numbers are no work for a device, which batches come back from.
pub(super) struct CosineFactor {
    transform: CosineTransform,
    /// 1/f of every eigenvalue.
    inverse: Vec<f64>,
}

impl CosineFactor {
    /// f(−Δ) for an f that is positive.
    ///
    /// # Errors
    /// Values of f that are not positive and finite, or whose inverses are not.
    pub(super) fn new(grid: &Grid, f: impl Fn(f64) -> f64) -> Result<Self> {
        let transform = CosineTransform::new(grid);
        let inverse = transform.symbol(|l| f(l).recip());
        check::positive("the inverse precision of a prior", &inverse)?;
        Ok(Self { transform, inverse })
    }
}

impl Factor for CosineFactor {
    fn solve(
        &self,
        _: Side,
        _: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let what = "the right-hand side of a solve with a prior";
        check::length(what, batch.nrows(), self.transform.dim())?;
        for column in batch.as_ref().col_iter() {
            if let Some((index, &value)) = column.iter().enumerate().find(|(_, x)| !x.is_finite()) {
                return Err(Error::NotFinite { what, index, value });
            }
        }
        self.transform.filter(&self.inverse, batch);
        Ok(SolveStats::default().by(Method::CosineTransform))
    }
}
