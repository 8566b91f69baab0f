//! Iterates of a descent, and the steps that led to them.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use crate::saving::forms::Name;
use crate::step::Trial;

/// Step that led to an iterate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// Size of the step, maxᵢ |Δθᵢ|/|θᵢ|, with the larger |θᵢ| of the two ends of the step.
    pub relative_step: f64,
    /// Factor by which the direction was multiplied.
    pub scale: f64,
    /// Damping with which the direction was computed.
    pub damping: f64,
    /// Number of trials until the step was accepted.
    pub trials: usize,
    /// Scale of the step times the decrease that the quadratic model predicts for a full step.
    pub predicted: f64,
    /// Decrease of the objective divided by `predicted`: near 1 where the quadratic model holds, NaN where rounding
    /// hides the decrease.
    pub gain: f64,
    /// Decrease that the undamped model predicted before the step, if the direction provides this prediction.
    pub left: Option<f64>,
    /// Whether a longer step would hardly have been better, because the length was about right or nothing remained to gain.
    pub settled: bool,
}

impl Move {
    /// Returns whether the step would be short only near a minimum.
    ///
    /// This excludes steps that were cut back or strongly damped, and steps whose scale is much smaller than
    /// `natural`, the first scale of the step rule.
    pub(super) fn was_whole(&self, natural: f64) -> bool {
        self.settled && self.trials == 1 && self.damping <= 1.0 && self.scale >= 0.1 * natural
    }

    /// Describes the step of an accepted trial. `sized` says whether steps are known to have about the right length.
    pub(crate) fn new(from: &[f64], to: &[f64], trial: &Trial, sized: bool) -> Self {
        let change = |(a, b): (&f64, &f64)| {
            // The change is relative to the larger |θᵢ| of both ends. Relative to the smaller, it would be
            // unbounded for a parameter that tends to 0.
            let size = a.abs().max(b.abs());
            if size > 0.0 {
                (b - a).abs() / size
            } else {
                0.0
            }
        };
        Self {
            relative_step: from.iter().zip(to).map(change).fold(0.0, f64::max),
            scale: trial.scale,
            damping: trial.damping,
            trials: trial.attempt + 1,
            predicted: trial.scale * trial.predicted,
            gain: if trial.is_resolved() {
                trial.gain()
            } else {
                f64::NAN
            },
            left: None,
            // The length was about right if the parabola through the slope and the two values has its minimum
            // at no more than twice the scale.
            settled: (trial.is_resolved() || sized)
                && (trial.parabola() <= 2.0 * trial.scale || trial.indistinguishable()),
        }
    }
}

/// One iterate of a descent. `Display` prints a table row, preceded by the table header for iterate 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Iterate {
    /// Number of the iterate, 0 at the start.
    pub iteration: usize,
    /// Parameters θ of the iterate.
    pub theta: Vec<f64>,
    /// Objective f(ρ) + R(θ).
    pub loss: f64,
    /// Penalty R(θ) of the priors.
    pub penalty: f64,
    /// Norm ‖∇‖₂ of the gradient over the free parameters, in the coordinates of the descent.
    pub gradient: f64,
    /// Step that led to the iterate, or None at the start.
    pub step: Option<Move>,
    /// Name of the metric for the next step.
    #[serde(deserialize_with = "crate::saving::forms::name")]
    pub metric: Name,
    /// Cost of the run up to the iterate.
    pub counts: Counts,
    /// Seconds since the start of the run.
    pub seconds: f64,
}

impl fmt::Display for Iterate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.iteration == 0 {
            writeln!(
                f,
                "{:>4}  {:>14}  {:>9}  {:>9}  {:>8}  {:>8}  {:>6}  {:>6}",
                "iter", "loss", "gradient", "step", "scale", "damping", "trials", "solves"
            )?;
        }
        write!(
            f,
            "{:>4}  {:>14.7e}  {:>9.2e}",
            self.iteration, self.loss, self.gradient
        )?;
        match &self.step {
            None => write!(f, "  {:>9}  {:>8}  {:>8}  {:>6}", "", "", "", "")?,
            Some(s) => write!(
                f,
                "  {:>9.2e}  {:>8.2e}  {:>8.1e}  {:>6}",
                s.relative_step, s.scale, s.damping, s.trials
            )?,
        }
        let c = &self.counts;
        let solves = c.newton_solves + c.tangent_solves + c.adjoint_solves + c.metric_solves;
        write!(f, "  {solves:>6}")
    }
}

/// Iterate with its state, passed to observers. A snapshot dereferences to the [`Iterate`] and prints like the iterate.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// Iterate, as in the history.
    pub iterate: &'a Iterate,
    /// State ρ(θ) of the iterate.
    pub rho: &'a [f64],
}

impl Deref for Snapshot<'_> {
    type Target = Iterate;

    fn deref(&self) -> &Iterate {
        self.iterate
    }
}

impl fmt::Display for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iterate.fmt(f)
    }
}

/// Decision of an observer after an iterate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// Continue the run.
    #[default]
    Continue,
    /// Stop the run.
    Stop,
}

/// An observer that returns nothing continues the run.
impl From<()> for Control {
    fn from((): ()) -> Self {
        Self::Continue
    }
}
