//! Steps whose scale decays.

use serde::{Deserialize, Serialize};

use super::{Judge, Remembered, StepRule, Trial, Verdict, positive};
use crate::check;
use crate::error::Result;

/// Steps with the scale τ/(1 + k/n)^q in step k, accepted wherever the loss is finite.
///
/// The exponents ½ < q ≤ 1 are those for which steps along noisy gradients converge (Robbins and Monro 1951).
#[derive(Clone, Copy, Debug)]
pub struct Decaying {
    /// Scale τ of the first step.
    pub scale: f64,
    /// Number n of steps after which the scale has fallen by the factor 2^−q.
    pub steps: f64,
    /// Exponent q, at most 1.
    pub power: f64,
}

impl Decaying {
    /// Default options, as a constant to borrow.
    pub(crate) const STANDARD: &'static Self = &Self {
        scale: 1.0,
        steps: 100.0,
        power: 1.0,
    };
}

impl Default for Decaying {
    fn default() -> Self {
        *Self::STANDARD
    }
}

impl StepRule for Decaying {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(Schedule {
            rule: *self,
            taken: 0,
        })
    }

    fn check(&self) -> Result<()> {
        positive("the first scale of decaying steps", self.scale)?;
        positive("the number of steps of a decay", self.steps)?;
        check::option(
            "the exponent of decaying steps",
            self.power,
            self.power > 0.0 && self.power <= 1.0,
            "give a number above 0 and at most 1: with a larger one the steps have a finite sum, and the run may end on the way",
        )
    }

    fn name(&self) -> &'static str {
        "decaying"
    }
}

/// Schedule in one run.
#[derive(Serialize, Deserialize)]
struct Schedule {
    #[serde(skip)]
    rule: Decaying,
    /// Number of steps so far.
    taken: u64,
}

impl Judge for Schedule {
    fn first(&self) -> (f64, f64) {
        let Decaying {
            scale,
            steps,
            power,
        } = self.rule;
        let decayed = scale * (1.0 + self.taken as f64 / steps).powf(-power);
        // After any number of steps the scale stays a positive number.
        (decayed.max(f64::MIN_POSITIVE), 0.0)
    }

    fn is_scheduled(&self) -> bool {
        true
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        if !trial.trial_loss.is_finite() {
            return Verdict::GiveUp;
        }
        self.taken += 1;
        Verdict::Accept
    }

    fn memory(&self) -> Result<Remembered> {
        Remembered::new(self)
    }

    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        let rule = self.rule;
        *self = memory.get()?;
        self.rule = rule;
        Ok(())
    }
}
