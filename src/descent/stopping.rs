//! Stopping tests of a descent.

use serde::{Deserialize, Serialize};

use super::history::{Iterate, Move};
use super::remaining::Remaining;
use super::stop::{RESTING_STEPS, Stop};
use crate::check;
use crate::error::Result;
use crate::step::NEGLIGIBLE;

/// Tolerances of the stopping tests. 0 turns a test off; a gradient of exactly 0 always ends a run.
///
/// The remaining step is that of the undamped quadratic model at the current point. A run has converged if
/// this step predicts a negligible decrease of the objective or a negligible change of the parameters. With
/// the metric of the loss, neither test depends on the units of the parameters, on the scale of the objective
/// or on the start. For directions without this metric, such as [`Gradient`](crate::direction::Gradient), the remaining step
/// is the one with the current scale of the step rule, or with the first one if the scales follow a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tolerances {
    /// Decrease that the remaining step predicts, relative to the objective.
    ///
    /// For a sum of squares this ratio is the squared cosine of the angle between the residual and the tangent space of
    /// the model. At 1e-16 the parameters of a fit to n data are within about √n·10⁻⁸ standard errors of the minimum.
    pub decrease: f64,
    /// Largest change of a parameter by the remaining step, relative to the largest size of the parameter in the run.
    ///
    /// This test ends runs whose objective falls to zero.
    pub step: f64,
    /// Relative decrease of the objective in one full step, for directions that cannot predict the remaining
    /// decrease.
    pub loss: f64,
    /// Norm of the gradient relative to the start, ‖∇‖ / ‖∇ at the start‖. The test is off by default, because the
    /// ratio depends on the start and mixes the units of the parameters.
    pub gradient: f64,
    /// Objective at which the run stops.
    pub target: Option<f64>,
    /// Largest number of steps.
    pub iterations: usize,
}

impl Default for Tolerances {
    fn default() -> Self {
        Self {
            decrease: 1e-16,
            step: 1e-10,
            loss: 1e-15,
            gradient: 0.0,
            target: None,
            iterations: 1000,
        }
    }
}

/// Stopping test of a run: a value, and the limit below which it ends the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// Quantity that the test compares.
    pub name: &'static str,
    /// Value at the last point; ∞ if it is not known.
    pub value: f64,
    /// Limit; 0 if the test is off. The number of steps ends a run that reaches it.
    pub limit: f64,
}

impl Test {
    /// Returns value and limit as text: whole numbers as they are, and "–" for a value that is not known.
    pub fn texts(&self) -> [String; 2] {
        let (value, limit) = (self.value, self.limit);
        let whole = value.fract() == 0.0 && value.abs() < 1e6 && limit >= 1.0;
        match value == f64::INFINITY {
            true => ["–".to_string(), format!("{limit:.2e}")],
            false if whole => [format!("{value}"), format!("{limit}")],
            false => [format!("{value:.2e}"), format!("{limit:.2e}")],
        }
    }
}

/// Values that the stopping tests compare with the tolerances, at the end of a history; ∞ if unknown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ratios {
    /// Remaining decrease, relative to the objective.
    pub(super) decrease: f64,
    /// Largest relative change of a parameter by the remaining step.
    pub(super) step: f64,
    /// Relative decrease of the objective in the last step.
    pub(super) loss: f64,
    /// Norm ‖∇‖ of the gradient, relative to the norm at the start.
    pub(super) gradient: f64,
}

impl Ratios {
    /// Computes the values of all tests. Returns None before the first iterate.
    pub(super) fn of(history: &[Iterate], remaining: Option<&Remaining>) -> Option<Self> {
        let (first, last) = (history.first()?, history.last()?);
        let before = history.len().checked_sub(2).map(|i| &history[i]);
        let fall = |before: &Iterate| relative(before.loss - last.loss, before.loss);
        Some(Self {
            decrease: remaining.map_or(f64::INFINITY, |r| relative(r.decrease, last.loss)),
            step: remaining.map_or(f64::INFINITY, |r| r.step),
            loss: before.map_or(f64::INFINITY, fall),
            // At a start with zero gradient the ratio is 0, so that the run has converged.
            gradient: relative(last.gradient, first.gradient),
        })
    }
}

/// Returns part/|whole|, with 0/0 = 0.
fn relative(part: f64, whole: f64) -> f64 {
    if part == 0.0 { 0.0 } else { part / whole.abs() }
}

/// Largest relative decrease of the objective that is negligible, for all `RESTING_STEPS` steps together.
pub(crate) const NO_DECREASE: f64 = 1e-10;

/// Multiple of the rounding error of the objective below which a remaining decrease is hidden by rounding.
//
// Each value of the objective may be off by one such error. A trial shows a decrease with certainty only if
// it exceeds about ten such errors.
const HIDDEN: f64 = 10.0;

/// Negligible decrease predicted by a heavily damped step at a fold, relative to the objective.
const FLAT: f64 = 1e-12;

