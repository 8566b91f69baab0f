//! Backtracking line search.

use serde::{Deserialize, Serialize};

use super::{ATTEMPTS, Judge, Remembered, StepRule, Trial, Verdict, not_negative, positive};
use crate::check;
use crate::error::Result;

/// Backtracking until f(θ + tη) ≤ f(θ) + c t ∇f·η (Armijo 1966). Each new t minimises an interpolating
/// parabola.
#[derive(Clone, Copy, Debug)]
pub struct Armijo {
    /// First scale t of the first iteration.
    pub first: f64,
    /// Required fraction c of the decrease by the slope, between 0 and ½.
    pub decrease: f64,
    /// Largest growth of the scale t from step to step, if the scale is carried over.
    ///
    /// None: every iteration starts with `first`, which is right if the metric matches the loss. Some(g): the
    /// iteration starts with the minimum of the parabola through the last step, but at most g times that
    /// step. The scale then adapts to directions of any length.
    pub growth: Option<f64>,
    /// Damping of all directions.
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
    /// Returns a rule that adapts its scale from `first` on, with a growth of at most `growth` per iteration.
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
        // For a quadratic objective the exact step achieves the decrease ½|∇f·η|. A larger c would reject
        // this optimal step.
        let sound = self.decrease > 0.0 && self.decrease < 0.5;
        check::option(
            "the decrease of Armijo",
            self.decrease,
            sound,
            "give a number between 0 and ½",
        )
    }

    fn name(&self) -> &'static str {
        "Armijo"
    }
}

/// State of the line search in one run.
#[derive(Serialize, Deserialize)]
struct Backtracking {
    #[serde(skip)]
    rule: Armijo,
    /// Scale of the first trial from the next point.
    scale: f64,
}

impl Judge for Backtracking {
    fn memory(&self) -> Result<Remembered> {
        Remembered::new(self)
    }

    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        let rule = self.rule;
        *self = memory.get()?;
        self.rule = rule;
        Ok(())
    }

    fn first(&self) -> (f64, f64) {
        (self.scale, self.rule.damping)
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        let (t, best) = (trial.scale, trial.parabola());
        // At a saddle the slope vanishes, and the objective falls to second order only, by t² times the prediction.
        let curved = trial.slope == 0.0 && trial.predicted > 0.0;
        let expected = if curved {
            t * trial.predicted
        } else {
            -trial.slope
        };
        // Compare differences: added to the loss, the tiny decrease required of a short step would be lost in
        // rounding.
        let enough = trial.loss - trial.trial_loss >= self.rule.decrease * t * expected;
        let descends = trial.slope < 0.0 || curved;
        if (descends && enough) || trial.indistinguishable() {
            // For a quadratic objective the minimum of the parabola is the best scale. The bounds guard against a
            // misleading parabola (Dennis and Schnabel 1983, algorithm A6.3.1 reduces by a factor between 0.1 and
            // 0.5).
            if let Some(growth) = self.rule.growth {
                self.scale = best.clamp(0.1 * t, growth * t);
            }
            return Verdict::Accept;
        }
        if !descends || trial.attempt >= ATTEMPTS {
            return Verdict::GiveUp;
        }
        // A rejected trial lies above the tangent: s < 0 and c < 1 give f(t) − f − s t > (c − 1) s t > 0. So
        // the parabola has a minimum, at 0 if the trial is infinite. Only an overflow of s t² leaves none.
        Verdict::Scale(if best.is_finite() {
            best.clamp(0.1 * t, 0.5 * t)
        } else {
            0.1 * t
        })
    }
}
