//! Families of Gaussians x = m + A z as push-forwards with their exact Wasserstein metric, and scattered points.

use pullback::automatic::Scalar;
use pullback::faer::{Mat, MatRef, Side};
use pullback::models::Map;
use pullback::random;

/// Entries of A that are parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shape {
    Diagonal,
    Triangular,
}

/// Gaussians in ℝᵈ with the parameters m and entries of A.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gaussian {
    pub(crate) d: usize,
    pub(crate) shape: Shape,
}

impl Gaussian {
    /// The entries of A that are parameters.
    pub(crate) fn entries(&self) -> Vec<(usize, usize)> {
        let lower = (0..self.d).flat_map(|i| (0..=i).map(move |j| (i, j)));
        match self.shape {
            Shape::Diagonal => (0..self.d).map(|i| (i, i)).collect(),
            Shape::Triangular => lower.collect(),
        }
    }

    pub(crate) fn parameters(&self) -> usize {
        self.d + self.entries().len()
    }

    /// Random parameters: factors on the diagonal between 0.7 and 1.4, and the others up to ½.
    pub(crate) fn theta(&self, seed: u64) -> Vec<f64> {
        let numbers = random::uniform(self.parameters(), (-1.0, 1.0), seed);
        let mut theta = numbers.clone();
        for (k, (i, j)) in self.entries().into_iter().enumerate() {
            let number = numbers[self.d + k];
            theta[self.d + k] = if i == j {
                2.0_f64.powf(0.5 * number)
            } else {
                0.5 * number
            };
        }
        theta
    }

    fn a(&self, theta: &[f64]) -> Mat<f64> {
        let mut a = Mat::zeros(self.d, self.d);
        for (k, (i, j)) in self.entries().into_iter().enumerate() {
            a[(i, j)] = theta[self.d + k];
        }
        a
    }

    /// The pulled-back Wasserstein metric: δm·δm′ + tr(SΣS′), where SΣ + ΣS = δΣ.
    pub(crate) fn metric(&self, theta: &[f64]) -> Mat<f64> {
        let a = self.a(theta);
        let sigma = &a * a.transpose();
        let eigen = sigma.self_adjoint_eigen(Side::Lower).unwrap();
        let (u, values) = (eigen.U(), eigen.S().column_vector());
        let shapes: Vec<Mat<f64>> = self
            .entries()
            .into_iter()
            .map(|(i, j)| {
                let mut change = Mat::<f64>::zeros(self.d, self.d);
                change[(i, j)] = 1.0;
                let change = &change * a.transpose() + &a * change.transpose();
                let turned = u.transpose() * &change * u;
                let s = Mat::from_fn(self.d, self.d, |i, j| {
                    turned[(i, j)] / (values[i] + values[j])
                });
                u * s * u.transpose()
            })
            .collect();
        let d = self.d;
        Mat::from_fn(self.parameters(), self.parameters(), |i, j| {
            match (i < d, j < d) {
                (true, true) => f64::from(u8::from(i == j)),
                (false, false) => trace((&shapes[i - d] * &sigma * &shapes[j - d]).as_ref()),
                _ => 0.0,
            }
        })
    }
}

fn trace(m: MatRef<'_, f64>) -> f64 {
    (0..m.nrows()).map(|i| m[(i, i)]).sum()
}

impl Map for Gaussian {
    fn dims(&self) -> (usize, usize, usize) {
        (self.d, self.d, self.parameters())
    }

    fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
        x.copy_from_slice(&theta[..self.d]);
        let mut next = self.d;
        for (i, x) in x.iter_mut().enumerate() {
            let columns = match self.shape {
                Shape::Diagonal => i..i + 1,
                Shape::Triangular => 0..i + 1,
            };
            for j in columns {
                *x += theta[next] * z[j];
                next += 1;
            }
        }
    }
}

/// Scattered points between −2 and 2, by the formula of `reference/make_samples.py`.
pub(crate) fn scattered(count: usize, shift: f64) -> Vec<f64> {
    let entry = |k: usize| {
        let k = k as f64;
        4.0 * (0.3719 * k * k + 1.137 * k + shift).fract() - 2.0
    };
    (0..count).map(entry).collect()
}
