//! Backtracking line search.

use super::{ATTEMPTS, Judge, StepRule, Trial, Verdict, not_negative, positive};
use crate::check;
use crate::error::Result;

/// Backtracking until f(θ + tη) ≤ f(θ) + c t ∇f·η, with the next t from a parabola.
#[derive(Clone, Copy, Debug)]
pub struct Armijo {
    /// The first t of the first iteration.
    pub first: f64,
    /// c, between 0 and ½.
    pub decrease: f64,
    /// None: every iteration starts from `first`, right where the metric matches the loss. Some(g): it starts
    /// where the parabola through the last step had its minimum, but at most g times that step; so a
    /// direction of any length finds its own scale.
    pub growth: Option<f64>,
    /// The damping of all directions.
    pub damping: f64,
}

impl Default for Armijo {
    fn default() -> Self {
        Self {
            first: 1.0,
            decrease: 1e-4,
            growth: None,
            damping: 0.0,
        }
    }
}

impl Armijo {
    /// A rule that finds its own scale, starting from `first` and growing by at most `growth` an iteration.
    pub fn growing(first: f64, growth: f64) -> Self {
        Self {
            first,
            growth: Some(growth),
            ..Self::default()
        }
    }
}

impl StepRule for Armijo {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(Backtracking {
            rule: *self,
            scale: self.first,
        })
    }

    fn check(&self) -> Result<()> {
        positive("the first step of Armijo", self.first)?;
        not_negative("the damping of Armijo", self.damping)?;
        let growth = self.growth.unwrap_or(1.0);
        let sound = growth >= 1.0 && growth.is_finite();
        check::option(
            "the growth of Armijo",
            growth,
            sound,
            "give a factor of at least 1, or None",
        )?;
        let sound = self.decrease > 0.0 && self.decrease < 0.5;
        check::option(
            "the decrease of Armijo",
            self.decrease,
            sound,
            "give a number between 0 and ½",
        )
    }
}

/// The line search of one run.
struct Backtracking {
    rule: Armijo,
    /// The scale to start from.
    scale: f64,
}

impl Judge for Backtracking {
    fn first(&self) -> (f64, f64) {
        (self.scale, self.rule.damping)
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        let (t, best) = (trial.scale, trial.parabola());
        // As a difference: added to the loss, the decrease asked of a tiny step would be lost in rounding.
        let enough = trial.loss - trial.trial_loss >= -self.rule.decrease * t * trial.slope;
        let descends = trial.slope < 0.0;
        if (descends && enough) || trial.indistinguishable() {
            if let Some(growth) = self.rule.growth {
                self.scale = best.clamp(0.1 * t, growth * t);
            }
            return Verdict::Accept;
        }
        if !descends || trial.attempt >= ATTEMPTS {
            return Verdict::GiveUp;
        }
        // Where the trial was infinite there is no parabola, and a tenth is as good as anything.
        Verdict::Scale(if best.is_finite() {
            best.clamp(0.1 * t, 0.5 * t)
        } else {
            0.1 * t
        })
    }
}
