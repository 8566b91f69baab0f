//! Levenberg-Marquardt damping in a trust region.

use serde::{Deserialize, Serialize};

use super::{ATTEMPTS, Judge, Remembered, StepRule, Trial, Verdict, not_negative};
use crate::check;
use crate::error::Result;

/// Levenberg-Marquardt in a trust region (Moré 1978).
///
/// The undamped step is taken if it is short enough. Otherwise the damping is chosen that makes the step short enough.
/// The radius grows and shrinks with the ratio of actual to predicted decrease.
///
/// Lengths measure the change of the state, ‖Dη‖ with the norms D of the columns of L Z, relative to ‖Dθ‖. Lengths do
/// not depend on the units of the parameters. If a direction does not know these norms, the ratio alone determines the
/// damping (Nielsen 1999).
///
/// If the metric does not match the loss, the quadratic model may have the right shape but the wrong size. A ratio
/// well above 1 indicates this, and the steps are stretched, by at most `stretch`.
#[derive(Clone, Copy, Debug)]
pub struct TrustRatio {
    /// Damping λ of the first trial, as a multiple of D.
    pub damping: f64,
    /// Ratio of actual to predicted decrease above which a trial is accepted.
    pub accept: f64,
    /// Largest scale of a step, 1 for pure Levenberg-Marquardt.
    pub stretch: f64,
}

impl TrustRatio {
    /// Default options, as a constant to borrow.
    pub(crate) const STANDARD: &'static Self = &Self {
        damping: 1e-3,
        accept: 1e-4,
        stretch: 1e4,
    };
}

impl Default for TrustRatio {
    fn default() -> Self {
        *Self::STANDARD
    }
}

impl TrustRatio {
    /// Returns the trust region of a new run.
    pub(crate) fn region(self) -> TrustRegion {
        TrustRegion {
            rule: self,
            scale: 1.0,
            damping: self.damping,
            rejections: 0,
            radius: None,
        }
    }
}

/// Smallest damping if the ratio alone determines the damping.
const LEAST_DAMPING: f64 = 1e-10;

/// Ratios of actual to predicted decrease below which the radius shrinks, and above which it grows.
const POOR: f64 = 0.25;
const GOOD: f64 = 0.75;

/// Largest damping. A step with a larger damping is negligible.
//
// Relative to λD the other terms are then below rounding: the step is −∇/(λD), too short to change θ.
const MOST_DAMPING: f64 = 1e16;

impl StepRule for TrustRatio {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(self.region())
    }

    fn check(&self) -> Result<()> {
        not_negative("the damping of the trust ratio", self.damping)?;
        not_negative("the least ratio of the trust ratio", self.accept)?;
        let sound = self.stretch >= 1.0 && self.stretch.is_finite();
        check::option(
            "the stretch of the trust ratio",
            self.stretch,
            sound,
            "give at least 1",
        )?;
        Ok(())
    }

    fn name(&self) -> &'static str {
        "trust ratio"
    }
}

/// State of the trust region in one run.
#[derive(Serialize, Deserialize)]
pub(crate) struct TrustRegion {
    #[serde(skip)]
    rule: TrustRatio,
    /// Scale of the next step.
    scale: f64,
    /// Damping λ of the next trial, if the ratio alone determines the damping.
    damping: f64,
    /// Number of consecutive rejected trials.
    rejections: i32,
    /// Largest length of a step, as [`Trial::length`]. None until a step shows how far the model can be trusted.
    radius: Option<f64>,
}

