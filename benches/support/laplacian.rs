//! Weighted Laplacian.

use pullback::linalg::Stencil;
use pullback::{Grid, Result, random};

/// Laplacian with weights whose logarithms have this standard deviation, pinned in one cell.
pub fn weighted_laplacian(axes: &[(f64, f64, usize)], deviation: f64) -> Result<Stencil> {
    let grid = Grid::new(axes)?;
    let r = random::normal(grid.cells(), 1, 1);
    let r: Vec<f64> = r.iter().map(|r| (deviation * r).exp()).collect();
    let mut laplacian = grid.flux_divergence(|face| {
        let w = 0.5 * (r[face.lower] + r[face.upper]) / face.spacing;
        [w, -w]
    });
    let mut pin = vec![0.0; r.len()];
    pin[r.len() / 2] = laplacian.diagonal()[r.len() / 2];
    laplacian.add_diagonal(&pin);
    Ok(laplacian)
}
