//! Functions of the Neumann Laplacian of a grid.

use super::Grid;
use crate::linalg::CosineTransform;

impl Grid {
    /// Plans evaluations of functions f(−Δ) of the finite-volume Laplacian with zero flux through the boundary.
    pub(crate) fn cosine_transform(&self) -> CosineTransform {
        let axes = self.axes.iter();
        let axes: Vec<_> = axes.map(|a| (a.cells, a.spacing().powi(-2))).collect();
        CosineTransform::new(&axes)
    }

    /// Returns the diagonal of f(−Δ), where Δ is the Laplacian with zero flux through the boundary.
    pub(crate) fn cosine_diagonal(&self, f: impl Fn(f64) -> f64) -> Vec<f64> {
        self.cosine_transform().diagonal(f)
    }
}
