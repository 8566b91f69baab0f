//! Whether an iteration only jitters by now, and what its iterates then say.

use crate::vector::{dot, norm};

/// A step this long beside the one before it shrinks no more.
const JITTER: f64 = 0.5;

/// Iterates that correlate like this with the ones before them swing to and fro: the model responds too little.
const SWINGING: f64 = -0.75;

/// Squares of steps may grow by this factor from the first half of a window to the second.
const GROWING: f64 = 9.0;

/// Iterates since steps were first seen to jitter.
#[derive(Default)]
pub(super) struct Window {
    last: Vec<f64>,
    iterates: Vec<Vec<f64>>,
}

impl Window {
    /// Looks at a step, in units of the parameters' sizes, and where it led.
    pub(super) fn add(&mut self, step: Vec<f64>, theta: &[f64]) {
        if !self.iterates.is_empty() || jitters(&step, &self.last) {
            self.iterates.push(theta.to_vec());
        }
        self.last = step;
    }

    pub(super) fn len(&self) -> usize {
        self.iterates.len()
    }

    /// The mean of the iterates and its standard errors; None where they swing or grow.
    ///
    /// With c the factor by which an error is left after a step, iterates are θₖ₊₁ − θ* = c(θₖ − θ*) + noise, and vary by
    /// s² = σ²/(1 − c²), while noise of the data of the same size moves the fixed point by σ/(1 − c). So n iterates leave
    /// an error of s √((1 + c)/(1 − c)) √(1 + 1/n). c comes from the iterates, all parameters together.
    pub(super) fn mean(&self, size: impl Fn(usize) -> f64) -> Option<(Vec<f64>, Vec<f64>)> {
        let (n, p) = (self.iterates.len() as f64, self.last.len());
        let sum = |j: usize| self.iterates.iter().map(|t| t[j]).sum::<f64>();
        let mean: Vec<f64> = (0..p).map(|j| sum(j) / n).collect();
        let off = |t: &Vec<f64>| (0..p).map(|j| (t[j] - mean[j]) / size(j)).collect();
        let off: Vec<Vec<f64>> = self.iterates.iter().map(off).collect();
        let raw = correlation(&off)?;
        let steps: Vec<f64> = off
            .windows(2)
            .map(|w| distance(&w[0], &w[1]).powi(2))
            .collect();
        let (early, late) = steps.split_at(steps.len() / 2);
        if raw < SWINGING || late.iter().sum::<f64>() > GROWING * early.iter().sum::<f64>() {
            return None;
        }
        // With the mean taken from the same few numbers, c comes out too small by about (1 + 3c)/n (Kendall 1954).
        let c = ((n * raw + 1.0) / (n - 3.0).max(1.0)).clamp(-0.9, 0.8);
        let inflation = ((1.0 + c) / (1.0 - c) * (1.0 + n.recip())).sqrt();
        let error = |j: usize| {
            let squares = off.iter().map(|o| o[j] * o[j]).sum::<f64>();
            inflation * size(j) * (squares / (n - 1.0)).sqrt()
        };
        let errors = (0..p).map(error).collect();
        Some((mean, errors))
    }
}

/// The correlation of what is centred with what came before; None for too few.
fn correlation(off: &[Vec<f64>]) -> Option<f64> {
    let (mut product, mut square) = (0.0, 0.0);
    for w in off.windows(2) {
        product += dot(&w[0], &w[1]);
        square += dot(&w[0], &w[0]);
    }
    (off.len() > 3).then(|| if square > 0.0 { product / square } else { 0.0 })
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    norm(&difference)
}

/// Whether a step is as random as the iteration gets: hardly shorter than the last, and in another direction. What
/// only contracts slowly goes on in the same one.
fn jitters(step: &[f64], last: &[f64]) -> bool {
    let aligned = dot(step, last) > 0.5 * norm(step) * norm(last);
    !last.is_empty() && !aligned && norm(step) > JITTER * norm(last)
}