impl Judge for TrustRegion {
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
        // With a radius, every step first tries the undamped direction.
        let damping = self.radius.map_or(self.damping, |_| 0.0);
        (self.scale, damping)
    }

    /// Returns the radius, or 1 (the relative length of θ) until a step shows how far the model can be
    /// trusted.
    fn reach(&self) -> f64 {
        // Before anything is known of the model, a step may change the state about as much as doubling all
        // parameters would to first order.
        self.radius.unwrap_or(1.0)
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        let ratio = trial.gain();
        if trial.indistinguishable() {
            return Verdict::Accept;
        }
        // Without a predicted decrease the ratio would have the wrong sign. A prediction of NaN passes this
        // test. Its ratio is NaN too, exceeds nothing, and the trial is rejected below.
        if trial.predicted <= 0.0 {
            return Verdict::GiveUp;
        }
        if ratio > self.rule.accept {
            self.accepted(ratio, trial);
            return Verdict::Accept;
        }
        if trial.attempt >= ATTEMPTS || trial.damping > MOST_DAMPING {
            return Verdict::GiveUp;
        }
        if self.scale > 1.0 {
            // A stretched step that fails is no evidence against the model, whose own step has the scale 1.
            // The stretch is therefore reduced before the damping is raised.
            let scale = (0.25 * self.scale).max(1.0);
            self.scale = scale;
            return Verdict::Scale(scale);
        }
        if trial.length.is_some() {
            // The minimum of the parabola along this step, within safe bounds.
            return Verdict::Shorten((trial.parabola() / trial.scale).clamp(0.1, 0.5));
        }
        // Nielsen (1999) multiplies λ by ν and doubles ν at every rejection: λ grows by 2, 4, 8, ….
        Verdict::Damp(self.raise_damping())
    }

    /// Adapts to a step whose decrease was hidden by the rounding of the objective.
    fn arrive(&mut self, trial: &Trial, slope: f64) {
        // Such a step is accepted unseen. Along a direction in which the objective bends more than twice as much as the model
        // says, undamped steps lead farther and farther beyond the minimum, until the objective shows it: without this
        // correction they bounce at the level of rounding. By the trapezoidal rule, which is exact for a parabola, the
        // objective changes by ½ t (s₀ + s₁).
        if !trial.indistinguishable() || trial.predicted <= 0.0 {
            return;
        }
        let ratio = -0.5 * (trial.slope + slope) / trial.predicted;
        if ratio > self.rule.accept {
            self.adapt(ratio, trial);
        } else if self.scale > 1.0 {
            self.scale = (0.25 * self.scale).max(1.0);
        } else if let Some(length) = trial.length {
            self.radius = Some(0.5 * length);
        } else {
            self.damping = trial.damping;
            self.raise_damping();
        }
    }
}

impl TrustRegion {
    /// Raises the damping after a rejected trial, and returns it.
    fn raise_damping(&mut self) -> f64 {
        self.rejections += 1;
        self.damping = self.damping.max(LEAST_DAMPING) * 2.0_f64.powi(self.rejections);
        self.damping
    }

    /// Returns the radius after an accepted step: half the step if the model was poor, twice the step if it was good
    /// or the step was undamped, and otherwise the current radius.
    fn radius(&self, ratio: f64, length: f64, trial: &Trial) -> f64 {
        if ratio < POOR {
            0.5 * length
        } else if ratio > GOOD || trial.damping == 0.0 {
            2.0 * length
        } else {
            self.reach()
        }
    }

    /// Adapts damping and radius to the ratio of actual to predicted decrease of an accepted trial.
    fn adapt(&mut self, ratio: f64, trial: &Trial) {
        // Nielsen (1999): λ ← λ max(1/3, 1 − (2ϱ − 1)³), a smooth version of the tests ϱ < ¼ and ϱ > ¾.
        // The factor is 2 at ϱ = 0 and 1 at ½, and is cut off at ⅓ before it reaches 0 at ϱ = 1.
        let factor = (1.0 - (2.0 * ratio - 1.0).powi(3)).clamp(1.0 / 3.0, 2.0);
        self.damping = (trial.damping * factor).max(LEAST_DAMPING);
        self.rejections = 0;
        self.radius = trial.length.map(|length| self.radius(ratio, length, trial));
    }

    fn accepted(&mut self, ratio: f64, trial: &Trial) {
        self.adapt(ratio, trial);
        // A ratio near 1 confirms the size of the model. Otherwise, and while steps are stretched, the minimum of the
        // parabola through the last step gives the scale.
        // Let the objective be f − st + ½ht² along the step, and the undamped model share its slope. For a
        // step t the model predicts ½st. The ratio is then 2 − ht/s, and the best scale s/h is t/(2 − ratio).
        // A ratio of 1.25 says that a step longer by a third would be best.
        if ratio > 1.25 || self.scale > 1.0 {
            let t = trial.scale;
            let best = trial.parabola().clamp(0.25 * t, 4.0 * t);
            self.scale = best.clamp(1.0, self.rule.stretch);
        }
    }
}
