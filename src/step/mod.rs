//! Step rules: the length of a step along a direction, and its damping.
//!
//! A rule judges trials and evaluates nothing itself, so that one loop serves all rules.

mod annealed;
mod armijo;
mod decaying;
mod fixed;
mod grid;
mod interval;
mod strong_wolfe;
mod trust_ratio;

pub use self::annealed::Annealed;
pub use self::armijo::Armijo;
pub use self::decaying::Decaying;
pub use self::fixed::Fixed;
pub use self::grid::Grid;
pub use self::strong_wolfe::StrongWolfe;
pub use self::trust_ratio::TrustRatio;
pub(crate) use self::trust_ratio::TrustRegion;

use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::Result;
pub use crate::saving::Remembered;

/// Trial point θ + scale·η(damping), relative to the point θ of the step.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Trial {
    /// Scale of the trial step.
    pub scale: f64,
    /// Damping of the trial step.
    pub damping: f64,
    /// Objective at θ.
    pub loss: f64,
    /// Objective at the trial, or ∞ if the model or the loss failed.
    pub trial_loss: f64,
    /// Rounding error of the objective. Changes of this size are meaningless.
    pub rounding: f64,
    /// Slope ∇f·η for scale 1.
    pub slope: f64,
    /// Decrease predicted by the quadratic model for scale 1.
    pub predicted: f64,
    /// Scale times `predicted` for the first trial from θ.
    pub promised: f64,
    /// Relative length ‖Dη‖/‖Dθ‖ of the step, where the diagonal of D holds the norms of the columns of L Z,
    /// or None if these are unknown.
    pub length: Option<f64>,
    /// Number of earlier trials from θ.
    pub attempt: usize,
    /// Slope of the objective along the step at the trial, for scale 1, where the rule asked for it by [`Verdict::Slope`].
    /// Parameters that a bound stops on the way do not count.
    pub end_slope: Option<f64>,
}

/// Decision of a rule about a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// The trial is accepted.
    Accept,
    /// The next trial has this scale.
    Scale(f64),
    /// The next trial has this damping.
    Damp(f64),
    /// The damping is raised until the step has at most this fraction of its length. The direction is
    /// rejected if [`Trial::length`] is None.
    Shorten(f64),
    /// The slope at the trial is computed, and the trial judged again with [`Trial::end_slope`]. A failure makes the objective
    /// at the trial ∞.
    ///
    /// The slope takes a linearisation and an adjoint solve. They are not repeated where the run goes on from this trial.
    Slope,
    /// The trial is kept in place of one kept before, and the next trial has this scale.
    Keep(f64),
    /// The kept trial is accepted. The direction is rejected if there is none.
    AcceptKept,
    /// The direction is rejected.
    GiveUp,
}

/// Method that chooses the length and damping of steps. Every run begins its own [`Judge`].
///
/// ```
/// use pullback::{Result, StepRule, step::{Judge, Remembered, Trial, Verdict}};
/// /// Halves the step until the loss falls at all, and starts the next search from the scale that did.
/// struct AnyDecrease;
/// struct LastScale(f64);
/// impl StepRule for AnyDecrease {
///     fn begin(&self) -> Box<dyn Judge + '_> { Box::new(LastScale(1.0)) }
/// }
/// impl Judge for LastScale {
///     fn first(&self) -> (f64, f64) { (self.0, 0.0) }
///     fn judge(&mut self, trial: &Trial) -> Verdict {
///         self.0 = trial.scale;
///         match trial.trial_loss < trial.loss {
///             true => Verdict::Accept,
///             false if trial.attempt < 30 => Verdict::Scale(0.5 * trial.scale),
///             false => Verdict::GiveUp,
///         }
///     }
///     // A run that is saved keeps the last scale.
///     fn memory(&self) -> Result<Remembered> { Remembered::new(&self.0) }
///     fn recall(&mut self, memory: &Remembered) -> Result<()> { self.0 = memory.get()?; Ok(()) }
/// }
/// ```
pub trait StepRule: Sync {
    /// Returns the judge of a new run.
    fn begin(&self) -> Box<dyn Judge + '_>;

