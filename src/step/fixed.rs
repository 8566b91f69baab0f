//! Steps of constant scale.

use super::{Judge, StepRule, Trial, Verdict, positive};
use crate::error::Result;

/// Steps with the constant scale τ, accepted wherever the loss is finite.
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    /// Scale τ of every step.
    pub scale: f64,
}

impl Default for Fixed {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

impl StepRule for Fixed {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(*self)
    }

    fn check(&self) -> Result<()> {
        positive("the scale of a fixed step", self.scale)
    }

    fn name(&self) -> &'static str {
        "fixed"
    }
}

impl Judge for Fixed {
    fn first(&self) -> (f64, f64) {
        (self.scale, 0.0)
    }

    fn is_scheduled(&self) -> bool {
        true
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        if trial.trial_loss.is_finite() {
            Verdict::Accept
        } else {
            Verdict::GiveUp
        }
    }
}
