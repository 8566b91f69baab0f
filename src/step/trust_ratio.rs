//! Levenberg-Marquardt damping.

use super::{ATTEMPTS, Learned, StepRule, Trial, Verdict, not_negative};
use crate::check;
use crate::error::Result;

/// Levenberg-Marquardt: damping by the ratio of actual to predicted decrease (Nielsen 1999).
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
    /// What the present descent has taught.
    pub learned: Learned,
}

impl Default for TrustRatio {
    fn default() -> Self {
        Self {
            damping: 1e-3,
            accept: 1e-4,
            stretch: 1e4,
            learned: Learned::default(),
        }
    }
}

/// Damping that costs no speed of convergence worth having, and still tells parameters apart.
const LEAST_DAMPING: f64 = 1e-10;

/// Damping beyond which a step is nothing.
const MOST_DAMPING: f64 = 1e16;

impl StepRule for TrustRatio {
    fn start(&mut self) {
        self.learned = Learned::default();
    }

    fn first(&self) -> (f64, f64) {
        (self.scale(), self.lambda())
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        // With the step stretched by τ the model is that of G/τ, whose prediction is τ times as large.
        let ratio = (trial.loss - trial.trial_loss) / (trial.scale * trial.predicted);
        if trial.indistinguishable() {
            return Verdict::Accept;
        }
        // A model that promises nothing would turn the sign of the ratio.
        if trial.predicted <= 0.0 {
            return Verdict::GiveUp;
        }
        if ratio > self.accept {
            self.accepted(ratio, trial);
            return Verdict::Accept;
        }
        if trial.attempt >= ATTEMPTS || self.lambda() > MOST_DAMPING {
            return Verdict::GiveUp;
        }
        if self.scale() > 1.0 {
            let scale = (0.25 * self.scale()).max(1.0);
            self.learned.scale = Some(scale);
            return Verdict::Scale(scale);
        }
        self.learned.rejections += 1;
        let damping = self.lambda().max(LEAST_DAMPING) * 2.0_f64.powi(self.learned.rejections);
        self.learned.damping = Some(damping);
        Verdict::Damp(damping)
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

impl TrustRatio {
    fn scale(&self) -> f64 {
        self.learned.scale.unwrap_or(1.0)
    }

    fn lambda(&self) -> f64 {
        self.learned.damping.unwrap_or(self.damping)
    }

    fn accepted(&mut self, ratio: f64, trial: &Trial) {
        let factor = (1.0 - (2.0 * ratio - 1.0).powi(3)).clamp(1.0 / 3.0, 2.0);
        self.learned.damping = Some((self.lambda() * factor).max(LEAST_DAMPING));
        self.learned.rejections = 0;
        // Near 1 the model has the right size. Elsewhere, and as long as steps are stretched, the parabola
        // through the last step tells what would have been right.
        if ratio > 1.25 || self.scale() > 1.0 {
            let t = trial.scale;
            let best = trial.parabola().clamp(0.25 * t, 4.0 * t);
            self.learned.scale = Some(best.clamp(1.0, self.stretch));
        }
    }
}
