//! Test for stationary fluctuations of the iterates, and the mean of a stationary window with its standard errors.

use super::estimate::Score;
use crate::vector::{dot, norm};

/// Largest ratio of the lengths of a step and of the step before at which the steps count as contracting.
const CONTRACTING: f64 = 0.5;

/// Autocorrelation of the iterates below which they oscillate, because the model responds too little to θ.
//
// If the simulator responds a times as strongly to θ as the model, a step removes a times the error, and the
// autocorrelation is c = 1 − a. A c below −¾ means a > 1.75: the model responds too weakly. For a > 2 the
// iterates diverge.
const OSCILLATION: f64 = -0.75;

/// Interval to which an autocorrelation c is clamped, so that (1 + c)/(1 − c) stays bounded. A c above the interval
/// cannot be distinguished from 1.
//
// Within it √((1 + c)/(1 − c)), a factor of the standard errors, lies between 0.23 and 8.1.
const AUTOCORRELATIONS: (f64, f64) = (-0.9, 0.97);

/// Least length of a window, in units of the autocorrelation time 1/(1 − c).
//
// In six such times, the error of the first iterate of the window decays by the factor e⁻⁶, to a quarter of a
// percent.
const AUTOCORRELATION_TIMES: f64 = 6.0;

/// Largest factor by which the sum of squared steps may grow from the first half of a window to the second.
const GROWTH: f64 = 9.0;

/// Iterates after the burn-in, which ends with the first step that no longer contracts.
#[derive(Default)]
pub(super) struct Window {
    last: Vec<f64>,
    iterates: Vec<Vec<f64>>,
    /// Scores of all iterates but the last, for a regression.
    scores: Vec<Score>,
    /// Number of iterates to collect before the window is examined again.
    pub(super) due: usize,
}

impl Window {
    /// Appends the iterate `theta`, unless the burn-in still lasts. `step` is the step to the iterate, in
    /// units of the parameters' sizes.
    pub(super) fn add(&mut self, step: Vec<f64>, theta: &[f64]) {
        if !self.iterates.is_empty() || is_fluctuation(&step, &self.last) {
            self.iterates.push(theta.to_vec());
        }
        self.last = step;
    }

    /// Adds the score of the last iterate, of which there is one by now.
    pub(super) fn score(&mut self, score: Option<Score>) {
        if self.scores.len() < self.iterates.len() {
            self.scores.extend(score);
        }
    }

    /// Returns the scores of all iterates, or of all but the last, if there are enough of them.
    pub(super) fn scores(&self) -> Option<&[Score]> {
        // The last iterate has no score before its own step.
        let missing = self.iterates.len().saturating_sub(self.scores.len());
        (self.scores.len() > 1 && missing <= 1).then_some(&self.scores[..])
    }

    /// Returns whether the window is too short to distinguish a drift from a fluctuation.
    ///
    /// `blur` is the share of noise in Z, where it is known.
    pub(super) fn drifts(&self, size: impl Fn(usize) -> f64, blur: f64) -> bool {
        // The error θ − θ* decays by the factor c per step, hence by the factor 1/e in about 1/(1 − c) steps.
        // A window of only a few such times may lie on one side of the fixed point θ*, while the iterates
        // still approach it.
        let n = self.iterates.len() as f64;
        let deviations = self.deviations(&self.average(), size);
        autocorrelation(&deviations).is_some_and(|raw| {
            // A share of noise is the part of the error that a step leaves, hence an autocorrelation too.
            let c = unbiased(raw, n).max(blur);
            n * (1.0 - c) < AUTOCORRELATION_TIMES
        })
    }

    /// Discards the older half of the iterates as burn-in, and asks for a window of twice the length.
    pub(super) fn double(&mut self) {
        // During the older half the iterates may still have approached the fixed point. If the iterates are
        // stationary, a longer window spans more autocorrelation times.
        self.due = 2 * self.iterates.len();
        let old = self.iterates.len() / 2;
        self.iterates.drain(..old);
        self.scores.drain(..old.min(self.scores.len()));
    }

    fn average(&self) -> Vec<f64> {
        let n = self.iterates.len() as f64;
        let mean = |j: usize| self.iterates.iter().map(|t| t[j]).sum::<f64>() / n;
        (0..self.last.len()).map(mean).collect()
    }

