//! Gaussian random fields of Matérn type.

use std::f64::consts::PI;

use super::cosine::CosineFactor;
use super::{Prior, Quadratic, deviation};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::{Backend, Factor, Operator, Side, Stencil};

/// Smooth Gaussian random field on a grid: the bi-Laplacian prior ½ τ² ∫ |(κ² − Δ)(θ − m)|² dx.
///
/// κ and τ follow from the standard deviation σ and the range ℓ, the distance at which the correlation has
/// fallen to about a seventh: κ = √(8ν)/ℓ and τ² = Γ(ν)/((4π)^{d/2} κ^{2ν} σ²) with ν = 2 − d/2 (Lindgren,
/// Rue, Lindström 2011). The root P = τ √vol (κ² − Δ) is a stencil, and cosine transforms solve with it.
/// There is no flux through the boundary. The variance is larger near the boundary: twice as large on a side
/// of the grid.
///
/// ```
/// use pullback::{Cpu, Grid, Prior, prior::Matern};
/// let grid = Grid::new(&[(0.0, 1.0, 60), (0.0, 1.0, 60)])?;
/// let prior = Matern::new(&grid, 0.5, 0.2)?;
/// let variances = prior.variances(&vec![0.0; grid.cells()], &Cpu::default())?;
/// assert!((variances[30 * 60 + 30] - 0.25).abs() < 0.01);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Matern {
    grid: Grid,
    /// Square κ² of the decay rate.
    decay: f64,
    /// Factor τ √vol of the root.
    scale: f64,
    mean: Vec<f64>,
    root: std::sync::Arc<Stencil>,
}

impl Matern {
    /// Returns the field with this standard deviation and range, for parameters that are cell values on `grid`.
    ///
    /// # Errors
    /// Fails if a deviation or range is not positive and finite, if a range is shorter than a cell, or if an axis has a
    /// single cell.
    pub fn new(grid: &Grid, deviation: f64, range: f64) -> Result<Self> {
        check::positive("the standard deviation of a random field", &[deviation])?;
        check::positive("the range of a random field", &[range])?;
        grid.check_faces("a random field")?;
        let coarsest = grid.spacings().iter().fold(0.0, |m: f64, h| m.max(*h));
        check::option(
            "the range of a random field",
            range,
            range >= coarsest,
            "take at least the width of a cell: the grid does not resolve shorter ranges",
        )?;
        // Γ(ν) for ν = 3/2, 1, 1/2.
        let (nu, gamma) = match grid.dim() {
            1 => (1.5, 0.5 * PI.sqrt()),
            2 => (1.0, 1.0),
            _ => (0.5, PI.sqrt()),
        };
        // The solution of τ(κ² − Δ)^{α/2}x = w on ℝᵈ, with white noise w, has the spectral density
        // (2π)⁻ᵈτ⁻²(κ² + |k|²)^{−α}. Its integral is the variance σ² = Γ(ν)/(Γ(α)(4π)^{d/2}κ^{2ν}τ²) with
        // ν = α − d/2. Here α = 2, and Γ(2) = 1 drops out.
        // `decay` is κ² = 8ν/ℓ², `tau` is τσ, and the precision operator is τ²(κ² − Δ)².
        let decay = 8.0 * nu / (range * range);
        let tau = (gamma / (4.0 * PI).powf(0.5 * grid.dim() as f64) / decay.powf(nu)).sqrt();
        let scale = tau / deviation * grid.volume().sqrt();
        check::positive(
            "the weight of a random field (from its deviation and range)",
            &[scale],
        )?;
        // P = τ √vol (κ² − Δ) is symmetric, with the face weights τ √vol and the diagonal τ √vol κ².
        let root = grid.weighted_laplacian(
            &vec![scale; grid.faces()],
            &vec![scale * decay; grid.cells()],
        );
        Ok(Self {
            decay,
            scale,
            mean: vec![0.0; grid.cells()],
            root: root.into(),
            grid: grid.clone(),
        })
    }

    /// Sets the mean of the field, which is zero by default.
    ///
    /// # Errors
    /// Fails if the mean has the wrong length, or entries that are not finite.
    pub fn around(mut self, mean: Vec<f64>) -> Result<Self> {
        check::length("the mean of a prior", mean.len(), self.grid.cells())?;
        check::finite("the mean of a prior", &mean)?;
        self.mean = mean;
        Ok(self)
    }

    fn square_root<'a>(&self) -> Operator<'a> {
        Operator::stencil(std::sync::Arc::clone(&self.root)).definite_by_construction()
    }
}

impl Prior for Matern {
    fn at(&self, theta: &[f64]) -> Result<Quadratic<'_>> {
        let root = self.square_root();
        let residual = root.apply_to(Side::Plain, &deviation(theta, &self.mean)?)?;
        Quadratic::squares(root, residual)
    }

    fn is_affine(&self) -> bool {
        true
    }

    fn precision<'a>(&'a self, _: &[f64], _: &'a dyn Backend) -> Result<Box<dyn Factor + 'a>> {
        // On an eigenvector of −Δ with eigenvalue l, C = PᵀP is (τ √vol (κ² + l))².
        let symbol = |l: f64| (self.scale * (l + self.decay)).powi(2);
        Ok(Box::new(CosineFactor::new(&self.grid, symbol)?))
    }

    fn variances(&self, _: &[f64], _: &dyn Backend) -> Result<Vec<f64>> {
        // Without flux, the covariance of two points is that of the stationary field, summed over the mirror
        // images of one of them. At a side the first image of a point coincides with it and doubles the
        // variance. Away from all sides the images contribute little.
        let symbol = |l: f64| (self.scale * (l + self.decay)).powi(-2);
        Ok(self.grid.cosine_diagonal(symbol))
    }
}
