//! Why a descent ended.

use std::fmt;

use super::stopping::REST;

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
    /// The last whole step, or all trials, changed the objective by next to nothing, and next to nothing is left to gain.
    Loss {
        /// Its relative decrease.
        ratio: f64,
    },
    /// The objective reached the target.
    Target {
        /// The objective.
        loss: f64,
    },
    /// Step after step was tiny and changed the objective by next to nothing, though more should be to gain: a kink, noise in
    /// the objective, or a wrong derivative.
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
    /// The run has not ended yet.
    Unfinished,
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
                "at rest: the last {REST} steps, all tiny, reduced the objective by {ratio:.1e} of itself, though more should be \
                 to gain; it may have a kink here, or noise, or a wrong derivative (see `verify::gradient`)"
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
            Self::Unfinished => write!(f, "not finished: take further steps"),
        }
    }
}
