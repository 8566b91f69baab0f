//! What the law tests share: vectors, dense references, grids, densities and a small implicit model.

#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod altered;
pub(crate) mod bad;
pub(crate) mod evolutions;
pub(crate) mod far;
pub(crate) mod gaussians;
pub(crate) mod lorenz;
pub(crate) mod problems;
pub(crate) mod runs;
pub(crate) mod saves;
pub(crate) mod singular;
pub(crate) mod sketches;
pub(crate) mod stencils;
pub(crate) mod twice;
pub(crate) mod watched;

use nalgebra::{DMatrix, DVector};
use pullback::faer::{Mat, MatRef};
use pullback::model::Variation;
use pullback::{Grid, Model, Operator, random};
use serde_json::Value;

/// The numbers of a JSON array.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter().map(|x| x.as_f64().unwrap()).collect()
}

/// One column as a batch.
pub(crate) fn column(x: &[f64]) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(x, x.len(), 1)
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// max |a − b| / max |b|.
pub(crate) fn gap(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "lengths");
    let largest = |v: &mut dyn Iterator<Item = f64>| {
        v.fold(0.0, |m: f64, x| {
            if x.is_nan() {
                f64::INFINITY
            } else {
                m.max(x.abs())
            }
        })
    };
    let off = largest(&mut a.iter().zip(b).map(|(a, b)| a - b));
    let size = largest(&mut b.iter().copied());
    if off == 0.0 { 0.0 } else { off / size }
}

/// The same for matrices.
pub(crate) fn matrix_gap(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> f64 {
    assert_eq!(a.shape(), b.shape(), "shapes");
    gap(entries(a).as_slice(), entries(b).as_slice())
}

fn entries(a: MatRef<'_, f64>) -> DMatrix<f64> {
    DMatrix::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)])
}

pub(crate) fn identity(n: usize) -> Mat<f64> {
    Mat::identity(n, n)
}

/// A⁻¹B by another library.
pub(crate) fn reference_solve(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let x = entries(a).lu().solve(&entries(b)).unwrap();
    Mat::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)])
}

/// A⁻¹b for one vector.
pub(crate) fn reference_vector(a: MatRef<'_, f64>, b: &[f64]) -> Vec<f64> {
    let x = entries(a).lu().solve(&DVector::from_row_slice(b)).unwrap();
    x.as_slice().to_vec()
}

/// The eigenvalues of a symmetric matrix, in order.
pub(crate) fn eigenvalues(a: MatRef<'_, f64>) -> Vec<f64> {
    let mut values = entries(a).symmetric_eigenvalues().as_slice().to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// A well-conditioned symmetric positive definite matrix.
pub(crate) fn definite(n: usize, seed: u64) -> Mat<f64> {
    let r = random::normal_matrix(n, n, seed);
    let square = &r * r.transpose();
    Mat::from_fn(n, n, |i, j| {
        square[(i, j)] / n as f64 + f64::from(u8::from(i == j))
    })
}

/// Grids in one, two and three dimensions; no two axes alike.
pub(crate) fn grids() -> Vec<Grid> {
    let axes: [&[(f64, f64, usize)]; 3] = [
        &[(-2.0, 3.0, 13)],
        &[(0.0, 1.5, 7), (-1.0, 1.0, 5)],
        &[(0.0, 1.0, 4), (-1.0, 2.0, 3), (0.0, 3.0, 5)],
    ];
    axes.iter().map(|a| Grid::new(a).unwrap()).collect()
}

/// A rough positive density of mass one.
pub(crate) fn density(grid: &Grid, seed: u64) -> Vec<f64> {
    let mut rho = random::normal(grid.cells(), seed, 0);
    rho.iter_mut().for_each(|r| *r = (0.7 * *r).exp());
    let mass = grid.integrate(&rho).unwrap();
    rho.iter_mut().for_each(|r| *r /= mass);
    rho
}

/// K ρ + ½ρ³ = 1 + B (θ + 0.1 θ³), with K an M-matrix without symmetry, so that ρ > 0 for small θ.
pub(crate) struct Reaction {
    pub(crate) coupling: Mat<f64>,
    pub(crate) forcing: Mat<f64>,
}

impl Reaction {
    pub(crate) fn new(k: usize, p: usize, seed: u64) -> Self {
        let off = random::uniform(k * k, (0.0, 1.5 / k as f64), seed);
        Self {
            coupling: Mat::from_fn(k, k, |i, j| if i == j { 3.0 } else { -off[i * k + j] }),
            forcing: 0.5 * random::normal_matrix(k, p, seed + 1),
        }
    }
}

impl Model for Reaction {
    fn state_dim(&self) -> usize {
        self.coupling.nrows()
    }

    fn param_dim(&self) -> usize {
        self.forcing.ncols()
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        for (i, out) in out.iter_mut().enumerate() {
            let kept: f64 = (0..rho.len()).map(|j| self.coupling[(i, j)] * rho[j]).sum();
            let forced = theta.iter().enumerate();
            let forced: f64 = forced
                .map(|(j, t)| self.forcing[(i, j)] * (t + 0.1 * t.powi(3)))
                .sum();
            *out = kept + 0.5 * rho[i].powi(3) - 1.0 - forced;
        }
    }

    fn state_jacobian<'a>(&'a self, rho: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        let mut a = self.coupling.clone();
        rho.iter()
            .enumerate()
            .for_each(|(i, r)| a[(i, i)] += 1.5 * r * r);
        Operator::dense(a)
    }

    fn param_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let (k, p) = self.forcing.shape();
        Operator::dense(Mat::from_fn(k, p, |i, j| {
            -self.forcing[(i, j)] * (1.0 + 0.3 * theta[j] * theta[j])
        }))
    }

    fn second_derivative(
        &self,
        rho: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        let (k, p) = self.forcing.shape();
        let columns = along.theta.ncols();
        // λᵀg has the second derivatives 3 λᵢρᵢ and −0.6 θⱼ (Bᵀλ)ⱼ, and no mixed ones.
        let pulled =
            |j: usize| -> f64 { (0..k).map(|i| self.forcing[(i, j)] * along.lambda[i]).sum() };
        let by_state = |i: usize, c: usize| 3.0 * along.lambda[i] * rho[i] * along.rho[(i, c)];
        let by_param = |j: usize, c: usize| -0.6 * theta[j] * pulled(j) * along.theta[(j, c)];
        Some([
            Mat::from_fn(k, columns, by_state),
            Mat::from_fn(p, columns, by_param),
        ])
    }
}

/// ρ = F θ.
pub(crate) struct Explicit(pub(crate) Mat<f64>);

impl Model for Explicit {
    fn state_dim(&self) -> usize {
        self.0.nrows()
    }
    fn param_dim(&self) -> usize {
        self.0.ncols()
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let f = &self.0 * column(theta);
        (0..out.len()).for_each(|i| out[i] = rho[i] - f[(i, 0)]);
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(self.0.nrows())
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(-&self.0)
    }
}

/// max |vᵢ|.
pub(crate) fn largest_of(v: &[f64]) -> f64 {
    v.iter().fold(0.0, |m, x| m.max(x.abs()))
}
