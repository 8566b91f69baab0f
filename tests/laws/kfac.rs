//! K-FAC against its definition: dense Kronecker products of a network with two layers, written out.

use crate::support::{dot, gap};
use pullback::direction::Kfac;
use pullback::faer::{Mat, linalg::solvers::Solve};
use pullback::loss::Softmax;
use pullback::models::{Activation, Network};
use pullback::step::Fixed;
use pullback::{Descent, random};

/// Numbers of samples, inputs, hidden units and classes.
const SIZES: [usize; 4] = [12, 3, 4, 3];

fn inputs() -> Mat<f64> {
    random::normal_matrix(SIZES[1], SIZES[0], 4)
}

fn labels() -> Vec<usize> {
    (0..SIZES[0]).map(|n| (n * n + 1) % SIZES[3]).collect()
}

/// The network 3-4-3 with tanh at one θ, sample by sample.
struct Point {
    /// Inputs of both layers, with a last entry of one.
    inputs: [Mat<f64>; 2],
    /// Probabilities of the classes.
    shares: Mat<f64>,
    /// Derivatives of the logits of a sample by those of each layer before its activation.
    derivatives: Vec<[Mat<f64>; 2]>,
}

impl Point {
    fn new(theta: &[f64]) -> Self {
        let [samples, first, hidden, classes] = SIZES;
        let matrix = |from: usize, rows: usize, columns: usize| {
            Mat::from_fn(rows, columns, |i, j| theta[from + j * rows + i])
        };
        let v = matrix(0, hidden, first + 1);
        let w = matrix(hidden * (first + 1), classes, hidden + 1);
        let with_one = |m: &Mat<f64>| {
            let rows = m.nrows();
            Mat::from_fn(
                rows + 1,
                samples,
                |i, n| if i < rows { m[(i, n)] } else { 1.0 },
            )
        };
        let x = with_one(&inputs());
        let units = &v * &x;
        let activations = Mat::from_fn(hidden, samples, |i, n| units[(i, n)].tanh());
        let a = with_one(&activations);
        let logits = &w * &a;
        let total = |n: usize| (0..classes).map(|c| logits[(c, n)].exp()).sum::<f64>();
        let chain = |n: usize| {
            let slope = |i: usize| 1.0 - activations[(i, n)].powi(2);
            let by_hidden = Mat::from_fn(classes, hidden, |c, i| w[(c, i)] * slope(i));
            [by_hidden, Mat::identity(classes, classes)]
        };
        Self {
            shares: Mat::from_fn(classes, samples, |c, n| logits[(c, n)].exp() / total(n)),
            derivatives: (0..samples).map(chain).collect(),
            inputs: [x, a],
        }
    }

    /// Returns ∂ρₙ/∂θ of a sample.
    fn jacobian(&self, n: usize) -> Mat<f64> {
        let sizes = [0, 1].map(|l| [self.derivatives[n][l].ncols(), self.inputs[l].nrows()]);
        let start = sizes[0][0] * sizes[0][1];
        let columns = start + sizes[1][0] * sizes[1][1];
        Mat::from_fn(SIZES[3], columns, |c, k| {
            let layer = usize::from(k >= start);
            let (k, rows) = (k - layer * start, sizes[layer][0]);
            self.derivatives[n][layer][(c, k % rows)] * self.inputs[layer][(k / rows, n)]
        })
    }

    /// Returns the gradient and the Gauss-Newton matrix of the mean cross entropy.
    fn quadratic(&self) -> (Mat<f64>, Mat<f64>) {
        let weight = 1.0 / SIZES[0] as f64;
        let unit = |holds: bool| f64::from(u8::from(holds));
        let count = self.jacobian(0).ncols();
        let (mut slope, mut g) = (Mat::zeros(count, 1), Mat::zeros(count, count));
        for (n, label) in labels().into_iter().enumerate() {
            let (z, p) = (self.jacobian(n), self.shares.col(n));
            let classes = SIZES[3];
            let score = Mat::from_fn(classes, 1, |c, _| weight * (p[c] - unit(c == label)));
            let entry = |i: usize, j: usize| weight * p[i] * (unit(i == j) - p[j]);
            slope += z.transpose() * score;
            g += z.transpose() * Mat::from_fn(classes, classes, entry) * &z;
        }
        (slope, g)
    }

