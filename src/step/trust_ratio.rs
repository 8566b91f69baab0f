//! Levenberg-Marquardt damping.

use super::{ATTEMPTS, Judge, StepRule, Trial, Verdict, not_negative};
use crate::check;
use crate::error::Result;

/// Levenberg-Marquardt in a trust region: the undamped step where that is short enough, and otherwise the damping that
/// makes it so (Moré 1978). The radius grows and shrinks by the ratio of actual to predicted decrease.
///
/// Lengths are measured by what a step changes of the state, ‖Dη‖ with the norms D of the columns of L Z, relative to
/// ‖Dθ‖: they do not depend on the units of the parameters. Directions that do not know these norms are damped by
/// the ratio alone (Nielsen 1999).
///
/// Where the metric does not match the loss the quadratic model has the right shape but not the right size;
/// a ratio well above 1 tells so, and the steps are stretched, up to `stretch`.
#[derive(Clone, Copy, Debug)]
pub struct TrustRatio {
    /// λ of the first trial, as a fraction of D.
    pub damping: f64,
    /// Least ratio at which a trial is accepted.
    pub accept: f64,
    /// Longest scale; 1 for pure Levenberg-Marquardt.
    pub stretch: f64,
}

impl TrustRatio {
    /// The defaults, as a constant to borrow.
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

/// Least damping, where it is chosen by the ratio alone.
const LEAST_DAMPING: f64 = 1e-10;

/// Ratios of actual to predicted decrease below and above which the radius changes.
const POOR: f64 = 0.25;
const GOOD: f64 = 0.75;

/// Damping beyond which a step is nothing.
const MOST_DAMPING: f64 = 1e16;

impl StepRule for TrustRatio {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(TrustRegion {
            rule: *self,
            scale: 1.0,
            damping: self.damping,
            rejections: 0,
            radius: None,
        })
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
}

/// The trust region of one run.
struct TrustRegion {
    rule: TrustRatio,
    /// The scale of the next step.
    scale: f64,
    /// λ of the next trial, where the ratio alone chooses it.
    damping: f64,
    /// Rejections in a row.
    rejections: i32,
    /// The longest step, as [`Trial::length`]; None before a step has shown how far the model can be trusted.
    radius: Option<f64>,
}

impl Judge for TrustRegion {
    fn first(&self) -> (f64, f64) {
        // In a trust region every step begins undamped.
        let damping = self.radius.map_or(self.damping, |_| 0.0);
        (self.scale, damping)
    }

    /// No longer than θ itself before a step has shown how far the model can be trusted.
    fn reach(&self) -> f64 {
        self.radius.unwrap_or(1.0)
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        let ratio = trial.gain();
        if trial.indistinguishable() {
            return Verdict::Accept;
        }
        // A model that promises nothing would turn the sign of the ratio.
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
            let scale = (0.25 * self.scale).max(1.0);
            self.scale = scale;
            return Verdict::Scale(scale);
        }
        if trial.length.is_some() {
            // The step at the minimum of the parabola along this one, where there is one.
            return Verdict::Shorten((trial.parabola() / trial.scale).clamp(0.1, 0.5));
        }
        self.rejections += 1;
        let damping = self.damping.max(LEAST_DAMPING) * 2.0_f64.powi(self.rejections);
        self.damping = damping;
        Verdict::Damp(damping)
    }
}

impl TrustRegion {
    /// The radius after an accepted step: half of the step where the model was poor, twice where it was good or nothing
    /// kept the step short.
    fn radius(&self, ratio: f64, length: f64, trial: &Trial) -> f64 {
        if ratio < POOR {
            0.5 * length
        } else if ratio > GOOD || trial.damping == 0.0 {
            2.0 * length
        } else {
            self.reach()
        }
    }

    fn accepted(&mut self, ratio: f64, trial: &Trial) {
        let factor = (1.0 - (2.0 * ratio - 1.0).powi(3)).clamp(1.0 / 3.0, 2.0);
        self.damping = (trial.damping * factor).max(LEAST_DAMPING);
        self.rejections = 0;
        self.radius = trial.length.map(|length| self.radius(ratio, length, trial));
        // Near 1 the model has the right size. Elsewhere, and as long as steps are stretched, the parabola
        // through the last step tells what would have been right.
        if ratio > 1.25 || self.scale > 1.0 {
            let t = trial.scale;
            let best = trial.parabola().clamp(0.25 * t, 4.0 * t);
            self.scale = best.clamp(1.0, self.rule.stretch);
        }
    }
}
