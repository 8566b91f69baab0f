//! Solves with precisions that a cosine transform diagonalises.

use faer::{MatMut, MatRef};

use super::check_right_hand_side;
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::{CosineTransform, Factor, Method, Side, SolveStats};

/// Solver for f(−Δ) on a box without flux through the boundary, by cosine transforms.
///
/// With the orthogonal discrete cosine transform Q and −Δ = QᵀΛQ, the solution is Qᵀ f(Λ)⁻¹ Q b. Its rounding
/// error is a few units in the last place on any grid, which tests confirm. Unlike factorisations, this
/// solver therefore computes no residuals. The transform runs on the CPU for every backend: its n log n
/// operations do not justify the transfer of a batch to and from a device.
pub(super) struct CosineFactor {
    transform: CosineTransform,
    /// Reciprocals 1/f(λ) for every eigenvalue λ of −Δ.
    inverse: Vec<f64>,
}

impl CosineFactor {
    /// Prepares solves with f(−Δ) for a positive f.
    ///
    /// # Errors
    /// Fails if a value of f or its reciprocal is not positive and finite.
    pub(super) fn new(grid: &Grid, f: impl Fn(f64) -> f64) -> Result<Self> {
        let transform = grid.cosine_transform();
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
        check_right_hand_side(batch.as_ref(), self.transform.dim())?;
        // f(−Δ) is symmetric: one filter serves both sides.
        self.transform.filter(&self.inverse, batch);
        Ok(SolveStats::default().by(Method::CosineTransform))
    }
}