    /// Returns the deviations of the iterates from their mean, in units of the parameters' sizes.
    fn deviations(&self, mean: &[f64], size: impl Fn(usize) -> f64) -> Vec<Vec<f64>> {
        let deviation = |t: &Vec<f64>| (0..t.len()).map(|j| (t[j] - mean[j]) / size(j)).collect();
        self.iterates.iter().map(deviation).collect()
    }

    /// Returns the last `n` iterates, or none if there are fewer.
    pub(super) fn latest(&self, n: usize) -> &[Vec<f64>] {
        let from = self.len().checked_sub(n).unwrap_or(self.len());
        &self.iterates[from..]
    }

    pub(super) fn len(&self) -> usize {
        self.iterates.len()
    }

    /// Returns the mean of the iterates and its standard errors; None if the iterates oscillate or their steps grow.
    pub(super) fn mean(&self, size: impl Fn(usize) -> f64) -> Option<(Vec<f64>, Vec<f64>)> {
        let (n, mean) = (self.iterates.len() as f64, self.average());
        let deviations = self.deviations(&mean, &size);
        let raw = autocorrelation(&deviations)?;
        let steps: Vec<f64> = deviations
            .windows(2)
            .map(|w| distance(&w[0], &w[1]).powi(2))
            .collect();
        let (early, late) = steps.split_at(steps.len() / 2);
        if raw < OSCILLATION || late.iter().sum::<f64>() > GROWTH * early.iter().sum::<f64>() {
            return None;
        }
        // Near the fixed point the iterates are a first-order autoregression, θₖ₊₁ − θ* = c(θₖ − θ*) + εₖ with Var ε = σ².
        // 1. The stationary variance is s² = σ²/(1 − c²), and the mean of n iterates varies by s²(1 + c)/(1 − c)/n.
        // 2. The noise of the data has the size of ε but stays the same in every step. The noise moves the fixed
        //    point by σ/(1 − c), a variance of σ²/(1 − c)² = s²(1 + c)/(1 − c).
        // The sum is the variance of the estimate, s²(1 + c)/(1 − c)(1 + 1/n). One c is estimated from all parameters
        // together, and s² for every parameter.
        let (least, most) = AUTOCORRELATIONS;
        let c = unbiased(raw, n).clamp(least, most);
        // Deviations from the mean of the window are smaller than those from θ*: E[Σd²] = n s² − n
        // Var(mean) = s²(n − (1 + c)/(1 − c)). For a window that passed the drift test,
        // n − (1 + c)/(1 − c) ≥ 2n/3.
        let freedom = (n - (1.0 + c) / (1.0 - c)).max(0.5 * n);
        let inflation = ((1.0 + c) / (1.0 - c) * (1.0 + n.recip())).sqrt();
        let error = |j: usize| {
            let squares = deviations.iter().map(|d| d[j] * d[j]).sum::<f64>();
            inflation * size(j) * (squares / freedom).sqrt()
        };
        let errors = (0..mean.len()).map(error).collect();
        Some((mean, errors))
    }
}

/// Removes the bias of an autocorrelation that was estimated from n values and their own mean.
fn unbiased(raw: f64, n: f64) -> f64 {
    // The estimate is too small by about (1 + 3c)/n (Kendall 1954): raw = c − (1 + 3c)/n, solved for c.
    (n * raw + 1.0) / (n - 3.0).max(1.0)
}

/// Returns the lag-one autocorrelation of deviations from a mean, for all parameters together, or None for three or
/// fewer deviations.
fn autocorrelation(deviations: &[Vec<f64>]) -> Option<f64> {
    let (mut product, mut square) = (0.0, 0.0);
    for w in deviations.windows(2) {
        product += dot(&w[0], &w[1]);
        square += dot(&w[0], &w[0]);
    }
    (deviations.len() > 3).then(|| if square > 0.0 { product / square } else { 0.0 })
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    norm(&difference)
}

/// Returns whether a step is a random fluctuation: hardly shorter than the last step, and in another
/// direction.
fn is_fluctuation(step: &[f64], last: &[f64]) -> bool {
    // Successive steps of a slow contraction are parallel; those of a fluctuation are not. Below 60° they count as parallel.
    // In the stationary autoregression successive steps have the correlation −(1 − c)/2: from θₖ₊₁ = cθₖ + ε
    // follow the variance 2s²(1 − c) of a step and the covariance −s²(1 − c)² of two successive ones. On
    // average they thus point in opposite directions.
    let aligned = dot(step, last) > 0.5 * norm(step) * norm(last);
    !last.is_empty() && !aligned && norm(step) > CONTRACTING * norm(last)
}
