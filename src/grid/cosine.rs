//! Cosine transform, which diagonalises the Neumann Laplacian of a box.

use std::f64::consts::PI;

use faer::{Mat, MatMut, MatRef};
use rayon::prelude::*;

use super::Grid;
use super::dct::AxisTransform;

/// Evaluator of functions f(−Δ) of the finite-volume Laplacian with zero flux through the boundary.
///
/// Along an axis of n cells of width h the eigenvectors are cos(πj(i + ½)/n), with eigenvalues 4 sin²(πj/2n)/h². On a
/// box the eigenvectors are products over the axes, and the eigenvalues are sums.
pub(crate) struct CosineTransform {
    axes: Vec<AxisTransform>,
    eigenvalues: Vec<f64>,
}

impl CosineTransform {
    /// Plans the transforms along all axes.
    pub(crate) fn new(grid: &Grid) -> Self {
        let axes = grid.axes.iter().enumerate();
        let axes = axes.map(|(d, a)| AxisTransform::new(a.cells, grid.stride(d)));
        Self {
            axes: axes.collect(),
            eigenvalues: eigenvalues(grid),
        }
    }

    /// Returns the number of cells of the grid.
    pub(crate) fn dim(&self) -> usize {
        self.eigenvalues.len()
    }

    /// Applies f(−Δ) to every column.
    pub(crate) fn apply(&self, f: impl Fn(f64) -> f64, z: MatRef<'_, f64>) -> Mat<f64> {
        let mut z = z.to_owned();
        self.filter(&self.symbol(f), z.as_mut());
        z
    }

    /// Returns the symbol of f: the value of f at every eigenvalue of −Δ.
    pub(crate) fn symbol(&self, f: impl Fn(f64) -> f64) -> Vec<f64> {
        self.eigenvalues.iter().map(|&l| f(l)).collect()
    }

    /// Applies f(−Δ) to every column in place, given the symbol of f. Each column is computed by one thread.
    pub(crate) fn filter(&self, symbol: &[f64], z: MatMut<'_, f64>) {
        z.par_col_iter_mut().for_each(|column| {
            // The column is copied, because columns of a view may be strided. Threads share no data, so that
            // results are bitwise independent of the number of threads.
            let mut x: Vec<f64> = column.as_ref().iter().copied().collect();
            self.filter_column(symbol, &mut x);
            column.iter_mut().zip(x).for_each(|(to, x)| *to = x);
        });
    }

    /// Returns the diagonal of f(−Δ): Σ_j f(λ_j) v_j(x)² at every cell x.
    pub(crate) fn diagonal(&self, f: impl Fn(f64) -> f64) -> Vec<f64> {
        // One inverse transform replaces N transforms of unit vectors: O(N log N) instead of O(N² log N). The
        // eigenvectors are products over the axes, so that the sum over j factorises and is evaluated axis by
        // axis. `square` expands the v_j² in cosines, and an inverse transform sums the expansion.
        let mut x = self.symbol(f);
        for axis in &self.axes {
            axis.square(&mut x);
            axis.inverse(&mut x);
        }
        x
    }

    /// Applies f(−Δ) to one column in place.
    fn filter_column(&self, symbol: &[f64], x: &mut [f64]) {
        // f(−Δ) = V f(Λ) Vᵀ, where the columns of V are the cosine eigenvectors. Since V is orthogonal, only
        // the spread of the symbol amplifies rounding errors. Transforms along different axes commute, so
        // that they can run in any order.
        self.axes.iter().for_each(|axis| axis.forward(x));
        x.iter_mut().zip(symbol).for_each(|(x, s)| *x *= s);
        self.axes.iter().for_each(|axis| axis.inverse(x));
    }
}

impl Grid {
    /// Returns the diagonal of f(−Δ), where Δ is the Laplacian with zero flux through the boundary.
    pub(crate) fn cosine_diagonal(&self, f: impl Fn(f64) -> f64) -> Vec<f64> {
        CosineTransform::new(self).diagonal(f)
    }
}

/// Returns the eigenvalues of −Δ, which are sums of one eigenvalue per axis. The index along the last axis
/// varies fastest.
fn eigenvalues(grid: &Grid) -> Vec<f64> {
    let mut sums = vec![0.0];
    for axis in &grid.axes {
        // cos(πj(i + ½)/n) satisfies (−v_{i−1} + 2v_i − v_{i+1})/h² = (2 − 2 cos(πj/n))/h² v_i. The form 4
        // sin²(φ/2) of 2 − 2 cos φ avoids cancellation for small j. The cosine is even about i = −½ and about
        // i = n − ½. So v_{−1} = v_0 and v_n = v_{n−1}: no flux leaves the axis at its ends.
        let along: Vec<f64> = (0..axis.cells)
            .map(|j| {
                let s = (0.5 * PI * j as f64 / axis.cells as f64).sin() / axis.spacing();
                4.0 * s * s
            })
            .collect();
        let outer = sums
            .iter()
            .flat_map(|sum| along.iter().map(move |l| sum + l));
        sums = outer.collect();
    }
    sums
}