    /// Returns A and B of both layers for draws from these streams.
    fn factors(&self, seed: u64, streams: &[u64]) -> [[Mat<f64>; 2]; 2] {
        let [samples, _, _, classes] = SIZES;
        [0, 1].map(|layer| {
            let a = &self.inputs[layer];
            let right = (1.0 / samples as f64) * (a * a.transpose());
            let rows = self.derivatives[0][layer].ncols();
            let mut left = Mat::zeros(rows, rows);
            for &stream in streams {
                let signs = random::signs(samples * classes, seed, stream);
                for n in 0..samples {
                    // Lᵀξ = √w diag(r)(I − r rᵀ)ξ with r = √p.
                    let r: Vec<f64> = self.shares.col(n).iter().map(|p| p.sqrt()).collect();
                    let xi = &signs[n * classes..(n + 1) * classes];
                    let along = dot(&r, xi);
                    let w = (samples as f64).recip().sqrt();
                    let pulled = Mat::from_fn(classes, 1, |c, _| w * r[c] * (xi[c] - along * r[c]));
                    let delta = self.derivatives[n][layer].transpose() * pulled;
                    left += (1.0 / streams.len() as f64) * (&delta * delta.transpose());
                }
            }
            [right, left]
        })
    }
}

/// Returns the step of K-FAC at a point by dense solves.
fn dense_step(point: &Point, factors: &[[Mat<f64>; 2]; 2], damping: f64) -> Vec<f64> {
    let (slope, g) = point.quadratic();
    let mut eta = Vec::new();
    for [a, b] in factors {
        let mean = |m: &Mat<f64>| (0..m.nrows()).map(|i| m[(i, i)]).sum::<f64>() / m.nrows() as f64;
        let pi = (mean(a) / mean(b)).sqrt();
        let shifted = |m: &Mat<f64>, by: f64| m + by * Mat::<f64>::identity(m.nrows(), m.nrows());
        let (a, b) = (
            shifted(a, pi * damping.sqrt()),
            shifted(b, damping.sqrt() / pi),
        );
        let rows = b.nrows();
        let size = a.nrows() * rows;
        let kron = Mat::from_fn(size, size, |i, j| {
            a[(i / rows, j / rows)] * b[(i % rows, j % rows)]
        });
        let own = slope.subrows(eta.len(), size).to_owned();
        eta.extend_from_slice(kron.full_piv_lu().solve(-own).col_as_slice(0));
    }
    let column = Mat::from_fn(eta.len(), 1, |i, _| eta[i]);
    let curved = (column.transpose() * &g * &column)[(0, 0)] + damping * dot(&eta, &eta);
    let alpha = -dot(slope.col_as_slice(0), &eta) / curved;
    eta.iter().map(|x| alpha * x).collect()
}

#[test]
fn steps_by_factors_are_those_of_dense_kronecker_products() {
    let network = Network::new(&inputs(), &[SIZES[2], SIZES[3]], Activation::Tanh).unwrap();
    let loss = Softmax::new(SIZES[3], labels()).unwrap().mean();
    let kfac = Kfac {
        damping: 1e-2,
        draws: 2,
        seed: 8,
        ..Kfac::default()
    };
    let step = Fixed { scale: 1.0 };
    let descent = Descent::new(&network, &loss).direction(&kfac).step(&step);
    let start = random::normal(network.layers()[1].members.len() + 16, 3, 0);
    let mut run = descent.begin(&start).unwrap();
    let first = Point::new(&start);
    let before = first.factors(8, &[2, 3]);
    let moved = |theta: &[f64], eta: &[f64]| -> Vec<f64> {
        theta.iter().zip(eta).map(|(t, e)| t + e).collect()
    };
    let expected = moved(&start, &dense_step(&first, &before, 1e-2));
    run.step().unwrap();
    let off = gap(run.theta(), &expected);
    assert!(off < 1e-10, "{off:e}");
    // At the second point both weigh one half.
    let second = Point::new(run.theta());
    let now = second.factors(8, &[4, 5]);
    let half = |layer: usize, k: usize| 0.5 * (&before[layer][k] + &now[layer][k]);
    let average = [0, 1].map(|layer| [half(layer, 0), half(layer, 1)]);
    let expected = moved(run.theta(), &dense_step(&second, &average, 1e-2));
    run.step().unwrap();
    let off = gap(run.theta(), &expected);
    assert!(off < 1e-10, "{off:e}");
}