    /// Checks the options of the rule.
    ///
    /// # Errors
    /// Fails with [`Error::Option`](crate::Error::Option) if an option is out of range.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Returns a name for messages, by which a saved run recognises its rule. The default is the name of the type.
    fn name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

/// Step rule in one run, which judges trials and may adapt from one step to the next.
pub trait Judge {
    /// Returns scale and damping of the first trial from a new point.
    fn first(&self) -> (f64, f64);

    /// Returns the largest relative length ([`Trial::length`]) of the first trial from a new point. A longer trial is
    /// damped until it has this length.
    fn reach(&self) -> f64 {
        f64::INFINITY
    }

    /// Decides about a trial.
    fn judge(&mut self, trial: &Trial) -> Verdict;

    /// Receives the slope ∇f·η at the end of the accepted trial, where the next step begins. The default ignores it.
    ///
    /// Both slopes together show a decrease that is lost in the rounding of the objective.
    fn arrive(&mut self, trial: &Trial, slope: f64) {
        let _ = (trial, slope);
    }

    /// Returns whether the scales follow a schedule and every finite trial is accepted. The default returns false.
    ///
    /// The length of such a step, and a change of the objective that happens to be small, say nothing about what remains to gain,
    /// so that stopping tests disregard them.
    fn is_scheduled(&self) -> bool {
        false
    }

    /// Returns all that the judge changes from step to step, for a run that is [saved](crate::descent::Saved). The default
    /// remembers nothing.
    ///
    /// # Errors
    /// Fails if the memory has no form in bytes.
    fn memory(&self) -> Result<Remembered> {
        Remembered::nothing()
    }

    /// Takes back what [`memory`](Judge::memory) returned, in a run that is resumed. The judge has just begun.
    ///
    /// A resumed run fails with [`SaveError::Forgotten`](crate::descent::SaveError::Forgotten) if [`first`](Judge::first) or
    /// [`reach`](Judge::reach) then differ from those of the saved run.
    ///
    /// # Errors
    /// Fails if the memory is of another kind.
    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        memory.get()
    }
}

/// Largest number of trials from one point.
const ATTEMPTS: usize = 40;

/// Multiple of the rounding error below which a change of the objective is rounding.
//
// The objectives at both ends of a step each carry one such error, so that their difference carries up to
// two. The factor 4 allows for errors of the estimate itself.
const ROUNDED: f64 = 4.0;

/// Multiple of the rounding error below which a predicted decrease may be rounding.
pub(crate) const NEGLIGIBLE: f64 = 1e3;

impl Trial {
    /// Returns the ratio of actual to predicted decrease. A step stretched by τ is the full step of the model with
    /// G/τ, which predicts τ times the decrease.
    pub(crate) fn gain(&self) -> f64 {
        (self.loss - self.trial_loss) / (self.scale * self.predicted)
    }

    /// Returns whether the change of the objective exceeds rounding.
    pub(crate) fn is_resolved(&self) -> bool {
        (self.loss - self.trial_loss).abs() > NEGLIGIBLE * self.rounding
    }

    /// Returns the scale that minimises the parabola through both values with the slope at 0, or ∞ if the parabola
    /// has no minimum.
    pub(crate) fn parabola(&self) -> f64 {
        // q(t) = f + s t + c t² with q(T) = f_T gives c = (f_T − f − sT)/T² and the minimum at −s/(2c).
        // A trial of infinite loss has an infinite rise and the minimum 0, which step rules clamp to their
        // least factor.
        let rise = self.trial_loss - self.loss - self.scale * self.slope;
        if rise > 0.0 {
            -0.5 * self.slope * self.scale * self.scale / rise
        } else {
            f64::INFINITY
        }
    }

    /// Returns whether the trial is as good as the starting point up to rounding: the first trial predicted a
    /// negligible decrease, and the objective changed only by rounding. A step that is tiny after many
    /// reductions does not qualify.
    pub(crate) fn indistinguishable(&self) -> bool {
        let change = (self.trial_loss - self.loss).abs();
        self.promised <= NEGLIGIBLE * self.rounding && change <= ROUNDED * self.rounding
    }
}

fn positive(what: &'static str, value: f64) -> Result<()> {
    let sound = value > 0.0 && value.is_finite();
    check::option(what, value, sound, "give a positive number")
}

fn not_negative(what: &'static str, value: f64) -> Result<()> {
    let sound = value >= 0.0 && value.is_finite();
    check::option(what, value, sound, "give a number that is not negative")
}
