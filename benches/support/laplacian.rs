//! Weighted Laplacian in the plane.

use pullback::linalg::Stencil;
use pullback::{Grid, Result, random};

/// Laplacian on the unit square with lognormal weights, pinned in one cell.
pub fn weighted_laplacian(n: usize) -> Result<Stencil> {
    let grid = Grid::new(&[(0.0, 1.0, n), (0.0, 1.0, n)])?;
    let r = random::normal(grid.cells(), 1, 1);
    let r: Vec<f64> = r.iter().map(|r| r.exp()).collect();
    let mut laplacian = grid.flux_divergence(|face| {
        let w = 0.5 * (r[face.lower] + r[face.upper]) / face.spacing;
        [w, -w]
    });
    let mut pin = vec![0.0; r.len()];
    pin[r.len() / 2] = laplacian.diagonal()[r.len() / 2];
    laplacian.add_diagonal(&pin);
    Ok(laplacian)
}
