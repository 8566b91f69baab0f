//! Cosine transform, which diagonalises the Neumann Laplacian of a box.

mod axis;

use std::f64::consts::PI;

use faer::{ColMut, Mat, MatMut, MatRef};
use rayon::prelude::*;

use self::axis::{AxisTransform, LARGE};
use super::pool::Pool;

/// Evaluator of functions f(L) of a Laplacian L on a box with zero flux through the boundary.
///
/// Along an axis of n cells, L has the weights w between neighbours. Its eigenvectors are cos(πj(i + ½)/n), with
/// eigenvalues 4w sin²(πj/2n). On a box the eigenvectors are products over the axes, and the eigenvalues are sums.
pub(crate) struct CosineTransform {
    axes: Vec<AxisTransform>,
    eigenvalues: Vec<f64>,
    buffers: Pool<Vec<f64>>,
}

impl CosineTransform {
    /// Plans the transforms along axes with these numbers of cells and weights between neighbours.
    pub(crate) fn new(axes: &[(usize, f64)]) -> Self {
        Self {
            axes: axes.iter().map(|&(n, _)| AxisTransform::new(n)).collect(),
            eigenvalues: eigenvalues(axes),
            buffers: Pool::default(),
        }
    }

    /// Returns the number of cells of the box.
    pub(crate) fn dim(&self) -> usize {
        self.eigenvalues.len()
    }

    /// Returns the size of the transform and of one symbol in bytes.
    pub(crate) fn bytes(&self) -> usize {
        2 * size_of_val(&self.eigenvalues[..])
    }

    /// Applies f(L) to every column, given the symbol of f.
    pub(crate) fn apply(&self, symbol: &[f64], z: MatRef<'_, f64>) -> Mat<f64> {
        let mut z = z.to_owned();
        self.filter(symbol, z.as_mut());
        z
    }

    /// Returns the symbol of f: the value of f at every eigenvalue of L.
    pub(crate) fn symbol(&self, f: impl Fn(f64) -> f64) -> Vec<f64> {
        self.eigenvalues.iter().map(|&l| f(l)).collect()
    }

    /// Applies f(L) to every column in place, given the symbol of f.
    pub(crate) fn filter(&self, symbol: &[f64], z: MatMut<'_, f64>) {
        let length = self.workspace(z.ncols());
        let fits = |buffer: &Vec<f64>| buffer.len() >= length;
        let make = || vec![0.0; length];
        self.buffers
            .with(fits, make, |buffer| self.filter_in(symbol, z, buffer));
    }

    /// Returns the number of entries in the workspace for this number of columns.
    pub(crate) fn workspace(&self, columns: usize) -> usize {
        let at_once = if self.dim() < LARGE { columns } else { 1 };
        2 * self.dim() * at_once
    }

    /// Applies f(L) to every column in place, given the symbol of f and a workspace with arbitrary contents.
    ///
    /// Columns or, on large boxes, the lines of a column are shared by the threads of the pool. Every line is
    /// transformed by one thread, so that results are bitwise independent of the number of threads.
    pub(crate) fn filter_in(&self, symbol: &[f64], z: MatMut<'_, f64>, workspace: &mut [f64]) {
        let n = self.dim();
        let filter = |column: ColMut<'_, f64>, buffers: &mut [f64]| {
            let (x, y) = buffers.split_at_mut(n);
            let pairs = x.iter_mut().zip(column.as_ref().iter());
            pairs.for_each(|(to, z)| *to = *z);
            self.filter_column(symbol, [&mut *x, y]);
            column.iter_mut().zip(x).for_each(|(to, x)| *to = *x);
        };
        if n < LARGE {
            let buffers = workspace.par_chunks_exact_mut(2 * n);
            let columns = z.par_col_iter_mut().zip(buffers);
            columns.for_each(|(column, buffers)| filter(column, buffers));
        } else {
            let buffers = &mut workspace[..2 * n];
            z.col_iter_mut()
                .for_each(|column| filter(column, &mut *buffers));
        }
    }

    /// Returns the diagonal of f(L): Σ_j f(λ_j) v_j(x)² at every cell x.
    pub(crate) fn diagonal(&self, f: impl Fn(f64) -> f64) -> Vec<f64> {
        // One inverse transform replaces N transforms of unit vectors: O(N log N) instead of O(N² log N). The
        // eigenvectors are products over the axes, so that the sum over j factorises and is evaluated axis by
        // axis. `square` expands the v_j² in cosines, and an inverse transform sums the expansion.
        let mut x = self.symbol(f);
        let mut y = vec![0.0; x.len()];
        for axis in &self.axes {
            axis.square(&x, &mut y);
            axis.inverse(&y, &mut x);
        }
        x
    }

    /// Applies f(L) to the column x in place, with a buffer of the same length.
    fn filter_column(&self, symbol: &[f64], [mut x, mut y]: [&mut [f64]; 2]) {
        // f(L) = V f(Λ) Vᵀ, where the columns of V are the cosine eigenvectors. Since V is orthogonal, only
        // the spread of the symbol amplifies rounding errors. Transforms along different axes commute. Each
        // moves the first axis of the box behind the others: after a transform along every axis, the axes are
        // in order again. There and back is an even number of transforms, so that x holds the result.
        for axis in &self.axes {
            axis.forward(x, y);
            std::mem::swap(&mut x, &mut y);
        }
        x.iter_mut().zip(symbol).for_each(|(x, s)| *x *= s);
        for axis in &self.axes {
            axis.inverse(x, y);
            std::mem::swap(&mut x, &mut y);
        }
    }
}

/// Returns the eigenvalues of L, which are sums of one eigenvalue per axis. The index along the last axis varies fastest.
fn eigenvalues(axes: &[(usize, f64)]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for &(n, weight) in axes {
        // cos(πj(i + ½)/n) satisfies w(−v_{i−1} + 2v_i − v_{i+1}) = w(2 − 2 cos(πj/n)) v_i. The form 4
        // sin²(φ/2) of 2 − 2 cos φ avoids cancellation for small j. The cosine is even about i = −½ and about
        // i = n − ½. So v_{−1} = v_0 and v_n = v_{n−1}: no flux leaves the axis at its ends.
        let along: Vec<f64> = (0..n)
            .map(|j| 4.0 * weight * (0.5 * PI * j as f64 / n as f64).sin().powi(2))
            .collect();
        let outer = sums
            .iter()
            .flat_map(|sum| along.iter().map(move |l| sum + l));
        sums = outer.collect();
    }
    sums
}
