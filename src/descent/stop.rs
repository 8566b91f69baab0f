//! Reasons for stopping a descent.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Number of successive tiny steps after which a run counts as at rest.
pub(super) const RESTING_STEPS: usize = 5;

/// Reason for stopping a run, with the value that decided the test.
///
/// The remaining step is that of the undamped quadratic model at the last point (see [`Tolerances`](super::Tolerances)).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Stop {
    /// The remaining step predicts a negligible decrease.
    Decrease {
        /// Predicted decrease, relative to the objective.
        ratio: f64,
    },
    /// The gradient is zero, or small relative to the start.
    Gradient {
        /// Norm of the gradient relative to the start, ‖∇‖ / ‖∇ at the start‖.
        ratio: f64,
    },
    /// The remaining step does not change the parameters.
    Step {
        /// Largest relative change of a parameter by the remaining step.
        ratio: f64,
    },
    /// The last full step, or all trials, changed the objective by a negligible amount, and the decrease that
    /// remains is negligible.
    Loss {
        /// Relative decrease of the objective in the last step or steps, or 0 if no trial was accepted.
        ratio: f64,
    },
    /// The objective reached the target.
    Target {
        /// Objective at the last point.
        loss: f64,
    },
    /// Successive steps were tiny and did not reduce the objective, although a decrease is predicted. The objective has a kink
    /// or noise, or a derivative is wrong.
    Rest {
        /// Relative decrease of the objective over the last steps.
        ratio: f64,
    },
    /// The run came to rest where a parameter has lost its effect on the state, so that the objective does not
    /// determine the parameter.
    Lost {
        /// Index of the parameter that has lost its effect.
        parameter: usize,
    },
    /// The run came to rest above an earlier point. The report returns that point.
    Above {
        /// Objective where the run came to rest.
        loss: f64,
        /// Lowest objective of the run.
        best: f64,
    },
    /// The iteration limit was reached.
    Iterations {
        /// Number of steps that were taken.
        taken: usize,
    },
    /// No trial step was acceptable.
    Stalled {
        /// Number of trials at the last point.
        trials: usize,
        /// Slope ∇f·η along the last direction, which is not negative if the direction does not descend.
        slope: f64,
    },
    /// The observer stopped the run.
    Observer,
    /// The run has not ended yet.
    Unfinished,
}

impl Stop {
    /// Returns whether the run converged or reached its target.
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

    /// Returns the reason in a word or two, for tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Decrease { .. } => "decrease",
            Self::Gradient { .. } => "gradient",
            Self::Step { .. } => "step",
            Self::Loss { .. } => "loss",
            Self::Target { .. } => "target",
            Self::Rest { .. } => "at rest",
            Self::Lost { .. } => "lost parameter",
            Self::Above { .. } => "above its best point",
            Self::Iterations { .. } => "iteration limit",
            Self::Stalled { .. } => "stalled",
            Self::Observer => "observer",
            Self::Unfinished => "unfinished",
        }
    }

    /// Returns whether the gradient has vanished or steps became negligible, as at a minimum or a saddle.
    pub(super) fn is_stationary(&self) -> bool {
        self.is_rest() || matches!(self, Self::Gradient { .. })
    }

    /// Returns a remark on standard errors at the end of the run, which are those of a minimum.
    pub(super) fn remark(&self) -> Option<String> {
        match self {
            Self::Target { .. } => Some(
                "the run ended at its target, which need not be a minimum: errors and intervals are only rough".to_string(),
            ),
            _ if self.converged() => None,
            _ => Some(format!(
                "the run did not converge ({}): values, errors and intervals are not those of a minimum",
                self.name()
            )),
        }
    }

    /// Returns whether the run ended because steps became negligible.
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
            Self::Decrease { .. } => {
                write!(
                    f,
                    "converged: the predicted decrease of the objective is negligible"
                )
            }
            Self::Gradient { .. } => write!(f, "converged: the gradient has vanished"),
            Self::Step { .. } => write!(f, "converged: the parameters no longer change"),
            Self::Loss { .. } => write!(f, "converged: the objective no longer decreases"),
            Self::Target { loss } => {
                write!(f, "converged: the objective {loss:.3e} reached its target")
            }
            Self::Rest { ratio } => write!(
                f,
                "not converged: the last {RESTING_STEPS} steps were tiny and reduced the objective by a relative {ratio:.1e}, \
                 although a larger decrease is predicted; look for a kink or noise in the objective, or a wrong derivative \
                 (`verify::gradient`)"
            ),
            Self::Lost { parameter } => write!(
                f,
                "not converged: θ{parameter} has lost its effect on the state, so that the objective does not determine it; \
                 start closer to the parameters that generated the data, set bounds, or add a prior"
            ),
            Self::Above { loss, best } => write!(
                f,
                "not converged: the run came to rest at an objective of {loss:.3e}, above the {best:.3e} of an earlier point; \
                 take shorter steps, or use a step rule that accepts no increase"
            ),
            Self::Iterations { taken } => write!(
                f,
                "not converged: the limit of {taken} steps was reached; allow more steps (`Tolerances::iterations`)"
            ),
            Self::Stalled { slope, .. } if *slope >= 0.0 => write!(
                f,
                "stalled: the direction does not descend (slope {slope:.1e}); check that the metric sees the \
                 gradient: a metric of samples needs the field of the loss among its potentials, and no metric may keep a mass that the \
                 model changes; and check the derivatives with `verify::gradient`"
            ),
            Self::Stalled { trials, slope } => write!(
                f,
                "stalled: none of {trials} trial steps along the direction (slope {slope:.1e}) was acceptable; check the \
                 derivatives with `verify::gradient` unless the objective is close to its minimum"
            ),
            Self::Observer => write!(f, "stopped by the observer"),
            Self::Unfinished => write!(f, "not finished: take further steps"),
        }
    }
}
