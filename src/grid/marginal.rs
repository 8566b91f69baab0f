//! Marginals of densities on a grid.

use super::Grid;
use crate::check;
use crate::error::{Error, Result};

impl Grid {
    /// Returns the marginal density of the coordinates `axes`, integrated over the other coordinates.
    ///
    /// `axes` must be in increasing order. The result is numbered like the cells of a grid with only these
    /// axes.
    ///
    /// ```
    /// use pullback::Grid;
    /// let grid = Grid::new(&[(0.0, 1.0, 2), (0.0, 4.0, 2)])?;
    /// let of_y = grid.marginal(&[0.1, 0.2, 0.1, 0.1], &[1])?;
    /// assert!((of_y[0] - 0.1).abs() < 1e-15 && (of_y[1] - 0.15).abs() < 1e-15);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails if the density has the wrong length, or if the axes are not axes of the grid in increasing order.
    pub fn marginal(&self, rho: &[f64], axes: &[usize]) -> Result<Vec<f64>> {
        check::length("a density on the grid", rho.len(), self.cells())?;
        for (i, &axis) in axes.iter().enumerate() {
            let sound = axis < self.dim() && (i == 0 || axes[i - 1] < axis);
            if !sound {
                return Err(Error::Option {
                    what: "an axis of a marginal density",
                    value: axis as f64,
                    remedy: "give axes of the grid, counted from 0, in increasing order",
                });
            }
        }
        // This is the midpoint rule along the integrated axes. It is exact for cell averages, and of second
        // order for values at cell centres.
        let kept: usize = axes.iter().map(|&d| self.axes[d].cells).product();
        let integrated = (0..self.dim()).filter(|d| !axes.contains(d));
        let width: f64 = integrated.map(|d| self.axes[d].spacing()).product();
        let mut out = vec![0.0; kept];
        for (cell, r) in rho.iter().enumerate() {
            // cell / stride % n is the index of the cell along an axis.
            let index = axes.iter().fold(0, |index, &d| {
                let n = self.axes[d].cells;
                index * n + cell / self.stride(d) % n
            });
            out[index] += width * r;
        }
        Ok(out)
    }
}
