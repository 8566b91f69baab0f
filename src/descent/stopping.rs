//! When a descent ends, and with which numbers.

use std::fmt;

use super::iterate::{Iterate, Move};
use super::outlook::Outlook;
use crate::check;
use crate::error::Result;
use crate::step::NEGLIGIBLE;

/// When to stop. A run has converged when the step that is left, that of the undamped quadratic model at the present
/// point, promises next to nothing or changes next to nothing. Neither test depends on the units of the parameters, on
/// the scale of the objective or on the start. 0 turns a test off; a gradient of exactly 0 always ends a run.
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

/// Why a run ended, with the numbers of the test.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stop {
    /// The step that is left promises a negligible decrease.
    Decrease {
        /// The decrease, relative to the objective.
        ratio: f64,
    },
    /// The gradient is zero, or fell enough relative to the start.
    Gradient {
        /// ‖∇‖ / ‖∇ at the start‖.
        ratio: f64,
    },
    /// The step that is left changes no parameter.
    Step {
        /// Its largest relative change.
        ratio: f64,
    },
    /// The last step was a whole one and changed the objective by next to nothing.
    Loss {
        /// Its relative decrease.
        ratio: f64,
    },
    /// The objective reached the target.
    Target {
        /// The objective.
        loss: f64,
    },
    /// Step after step was tiny and changed the objective by next to nothing, though the gradient has not vanished: a
    /// kink, noise in the objective, or a wrong derivative.
    Rest {
        /// The relative decrease over the last steps.
        ratio: f64,
    },
    /// The run came to rest where a parameter that had an effect on the state has none: the objective cannot tell where it
    /// should be.
    Lost {
        /// The parameter.
        parameter: usize,
    },
    /// The run came to rest above a point that it had passed, which is the one handed back.
    Above {
        /// The objective where it came to rest.
        loss: f64,
        /// The lowest objective.
        best: f64,
    },
    /// The iteration limit.
    Iterations {
        /// Steps taken.
        taken: usize,
    },
    /// No step was acceptable.
    Stalled {
        /// Trials made at the last point.
        trials: usize,
        /// ∇f·η along the last direction: not negative if that does not descend at all.
        slope: f64,
    },
    /// The observer asked for it.
    Observer,
}

impl Stop {
    /// Whether the run ended because it was done.
    pub fn converged(&self) -> bool {
        matches!(
            self,
            Self::Decrease { .. }
                | Self::Gradient { .. }
                | Self::Step { .. }
                | Self::Loss { .. }
                | Self::Target { .. }
        )
    }

    /// Whether the run ended because nothing moved any more.
    pub(super) fn is_rest(&self) -> bool {
        matches!(
            self,
            Self::Decrease { .. } | Self::Step { .. } | Self::Loss { .. }
        )
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decrease { .. } => write!(f, "converged: there is nothing left to gain"),
            Self::Gradient { .. } => write!(f, "converged: the gradient has vanished"),
            Self::Step { .. } => write!(f, "converged: the parameters no longer change"),
            Self::Loss { .. } => write!(f, "converged: the objective no longer falls"),
            Self::Target { loss } => {
                write!(f, "converged: the objective {loss:.3e} reached its target")
            }
            Self::Rest { ratio } => write!(
                f,
                "at rest: the last {REST} steps, all tiny, reduced the objective by {ratio:.1e} of itself, though its \
                 gradient has not vanished; it may have a kink \
                 here, or noise, or a wrong derivative (see `verify::gradient`)"
            ),
            Self::Lost { parameter } => write!(
                f,
                "not converged: θ{parameter} has lost its effect on the state, so that the objective cannot tell where it \
                 should be; start closer to the data, give it bounds, or add a prior"
            ),
            Self::Above { loss, best } => write!(
                f,
                "not converged: the run came to rest at an objective of {loss:.3e}, above the {best:.3e} of an earlier \
                 point; take shorter steps, or a step rule that accepts no increase"
            ),
            Self::Iterations { taken } => write!(f, "not converged: the limit of {taken} steps"),
            Self::Stalled { slope, .. } if *slope >= 0.0 => write!(
                f,
                "stalled: the direction does not descend (slope {slope:.1e}); does the metric keep a mass that the \
                 model changes, or is a derivative wrong (see `verify::gradient`)?"
            ),
            Self::Stalled { trials, slope } => write!(
                f,
                "stalled: none of {trials} trials along the direction (slope {slope:.1e}) was acceptable; if that is \
                 far from a minimum, check the derivatives with `verify::gradient`"
            ),
            Self::Observer => write!(f, "stopped by the observer"),
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
const REST: usize = 5;
pub(super) const STILL: f64 = 1e-10;

/// So many rounding errors of the objective hide what is left.
const LOST: f64 = 10.0;

/// The promise of a heavily damped step, relative to the objective, that is nothing where steps achieve nothing.
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
            step.was_whole(natural) && left <= LITTLE * self.loss
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
            || left.damped <= FLAT * loss.abs()
    }

    /// Whether what is left is nothing: the run ends here, and has converged unless the last step still moved or the
    /// size of the promise is not known yet.
    pub(super) fn settled(&self, history: &[Iterate], left: &Outlook) -> Option<Stop> {
        let (ratios, last) = (Ratios::of(history, Some(left))?, history.last()?);
        if last.gradient == 0.0 {
            return Some(Stop::Gradient { ratio: 0.0 });
        }
        let sized = left.scaled || last.step.is_some_and(|step| step.settled);
        let trusted = sized && last.step.is_none_or(|step| !moved(&step));
        if trusted && passes(ratios.decrease, self.decrease) {
            return Some(Stop::Decrease {
                ratio: ratios.decrease,
            });
        }
        if trusted && passes(ratios.step, self.step) && kept(history, left) {
            return Some(Stop::Step { ratio: ratios.step });
        }
        let ratio = self.rests(history)?;
        Some(if sized && self.is_exhausted(last.loss, left) {
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
