//! Whether an iteration only jitters by now, and what its iterates then say.

use crate::vector::{dot, norm};

/// A step this long beside the one before it shrinks no more.
const JITTER: f64 = 0.5;

/// Iterates that correlate like this with the ones before them swing to and fro: the model responds too little.
const SWINGING: f64 = -0.75;

/// A larger correlation than this is not told from 1.
const MOST: f64 = 0.97;

/// A window holds at least so many times the steps in which an iterate forgets where it came from.
const MEMORIES: f64 = 6.0;

/// Squares of steps may grow by this factor from the first half of a window to the second.
const GROWING: f64 = 9.0;

/// Iterates since steps were first seen to jitter.
#[derive(Default)]
pub(super) struct Window {
    last: Vec<f64>,
    iterates: Vec<Vec<f64>>,
    /// Iterates to wait for since it last drifted.
    pub(super) due: usize,
}

impl Window {
    /// Looks at a step, in units of the parameters' sizes, and where it led.
    pub(super) fn add(&mut self, step: Vec<f64>, theta: &[f64]) {
        if !self.iterates.is_empty() || jitters(&step, &self.last) {
            self.iterates.push(theta.to_vec());
        }
        self.last = step;
    }

    /// Whether these iterates are too few beside the 1/(1 − c) steps in which one forgets where it came from: they may
    /// all be on the same side, and still on their way.
    pub(super) fn drifts(&self, size: impl Fn(usize) -> f64) -> bool {
        let n = self.iterates.len() as f64;
        let off = self.off(&self.average(), size);
        correlation(&off).is_some_and(|raw| n * (1.0 - unbiased(raw, n)) < MEMORIES)
    }

    /// Forgets the older half of the iterates, and waits for twice as many.
    pub(super) fn double(&mut self) {
        self.due = 2 * self.iterates.len();
        self.iterates.drain(..self.iterates.len() / 2);
    }

    fn average(&self) -> Vec<f64> {
        let n = self.iterates.len() as f64;
        let mean = |j: usize| self.iterates.iter().map(|t| t[j]).sum::<f64>() / n;
        (0..self.last.len()).map(mean).collect()
    }

    /// How far iterates are from their mean, in units of the parameters' sizes.
    fn off(&self, mean: &[f64], size: impl Fn(usize) -> f64) -> Vec<Vec<f64>> {
        let apart = |t: &Vec<f64>| (0..t.len()).map(|j| (t[j] - mean[j]) / size(j)).collect();
        self.iterates.iter().map(apart).collect()
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
        let (n, mean) = (self.iterates.len() as f64, self.average());
        let off = self.off(&mean, &size);
        let raw = correlation(&off)?;
        let steps: Vec<f64> = off
            .windows(2)
            .map(|w| distance(&w[0], &w[1]).powi(2))
            .collect();
        let (early, late) = steps.split_at(steps.len() / 2);
        if raw < SWINGING || late.iter().sum::<f64>() > GROWING * early.iter().sum::<f64>() {
            return None;
        }
        let c = unbiased(raw, n).clamp(-0.9, MOST);
        let inflation = ((1.0 + c) / (1.0 - c) * (1.0 + n.recip())).sqrt();
        let error = |j: usize| {
            let squares = off.iter().map(|o| o[j] * o[j]).sum::<f64>();
            inflation * size(j) * (squares / (n - 1.0)).sqrt()
        };
        let errors = (0..mean.len()).map(error).collect();
        Some((mean, errors))
    }
}

/// With the mean taken from the same few numbers, c comes out too small by about (1 + 3c)/n (Kendall 1954).
fn unbiased(raw: f64, n: f64) -> f64 {
    (n * raw + 1.0) / (n - 3.0).max(1.0)
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
