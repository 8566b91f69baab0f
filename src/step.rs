//! How far to go along a direction, and how much to damp it.
//!
//! A rule judges trials; it never evaluates anything, so one loop serves all rules.

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
    /// ∇f·η for scale 1.
    pub slope: f64,
    /// The decrease that the quadratic model predicts for scale 1.
    pub predicted: f64,
    /// Scale times `predicted`, for the first trial from this start.
    pub promised: f64,
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
    /// Nothing along this direction will do.
    GiveUp,
}

/// A rule for the length and damping of steps.
///
/// ```
/// use pullback::{StepRule, step::{Trial, Verdict}};
/// /// Halves until the loss falls at all.
/// struct AnyDecrease;
/// impl StepRule for AnyDecrease {
///     fn first(&self) -> (f64, f64) { (1.0, 0.0) }
///     fn judge(&mut self, trial: &Trial) -> Verdict {
///         match trial.trial_loss < trial.loss {
///             true => Verdict::Accept,
///             false if trial.attempt < 30 => Verdict::Scale(0.5 * trial.scale),
///             false => Verdict::GiveUp,
///         }
///     }
/// }
/// ```
pub trait StepRule: Send {
    /// Forgets what an earlier descent taught; called when one begins.
    fn start(&mut self) {}

    /// (scale, damping) of the first trial from a new point.
    fn first(&self) -> (f64, f64);

    /// What to do about a trial.
    fn judge(&mut self, trial: &Trial) -> Verdict;

    /// Whether the rule's options make sense.
    ///
    /// # Errors
    /// [`Error::Option`](crate::Error::Option) for one that does not.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Trials from one point before a rule gives up.
const ATTEMPTS: usize = 40;

/// Changes smaller than this fraction of the loss drown in rounding.
const ROUNDING: f64 = 4.0 * f64::EPSILON;

/// Promises smaller than this fraction of the loss may drown in rounding.
const NEGLIGIBLE: f64 = 1e3 * f64::EPSILON;

impl Trial {
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
        let size = self.loss.abs();
        self.promised <= NEGLIGIBLE * size && (self.trial_loss - self.loss).abs() <= ROUNDING * size
    }
}

/// A constant step τ, accepted wherever the loss is finite.
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    /// τ.
    pub scale: f64,
}

impl Default for Fixed {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

impl StepRule for Fixed {
    fn first(&self) -> (f64, f64) {
        (self.scale, 0.0)
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        if trial.trial_loss.is_finite() {
            Verdict::Accept
        } else {
            Verdict::GiveUp
        }
    }

    fn check(&self) -> Result<()> {
        positive("the scale of a fixed step", self.scale)
    }
}

/// What a rule learns from one step for the next; forgotten when another descent begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Learned {
    scale: Option<f64>,
    damping: Option<f64>,
    rejections: i32,
}

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
    /// What the present descent has taught.
    pub learned: Learned,
}

impl Default for Armijo {
    fn default() -> Self {
        Self {
            first: 1.0,
            decrease: 1e-4,
            growth: None,
            damping: 0.0,
            learned: Learned::default(),
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
    fn start(&mut self) {
        self.learned = Learned::default();
    }

    fn first(&self) -> (f64, f64) {
        (self.learned.scale.unwrap_or(self.first), self.damping)
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        let (t, best) = (trial.scale, trial.parabola());
        // As a difference: added to the loss, the decrease asked of a tiny step would be lost in rounding.
        let enough = trial.loss - trial.trial_loss >= -self.decrease * t * trial.slope;
        let descends = trial.slope < 0.0;
        if (descends && enough) || trial.indistinguishable() {
            if let Some(growth) = self.growth {
                self.learned.scale = Some(best.clamp(0.1 * t, growth * t));
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

fn positive(what: &'static str, value: f64) -> Result<()> {
    let sound = value > 0.0 && value.is_finite();
    check::option(what, value, sound, "give a positive number")
}

fn not_negative(what: &'static str, value: f64) -> Result<()> {
    let sound = value >= 0.0 && value.is_finite();
    check::option(what, value, sound, "give a number that is not negative")
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