/// Largest relative change of the parameters in a tiny step. Longer steps may lead out of a narrow valley.
const TINY: f64 = 1e-6;

/// Returns the relative decrease of the objective over the last few steps, if all of them were tiny.
fn decrease_at_rest(history: &[Iterate]) -> Option<f64> {
    let start = history.len().checked_sub(RESTING_STEPS + 1)?;
    let (before, steps) = history[start..].split_first()?;
    let tiny = |i: &Iterate| i.step.is_some_and(|s| s.relative_step <= TINY);
    let last = steps.last().filter(|_| steps.iter().all(tiny))?;
    // A run whose remaining decrease halves over these steps still converges, however slowly. From the first
    // of five steps to the last, linear convergence with a factor c per step multiplies the remaining
    // decrease by c⁴. Only for c > 0.84 can it be mistaken for rest.
    let remaining = |i: &Iterate| i.step.and_then(|step| step.left);
    let both = remaining(&steps[0]).zip(remaining(last));
    if both.is_some_and(|(first, last)| last < 0.5 * first) {
        return None;
    }
    Some(relative(before.loss - last.loss, before.loss))
}

/// Threshold for the relative step and for the relative error of its predicted decrease. If both exceed it,
/// the last step casts doubt on the quadratic model.
//
// For a quadratic objective whose Hessian the model knows, the gain is 1. Third derivatives change the gain
// in proportion to the step. A long step with another gain shows such terms, or a wrong Hessian. The gain of
// a short step shows neither.
const UNPREDICTED: f64 = 1e-3;

/// Largest decrease predicted before the last step with which the loss test passes, as a multiple of the loss
/// tolerance.
const REMAINDER: f64 = 10.0;

/// What the steps of a run say of their decreases.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    /// First scale of the step rule.
    pub(crate) natural: f64,
    /// Whether the rule accepts every trial.
    pub(crate) scheduled: bool,
    /// Whether the gradient before the last step was that of a minimum, if the size of predictions is not known.
    pub(crate) level: bool,
}

impl Tolerances {
    pub(crate) fn check(&self) -> Result<()> {
        for (what, value) in [
            ("the decrease tolerance", self.decrease),
            ("the step tolerance", self.step),
            ("the loss tolerance", self.loss),
            ("the gradient tolerance", self.gradient),
        ] {
            let sound = value >= 0.0 && value.is_finite();
            check::option(
                what,
                value,
                sound,
                "give a small number, or 0 to turn the test off",
            )?;
        }
        let target = self.target.unwrap_or(0.0);
        check::option(
            "the target",
            target,
            !target.is_nan(),
            "give a number, or None",
        )
    }

    /// Returns the first test that the history passes. These tests need no direction at the current point.
    pub(crate) fn test_history(&self, history: &[Iterate], rule: Rule) -> Option<Stop> {
        let Rule {
            natural, scheduled, ..
        } = rule;
        let (ratios, last) = (Ratios::of(history, None)?, history.last()?);
        if last.gradient != 0.0 && passes(ratios.gradient, self.gradient) {
            return Some(Stop::Gradient {
                ratio: ratios.gradient,
            });
        }
        if self.target.is_some_and(|target| last.loss <= target) {
            return Some(Stop::Target { loss: last.loss });
        }
        let unknown = last.step.is_some_and(|step| step.left.is_none());
        // Where momentum turns round, steps and their decreases may be as small as at a minimum.
        let silent = scheduled && unknown;
        let change = last_change(history, natural).filter(|r| !silent && passes(*r, self.step));
        if let Some(ratio) = change {
            return Some(Stop::Step { ratio });
        }
        // An increase, as by a fixed step, is no sign of convergence.
        if !silent
            && rule.level
            && ratios.loss >= 0.0
            && passes(ratios.loss, self.loss)
            && self.ends_with_full_step(history, natural)
        {
            return Some(Stop::Loss { ratio: ratios.loss });
        }
        if let Some(ratio) = self.rests(history).filter(|_| unknown && !scheduled) {
            return Some(Stop::Rest { ratio });
        }
        let taken = last.iteration;
        (taken >= self.iterations).then_some(Stop::Iterations { taken })
    }

    /// Returns whether the last step was full and its decrease predicted, and little remained to gain before
    /// it.
    fn ends_with_full_step(&self, history: &[Iterate], natural: f64) -> bool {
        let [.., before, last] = history else {
            return false;
        };
        // A decrease that is small by chance, as when a long step passes the minimum, is no sign of
        // convergence if much remained to gain before the step.
        last.step.is_some_and(|step| {
            let remaining = step.left.map_or(0.0, |left| relative(left, before.loss));
            step.was_whole(natural) && !is_unpredicted(&step) && remaining <= REMAINDER * self.loss
        })
    }

    /// Returns the relative decrease over the last few steps, if these steps were tiny and achieved nothing.
    fn rests(&self, history: &[Iterate]) -> Option<f64> {
        let negligible = |r: &f64| self.loss > 0.0 && r.abs() <= NO_DECREASE;
        decrease_at_rest(history).filter(negligible)
    }

