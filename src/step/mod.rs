//! How far to go along a direction, and how much to damp it.
//!
//! A rule judges trials. It never evaluates anything, so one loop serves all rules.

mod armijo;
mod fixed;
mod trust_ratio;

pub use self::armijo::Armijo;
pub use self::fixed::Fixed;
pub use self::trust_ratio::TrustRatio;

use crate::check;
use crate::error::Result;

/// A trial point θ + scale·η(damping), seen from where it started.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// The scale that was tried.
    pub scale: f64,
    /// The damping that was tried.
    pub damping: f64,
    /// The objective at the start.
    pub loss: f64,
    /// The objective at the trial; ∞ where the model or loss failed.
    pub trial_loss: f64,
    /// The rounding error of the objective: changes of this size mean nothing.
    pub rounding: f64,
    /// ∇f·η for scale 1.
    pub slope: f64,
    /// The decrease that the quadratic model predicts for scale 1.
    pub predicted: f64,
    /// Scale times `predicted`, for the first trial from this start.
    pub promised: f64,
    /// Its length ‖Dη‖ relative to that of θ, ‖Dθ‖, with the norms D of the columns of L Z; None where these are not known.
    pub length: Option<f64>,
    /// How many trials there were before, from this start.
    pub attempt: usize,
}

/// What a rule says of a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Go there.
    Accept,
    /// Try this scale.
    Scale(f64),
    /// Try this damping.
    Damp(f64),
    /// Raise the damping until the step is shorter by this factor. Where [`Trial::length`] is not known, the rule gives up.
    Shorten(f64),
    /// Reject the direction.
    GiveUp,
}

/// A rule for the length and damping of steps: a recipe, from which every run makes a [`Judge`] of its own.
///
/// ```
/// use pullback::{StepRule, step::{Judge, Trial, Verdict}};
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
/// }
/// ```
pub trait StepRule: Sync {
    /// Begins a run.
    fn begin(&self) -> Box<dyn Judge + '_>;

    /// Checks the options of the rule.
    ///
    /// # Errors
    /// [`Error::Option`](crate::Error::Option) for an option out of range.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// A step rule in one run. It judges trials and may learn from one step for the next.
pub trait Judge {
    /// Returns scale and damping of the first trial from a new point.
    fn first(&self) -> (f64, f64);

    /// Returns the longest first trial from a new point, relative to θ ([`Trial::length`]). Longer ones are damped until they
    /// fit.
    fn reach(&self) -> f64 {
        f64::INFINITY
    }

    /// Decides about a trial.
    fn judge(&mut self, trial: &Trial) -> Verdict;
}

/// Trials from one point before a rule gives up.
const ATTEMPTS: usize = 40;

/// Changes of the objective by so many rounding errors drown in them.
const DROWNED: f64 = 4.0;

/// Promises of so many rounding errors may drown in them.
pub(crate) const NEGLIGIBLE: f64 = 1e3;

impl Trial {
    /// The actual decrease over the predicted one. With a step stretched by τ the model is that of G/τ, whose prediction
    /// is τ times as large.
    pub(crate) fn gain(&self) -> f64 {
        (self.loss - self.trial_loss) / (self.scale * self.predicted)
    }

    /// Whether the change of the objective is more than rounding.
    pub(crate) fn is_resolved(&self) -> bool {
        (self.loss - self.trial_loss).abs() > NEGLIGIBLE * self.rounding
    }

    /// The scale at the minimum of the parabola with the slope at 0 and the two values; ∞ where it has none.
    pub(crate) fn parabola(&self) -> f64 {
        let rise = self.trial_loss - self.loss - self.scale * self.slope;
        if rise > 0.0 {
            -0.5 * self.slope * self.scale * self.scale / rise
        } else {
            f64::INFINITY
        }
    }

    /// Whether there was next to nothing to gain from the start, and what was seen is rounding: the point is as
    /// good as the last. A step that was shortened until nothing is left of it does not count.
    pub(crate) fn indistinguishable(&self) -> bool {
        let change = (self.trial_loss - self.loss).abs();
        self.promised <= NEGLIGIBLE * self.rounding && change <= DROWNED * self.rounding
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
