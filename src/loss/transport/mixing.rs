//! Fixed points by Anderson's mixing of earlier iterates.

use std::collections::VecDeque;

use faer::Mat;

use crate::linalg::{symmetric_solve, vectorised};

/// Number of earlier differences that are mixed.
const MEMORY: usize = 8;

/// Growth of the error, compared with its least value, at which mixing starts anew from the best iterate.
const GROWTH: f64 = 2.0;

/// When an iteration ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Error at which the iteration has converged.
    pub(super) tolerance: f64,
    /// Largest number of iterations.
    pub(super) iterations: usize,
}

/// Iteration that did not converge.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) iterations: usize,
    /// Least error of all iterates.
    pub(super) error: f64,
}

/// Solves T(x) = x from a start x, and returns the number of iterations.
///
/// `residual` computes r ← T(x) − x and returns an error of x. At the end it was last called with the solution. Residuals are
/// compared in the norm of L² with the given weights.
///
/// Near the fixed point r is affine in x, and mixing (Anderson 1965; Walker and Ni 2011) is a Krylov method for the equation
/// r = 0: for a symmetric derivative of T with the largest eigenvalue θ the error falls like that of conjugate gradients, by
/// about 1 − 2√(1 − θ) a step and faster where few eigenvalues are large, and not by θ.
pub(super) fn fixed_point(
    weights: &[f64],
    x: &mut [f64],
    limits: Limits,
    mut residual: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Result<usize, Stopped> {
    let mut r = vec![0.0; x.len()];
    let mut history = History::new(weights);
    let mut best: Option<Best> = None;
    let (mut lowest, mut done) = (f64::NAN, 0);
    for iteration in 1..=limits.iterations {
        let error = residual(x, &mut r);
        done = iteration;
        // `min` passes over NaN.
        lowest = error.min(lowest);
        if error <= limits.tolerance {
            return Ok(iteration);
        }
        let least = best.as_ref().map_or(f64::INFINITY, |b| b.error);
        // NaN takes the second branch.
        if error <= GROWTH * least {
            if error < least {
                let (x, r) = (x.to_vec(), r.clone());
                best = Some(Best { error, x, r });
            }
            history.push(x, &r);
            history.step(x, &r);
        } else if let Some(best) = best.take() {
            // A step of the iteration itself from the best iterate.
            history.clear();
            let entries = x.iter_mut().zip(best.x.iter().zip(&best.r));
            entries.for_each(|(x, (b, r))| *x = b + r);
        } else {
            break;
        }
    }
    Err(Stopped {
        iterations: done,
        error: lowest,
    })
}

/// Iterate with the least error.
struct Best {
    error: f64,
    x: Vec<f64>,
    r: Vec<f64>,
}

/// Differences of successive iterates.
struct History<'a> {
    weights: &'a [f64],
    /// Differences of residuals, and of residuals and iterates together.
    differences: VecDeque<[Vec<f64>; 2]>,
    /// Inner products of the differences of residuals.
    products: VecDeque<VecDeque<f64>>,
    last: Option<[Vec<f64>; 2]>,
}

impl<'a> History<'a> {
    fn new(weights: &'a [f64]) -> Self {
        Self {
            weights,
            differences: VecDeque::new(),
            products: VecDeque::new(),
            last: None,
        }
    }

    fn clear(&mut self) {
        self.differences.clear();
        self.products.clear();
        self.last = None;
    }

    /// Appends the difference from the last iterate.
    fn push(&mut self, x: &[f64], r: &[f64]) {
        let Some([last_x, last_r]) = self.last.replace([x.to_vec(), r.to_vec()]) else {
            return;
        };
        if self.differences.len() == MEMORY {
            self.differences.pop_front();
            self.products.pop_front();
            self.products.iter_mut().for_each(|row| _ = row.pop_front());
        }
        let change: Vec<f64> = r.iter().zip(&last_r).map(|(a, b)| a - b).collect();
        let both = (x.iter().zip(&last_x)).zip(&change);
        let both = both.map(|((a, b), c)| a - b + c).collect();
        self.differences.push_back([change, both]);
        let row = self.inner_products(&self.differences[self.differences.len() - 1][0]);
        let others = self.products.iter_mut().zip(&row);
        others.for_each(|(other, product)| other.push_back(*product));
        self.products.push_back(row);
    }

    /// Returns the inner products of r with all differences of residuals.
    fn inner_products(&self, r: &[f64]) -> VecDeque<f64> {
        let all = self.differences.iter();
        all.map(|[change, _]| weighted_dot(self.weights, change, r))
            .collect()
    }

    /// Computes x ← x + r − Σ cⱼ (Δxⱼ + Δrⱼ), where c minimises ‖r − Σ cⱼ Δrⱼ‖.
    fn step(&self, x: &mut [f64], r: &[f64]) {
        x.iter_mut().zip(r).for_each(|(x, r)| *x += r);
        for ([_, both], c) in self.differences.iter().zip(self.coefficients(r)) {
            vectorised(
                #[inline(always)]
                || x.iter_mut().zip(both).for_each(|(x, d)| *x -= c * d),
            );
        }
    }

    /// Returns the coefficients c, or none if the differences are too close to dependent.
    fn coefficients(&self, r: &[f64]) -> Vec<f64> {
        // The normal equations are solved in units in which every difference has length 1, with a ridge that bounds the
        // coefficients where differences are nearly dependent. The least squares need not be exact: they choose a step.
        const RIDGE: f64 = 1e-12;
        let m = self.products.len();
        let lengths: Vec<f64> = (0..m).map(|i| self.products[i][i].sqrt()).collect();
        if m == 0 || lengths.iter().any(|l| !l.is_normal()) {
            return Vec::new();
        }
        let gram = Mat::from_fn(m, m, |i, j| match i == j {
            true => 1.0 + RIDGE,
            false => self.products[i][j] / lengths[i] / lengths[j],
        });
        let right = self.inner_products(r);
        let right: Vec<f64> = right.iter().zip(&lengths).map(|(b, l)| b / l).collect();
        let c = symmetric_solve(gram.as_ref(), &right, "the mixing of iterates");
        let c = c.unwrap_or_default();
        c.iter().zip(&lengths).map(|(c, l)| c / l).collect()
    }
}

/// Returns Σ wᵢ aᵢ bᵢ.
fn weighted_dot(w: &[f64], a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let [(w, w_rest), (a, a_rest), (b, b_rest)] = [w, a, b].map(|v| v.as_chunks::<LANES>());
    vectorised(
        #[inline(always)]
        || {
            for ((w, a), b) in w.iter().zip(a).zip(b) {
                for lane in 0..LANES {
                    sums[lane] += w[lane] * a[lane] * b[lane];
                }
            }
        },
    );
    let rest = w_rest.iter().zip(a_rest).zip(b_rest);
    sums.iter().sum::<f64>() + rest.map(|((w, a), b)| w * a * b).sum::<f64>()
}