    /// Returns whether the remaining decrease is negligible, within rounding, or unreliable at a fold.
    pub(crate) fn is_exhausted(self, loss: f64, remaining: &Remaining) -> bool {
        // Near a minimum the undamped step predicts the distance f − f* to second order, so that a prediction below the
        // rounding error of f cannot be verified by any trial. At a fold, where a column of Z vanishes, the undamped step
        // divides by almost zero, and only the damped prediction is reliable.
        remaining.decrease <= (NO_DECREASE * loss.abs()).max(HIDDEN * remaining.rounding)
            || remaining.suspect.is_some() && remaining.damped <= FLAT * loss.abs()
    }

    /// Tests the remaining step and decrease, and returns the reason to stop if they are negligible.
    pub(crate) fn test_remaining(
        &self,
        history: &[Iterate],
        remaining: &Remaining,
    ) -> Option<Stop> {
        let (ratios, last) = (Ratios::of(history, Some(remaining))?, history.last()?);
        if last.gradient == 0.0 {
            return Some(Stop::Gradient { ratio: 0.0 });
        }
        // The undamped step η = −G⁻¹∇f predicts the decrease ½ ∇fᵀG⁻¹∇f. For f = ½‖r‖² with the Gauss-Newton matrix G = JᵀJ
        // it is ½‖P r‖², P the projection on the range of J. The ratio of this decrease to f is the squared cosine of
        // the angle between r and that range. The prediction is trusted under three conditions: it is no increase, its
        // size is right (the metric is the loss's, or a step had the right length), and the quadratic model was valid
        // for the last step.
        let settled = last.step.is_some_and(|step| step.settled);
        let sized = remaining.scaled || settled && is_level(history, remaining);
        let sound = remaining.decrease >= 0.0;
        let trusted = sound && sized && last.step.is_none_or(|step| !is_unpredicted(&step));
        if trusted && passes(ratios.decrease, self.decrease) {
            return Some(Stop::Decrease {
                ratio: ratios.decrease,
            });
        }
        if trusted && passes(ratios.step, self.step) && is_fulfilled(history, remaining) {
            return Some(Stop::Step { ratio: ratios.step });
        }
        let ratio = self.rests(history)?;
        match sound && sized && self.is_exhausted(last.loss, remaining) {
            true => Some(Stop::Loss { ratio }),
            // Momentum swings through small steps on its way.
            false if remaining.scheduled => None,
            false => Some(Stop::Rest { ratio }),
        }
    }
}

/// Returns the relative change of the parameters in the last step, if this step was full and the remaining
/// decrease is unknown.
fn last_change(history: &[Iterate], natural: f64) -> Option<f64> {
    let step = history.last()?.step?;
    (step.left.is_none() && step.was_whole(natural)).then_some(step.relative_step)
}

/// Returns whether a ratio is within a tolerance that is not turned off.
fn passes(ratio: f64, tolerance: f64) -> bool {
    tolerance > 0.0 && ratio <= tolerance
}

/// First-order change of the objective by a change of one parameter by its own size that is left at a minimum: relative to the
/// objective, and to the largest of the run.
const LEVEL: [f64; 2] = [1e-3, 1e-6];

/// Objective that is left of a perfect fit, relative to the largest of the run.
const PERFECT: f64 = 1e-10;

/// Returns whether the gradient is that of a minimum, for predictions whose size is not known.
pub(crate) fn is_level(history: &[Iterate], remaining: &Remaining) -> bool {
    // A direction that learns the curvature on its way may have learnt nothing yet of parameters in large units. Along steps that
    // hardly move them the objective seems to be at its minimum.
    let loss = history.last().map_or(0.0, |last| last.loss.abs());
    let most = history
        .iter()
        .fold(0.0_f64, |most, i| most.max(i.loss.abs()));
    remaining.slope <= (LEVEL[0] * loss).max(LEVEL[1] * remaining.steepest)
        || loss <= PERFECT * most
}

/// Returns whether the last step brought at least half of the decrease that the undamped model predicted
/// before it.
fn is_fulfilled(history: &[Iterate], remaining: &Remaining) -> bool {
    // A tiny remaining step may still predict a large relative decrease. The last steps to a perfect fit fulfil such
    // predictions, and steps close to a singularity do not. Predictions within rounding need not be fulfilled.
    if remaining.decrease <= NEGLIGIBLE * remaining.rounding {
        return true;
    }
    let [.., before, last] = history else {
        return false;
    };
    let predicted = last.step.and_then(|step| step.left);
    predicted.is_some_and(|predicted| before.loss - last.loss >= 0.5 * predicted)
}

/// Returns whether a step was long and its decrease differed from the prediction of the quadratic model.
fn is_unpredicted(step: &Move) -> bool {
    let predicted = (step.gain - 1.0).abs() <= UNPREDICTED;
    step.relative_step > UNPREDICTED && !predicted
}
