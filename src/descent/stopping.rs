//! When a descent ends, and with which numbers.

use super::history::{Iterate, Move};
use super::outlook::Outlook;
use super::stop::Stop;
use crate::check;
use crate::error::Result;
use crate::step::NEGLIGIBLE;

/// When to stop. A run has converged when the step that is left, that of the undamped quadratic model at the present
/// point, promises next to nothing or changes next to nothing. With the loss's own metric neither test depends on the units
/// of the parameters, on the scale of the objective or on the start; `Gradient` knows no more than the step that its scale
/// would take. 0 turns a test off; a gradient of exactly 0 always ends a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    /// The decrease that the step that is left promises, relative to the objective. For a sum of squares it is the square of
    /// the cosine between the residual and what the parameters can change: at 1e-16 the parameters of a fit to n data are
    /// within about √n·10⁻⁸ standard errors of the minimum.
    pub decrease: f64,
    /// The largest change of a parameter by the step that is left, relative to the largest size that the parameter has had in
    /// the run. It ends runs whose objective falls to zero.
    pub step: f64,
    /// The relative decrease of the objective in one whole step, where directions cannot tell what is left.
    pub loss: f64,
    /// ‖∇‖ / ‖∇ at the start‖; off by default, because it depends on the start and mixes the units of the parameters.
    pub gradient: f64,
    /// An objective that is good enough.
    pub target: Option<f64>,
    /// Steps allowed.
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

/// The numbers of the tests at the end of a history; ∞ where a number is not known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ratios {
    /// The decrease that is left, relative to the objective.
    pub(super) decrease: f64,
    /// The change of the parameters that is left.
    pub(super) step: f64,
    /// The relative decrease in the last step.
    pub(super) loss: f64,
    pub(super) gradient: f64,
}

impl Ratios {
    /// None before the first iterate.
    pub(super) fn of(history: &[Iterate], left: Option<&Outlook>) -> Option<Self> {
        let (first, last) = (history.first()?, history.last()?);
        let before = history.len().checked_sub(2).map(|i| &history[i]);
        let fall = |before: &Iterate| relative(before.loss - last.loss, before.loss);
        Some(Self {
            decrease: left.map_or(f64::INFINITY, |left| relative(left.decrease, last.loss)),
            step: left.map_or(f64::INFINITY, |left| left.step),
            loss: before.map_or(f64::INFINITY, fall),
            // A start without any gradient has converged.
            gradient: relative(last.gradient, first.gradient),
        })
    }
}

/// Nothing is a small part of anything.
fn relative(part: f64, whole: f64) -> f64 {
    if part == 0.0 { 0.0 } else { part / whole.abs() }
}

/// Steps in a row that must achieve nothing for a run to be at rest, and the relative decrease that is nothing for
/// all of them together.
pub(super) const REST: usize = 5;
pub(super) const STILL: f64 = 1e-10;

/// So many rounding errors of the objective hide what is left.
const LOST: f64 = 10.0;

/// Beside a fold, the promise of a heavily damped step, relative to the objective, that is nothing where steps achieve nothing.
const FLAT: f64 = 1e-12;

/// Relative changes of the parameters in all of these steps; longer ones may lead out of a narrow valley.
const TINY: f64 = 1e-6;

/// The relative decrease of the objective over the last few steps, if all of them were tiny.
fn rest(history: &[Iterate]) -> Option<f64> {
    let start = history.len().checked_sub(REST + 1)?;
    let (before, steps) = history[start..].split_first()?;
    let tiny = |i: &Iterate| i.step.is_some_and(|s| s.relative_step <= TINY);
    let last = steps.last().filter(|_| steps.iter().all(tiny))?;
    // As long as less and less is left to gain, the run is on its way, however slowly.
    let left = |i: &Iterate| i.step.and_then(|step| step.left);
    let progress = left(&steps[0]).zip(left(last));
    if progress.is_some_and(|(first, last)| last < 0.5 * first) {
        return None;
    }
    Some(relative(before.loss - last.loss, before.loss))
}

/// A last step longer than this, relative to the parameters, moved; and so does one whose outcome the quadratic model
/// missed by more than this.
const MOVED: f64 = 1e-3;

/// What may have been left before a last step that is taken for the end, as a multiple of the tolerance of the loss.
const LITTLE: f64 = 10.0;

