//! The cosine transform that diagonalises the Neumann Laplacian of a box.

use std::f64::consts::PI;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::Grid;

/// Applies functions of −Δ, the finite-volume Laplacian with no flux through the boundary.
///
/// Along an axis of n cells of width h the eigenvectors are cos(πj(i + ½)/n) with eigenvalues 4 sin²(πj/2n)/h².
pub(crate) struct CosineTransform {
    /// For each axis: cells, stride, orthonormal eigenvectors as rows.
    axes: Vec<(usize, usize, Mat<f64>)>,
    eigenvalues: Vec<f64>,
}

impl CosineTransform {
    pub(crate) fn new(grid: &Grid) -> Self {
        let axes = grid.axes.iter().enumerate();
        let axes = axes.map(|(d, a)| (a.cells, grid.stride(d), eigenvectors(a.cells)));
        let eigenvalues = (0..grid.cells()).map(|cell| {
            let along = |(d, a): (usize, &super::Axis)| {
                let j = cell / grid.stride(d) % a.cells;
                let s = (0.5 * PI * j as f64 / a.cells as f64).sin() / a.spacing();
                4.0 * s * s
            };
            grid.axes.iter().enumerate().map(along).sum()
        });
        Self {
            axes: axes.collect(),
            eigenvalues: eigenvalues.collect(),
        }
    }

    /// Number of cells.
    pub(crate) fn dim(&self) -> usize {
        self.eigenvalues.len()
    }

    /// f(−Δ) applied to every column.
    pub(crate) fn apply(&self, f: impl Fn(f64) -> f64 + Sync, z: MatRef<'_, f64>) -> Mat<f64> {
        let symbol: Vec<f64> = self.eigenvalues.iter().map(|&l| f(l)).collect();
        let columns: Vec<Vec<f64>> = (0..z.ncols())
            .into_par_iter()
            .map(|j| self.filter(&symbol, z.col(j).iter().copied().collect()))
            .collect();
        Mat::from_fn(z.nrows(), z.ncols(), |i, j| columns[j][i])
    }

    /// The diagonal of f(−Δ): Σ_j f(λ_j) v_j(x)², axis by axis.
    pub(crate) fn diagonal(&self, f: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut x: Vec<f64> = self.eigenvalues.iter().map(|&l| f(l)).collect();
        let mut y = vec![0.0; x.len()];
        for (n, stride, vectors) in &self.axes {
            let squares = Mat::from_fn(*n, *n, |j, i| vectors[(j, i)] * vectors[(j, i)]);
            along(&(*n, *stride, squares), true, &x, &mut y);
            std::mem::swap(&mut x, &mut y);
        }
        x
    }

    fn filter(&self, symbol: &[f64], mut x: Vec<f64>) -> Vec<f64> {
        let mut y = vec![0.0; x.len()];
        for axis in &self.axes {
            along(axis, false, &x, &mut y);
            std::mem::swap(&mut x, &mut y);
        }
        x.iter_mut().zip(symbol).for_each(|(x, s)| *x *= s);
        for axis in &self.axes {
            along(axis, true, &x, &mut y);
            std::mem::swap(&mut x, &mut y);
        }
        x
    }
}

impl Grid {
    /// The diagonal of f(−Δ), without flux through the boundary.
    pub(crate) fn cosine_diagonal(&self, f: impl Fn(f64) -> f64) -> Vec<f64> {
        CosineTransform::new(self).diagonal(f)
    }
}

fn eigenvectors(n: usize) -> Mat<f64> {
    let size = n as f64;
    Mat::from_fn(n, n, |j, i| {
        let weight = if j == 0 { 1.0 / size } else { 2.0 / size };
        weight.sqrt() * (PI * j as f64 * (i as f64 + 0.5) / size).cos()
    })
}

/// y ← the transform of x along one axis: a product for every block of cells that spans it.
fn along(axis: &(usize, usize, Mat<f64>), inverse: bool, x: &[f64], y: &mut [f64]) {
    let (n, stride, vectors) = axis;
    let vectors = if inverse {
        vectors.transpose()
    } else {
        vectors.as_ref()
    };
    let block = n * stride;
    for (x, y) in x.chunks(block).zip(y.chunks_mut(block)) {
        let x = MatRef::from_row_major_slice(x, *n, *stride);
        let y = MatMut::from_row_major_slice_mut(y, *n, *stride);
        matmul(y, Accum::Replace, vectors, x, 1.0, Par::Seq);
    }
}
