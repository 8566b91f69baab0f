//! When a descent ends, and with which numbers.

use std::fmt;

use super::iterate::{Iterate, Move};
use crate::check;
use crate::error::Result;

/// When to stop. Tests are relative (but for the target), and 0 turns one off; a gradient of exactly 0 always ends
/// a run. The gradient's norm mixes the units of the parameters: where these differ by orders of magnitude, rely on
/// the step, or bring parameters to similar sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    /// ‖∇‖ / ‖∇ at the start‖.
    pub gradient: f64,
    /// The largest relative change of a parameter in one step.
    pub step: f64,
    /// The relative decrease of the objective in one step.
    pub loss: f64,
    /// An objective that is good enough.
    pub target: Option<f64>,
    /// Steps allowed.
    pub iterations: usize,
}

impl Default for Tolerances {
    fn default() -> Self {
        Self {
            gradient: 1e-10,
            step: 1e-10,
            loss: 1e-13,
            target: None,
            iterations: 100,
        }
    }
}

/// Why a run ended, with the numbers of the test.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stop {
    /// The gradient fell enough, relative to the start.
    Gradient {
        /// ‖∇‖ / ‖∇ at the start‖.
        ratio: f64,
    },
    /// The last step changed θ by next to nothing.
    Step {
        /// Its relative size.
        ratio: f64,
    },
    /// The last step changed the objective by next to nothing.
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
            Self::Gradient { .. } | Self::Step { .. } | Self::Loss { .. } | Self::Target { .. }
        )
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gradient { .. } => write!(f, "converged: the gradient has vanished"),
            Self::Step { .. } => write!(f, "converged: the parameters no longer change"),
            Self::Loss { .. } => write!(f, "converged: the objective no longer falls"),
            Self::Target { loss } => {
                write!(f, "converged: the objective {loss:.3e} reached its target")
            }
            Self::Rest { ratio } => write!(
                f,
                "at rest: the last {REST} steps, all tiny, reduced the objective by {ratio:.1e} of itself, though its \
                 gradient has not vanished; it may have a kink here, or noise"
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

/// The numbers of the tests at the end of a history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ratios {
    pub(super) gradient: f64,
    pub(super) step: f64,
    pub(super) loss: f64,
}

impl Ratios {
    /// None before the first iterate; ∞ for tests that need a step that was not yet taken.
    pub(super) fn of(history: &[Iterate]) -> Option<Self> {
        let (first, last) = (history.first()?, history.last()?);
        let before = history.len().checked_sub(2).map(|i| &history[i]);
        let fall = |before: &Iterate| (before.loss - last.loss) / before.loss.abs();
        Some(Self {
            // A start without any gradient has converged.
            gradient: if last.gradient == 0.0 {
                0.0
            } else {
                last.gradient / first.gradient
            },
            step: last.step.map_or(f64::INFINITY, |s| s.relative_step),
            loss: before.map_or(f64::INFINITY, |b| {
                if b.loss == last.loss { 0.0 } else { fall(b) }
            }),
        })
    }
}

/// A gradient ratio at which a step may be cut back and still be taken for the last.
const FALLEN: f64 = 1e-3;

/// Steps in a row that must achieve nothing for a run to be at rest, and the relative decrease that is nothing for
/// all of them together.
const REST: usize = 5;
const STILL: f64 = 1e-10;

/// Relative changes of the parameters in all of these steps; longer ones may lead out of a narrow valley.
const TINY: f64 = 1e-6;

/// The relative decrease of the objective over the last few steps, if all of them were tiny.
fn rest(history: &[Iterate]) -> Option<f64> {
    let start = history.len().checked_sub(REST + 1)?;
    let (before, steps) = history[start..].split_first()?;
    let tiny = |i: &Iterate| i.step.is_some_and(|s| s.relative_step <= TINY);
    let last = steps.last().filter(|_| steps.iter().all(tiny))?;
    Some((before.loss - last.loss) / before.loss.abs())
}

impl Tolerances {
    pub(super) fn check(&self) -> Result<()> {
        for (what, value) in [
            ("the gradient tolerance", self.gradient),
            ("the step tolerance", self.step),
            ("the loss tolerance", self.loss),
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

    /// The first test that the end of the history passes.
    pub(super) fn judge(&self, history: &[Iterate], natural: f64) -> Option<Stop> {
        let (ratios, last) = (Ratios::of(history)?, history.last()?);
        let taken = last.iteration;
        // A tolerance of 0 is a test that is off; only a gradient of exactly 0 leaves nothing to do.
        let passes = |ratio: f64, tolerance: f64| tolerance > 0.0 && ratio <= tolerance;
        if passes(ratios.gradient, self.gradient) || ratios.gradient == 0.0 {
            return Some(Stop::Gradient {
                ratio: ratios.gradient,
            });
        }
        if self.target.is_some_and(|target| last.loss <= target) {
            return Some(Stop::Target { loss: last.loss });
        }
        // Once the gradient has fallen a good way, any short step is an end.
        let whole = |step: &Move| step.was_whole(natural);
        let free = ratios.gradient <= FALLEN || last.step.as_ref().is_none_or(whole);
        if free && passes(ratios.step, self.step) {
            return Some(Stop::Step { ratio: ratios.step });
        }
        // An increase (a fixed step may bring one) is no convergence.
        if free && ratios.loss >= 0.0 && passes(ratios.loss, self.loss) {
            return Some(Stop::Loss { ratio: ratios.loss });
        }
        let still = |r: &f64| self.loss > 0.0 && r.abs() <= STILL;
        if let Some(ratio) = rest(history).filter(still) {
            return Some(Stop::Rest { ratio });
        }
        (taken >= self.iterations).then_some(Stop::Iterations { taken })
    }
}