impl Tolerances {
    pub(super) fn check(&self) -> Result<()> {
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

    /// The first test that the end of the history passes, before a direction is looked for.
    pub(super) fn judge(&self, history: &[Iterate], natural: f64) -> Option<Stop> {
        let (ratios, last) = (Ratios::of(history, None)?, history.last()?);
        if last.gradient != 0.0 && passes(ratios.gradient, self.gradient) {
            return Some(Stop::Gradient {
                ratio: ratios.gradient,
            });
        }
        if self.target.is_some_and(|target| last.loss <= target) {
            return Some(Stop::Target { loss: last.loss });
        }
        if let Some(ratio) = last_change(history, natural).filter(|r| passes(*r, self.step)) {
            return Some(Stop::Step { ratio });
        }
        // An increase (a fixed step may bring one) is no convergence.
        if ratios.loss >= 0.0 && passes(ratios.loss, self.loss) && self.was_last(history, natural) {
            return Some(Stop::Loss { ratio: ratios.loss });
        }
        let unknown = last.step.is_some_and(|step| step.left.is_none());
        if let Some(ratio) = self.rests(history).filter(|_| unknown) {
            return Some(Stop::Rest { ratio });
        }
        let taken = last.iteration;
        (taken >= self.iterations).then_some(Stop::Iterations { taken })
    }

    /// Whether the last step was whole, and no more was left before it than it took.
    fn was_last(&self, history: &[Iterate], natural: f64) -> bool {
        let [.., before, last] = history else {
            return false;
        };
        last.step.is_some_and(|step| {
            let left = step.left.map_or(0.0, |left| relative(left, before.loss));
            step.was_whole(natural) && !moved(&step) && left <= LITTLE * self.loss
        })
    }

    /// Whether step after step achieved nothing.
    fn rests(&self, history: &[Iterate]) -> Option<f64> {
        let still = |r: &f64| self.loss > 0.0 && r.abs() <= STILL;
        rest(history).filter(still)
    }

    /// Whether next to nothing is left to gain by what directions promise.
    pub(super) fn is_exhausted(self, loss: f64, left: &Outlook) -> bool {
        left.decrease <= (STILL * loss.abs()).max(LOST * left.rounding)
            || left.suspect.is_some() && left.damped <= FLAT * loss.abs()
    }

    /// Whether what is left is nothing: the run ends here, and has converged unless the last step still moved or the
    /// size of the promise is not known yet.
    pub(super) fn settled(&self, history: &[Iterate], left: &Outlook) -> Option<Stop> {
        let (ratios, last) = (Ratios::of(history, Some(left))?, history.last()?);
        if last.gradient == 0.0 {
            return Some(Stop::Gradient { ratio: 0.0 });
        }
        let sized = left.scaled || last.step.is_some_and(|step| step.settled);
        // A model that promises an increase promises nothing that can be believed.
        let sound = left.decrease >= 0.0;
        let trusted = sound && sized && last.step.is_none_or(|step| !moved(&step));
        if trusted && passes(ratios.decrease, self.decrease) {
            return Some(Stop::Decrease {
                ratio: ratios.decrease,
            });
        }
        if trusted && passes(ratios.step, self.step) && kept(history, left) {
            return Some(Stop::Step { ratio: ratios.step });
        }
        let ratio = self.rests(history)?;
        Some(if sound && sized && self.is_exhausted(last.loss, left) {
            Stop::Loss { ratio }
        } else {
            Stop::Rest { ratio }
        })
    }
}

/// The relative change of the parameters in the last step, where it was whole and nobody knows what is left.
fn last_change(history: &[Iterate], natural: f64) -> Option<f64> {
    let step = history.last()?.step?;
    (step.left.is_none() && step.was_whole(natural)).then_some(step.relative_step)
}

/// A tolerance of 0 is a test that is off.
fn passes(ratio: f64, tolerance: f64) -> bool {
    tolerance > 0.0 && ratio <= tolerance
}

/// Whether the last step brought most of what the undamped model had promised before it, so that a promise of much by
/// next to no step can be believed: it is kept by the last steps to a perfect fit, and broken beside a singularity.
/// Promises within rounding need not be kept.
fn kept(history: &[Iterate], left: &Outlook) -> bool {
    if left.decrease <= NEGLIGIBLE * left.rounding {
        return true;
    }
    let [.., before, last] = history else {
        return false;
    };
    let promised = last.step.and_then(|step| step.left);
    promised.is_some_and(|promised| before.loss - last.loss >= 0.5 * promised)
}

/// Whether a step was long, and not to where the quadratic model had its minimum.
fn moved(step: &Move) -> bool {
    let predicted = (step.gain - 1.0).abs() <= MOVED;
    step.relative_step > MOVED && !predicted
}
