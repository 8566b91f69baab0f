//! The history of a descent.

use std::fmt;
use std::ops::Deref;

use super::counts::Counts;
use crate::step::Trial;

/// The step that led to an iterate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    /// maxᵢ |Δθᵢ| / |θᵢ|, the larger of the two θᵢ.
    pub relative_step: f64,
    /// The factor before the direction.
    pub scale: f64,
    /// The damping of the direction.
    pub damping: f64,
    /// Trials it took.
    pub trials: usize,
    /// Scale times the decrease that the quadratic model promised for a full step.
    pub predicted: f64,
    /// The decrease of the objective over `predicted`: near 1 where the quadratic model holds; NaN where it drowns in rounding.
    pub gain: f64,
    /// The decrease that the undamped model promised before it, where the direction knows.
    pub left: Option<f64>,
    /// Whether a longer step would hardly have been better: its length was about right, or nothing was to gain.
    pub settled: bool,
}

impl Move {
    /// Whether the step's being short says something of the point, because it was taken whole and was as long as it
    /// should be, and not only that it was cut back or had yet to find its scale. `natural` is the scale the rule began the run with.
    pub(super) fn was_whole(&self, natural: f64) -> bool {
        self.settled && self.trials == 1 && self.damping <= 1.0 && self.scale >= 0.1 * natural
    }

    /// `sized` says whether the length of steps is known to be about right.
    pub(super) fn new(from: &[f64], to: &[f64], trial: &Trial, sized: bool) -> Self {
        let change = |(a, b): (&f64, &f64)| {
            let size = a.abs().max(b.abs());
            if size > 0.0 {
                (b - a).abs() / size
            } else {
                0.0
            }
        };
        Self {
            relative_step: from.iter().zip(to).map(change).fold(0.0, f64::max),
            scale: trial.scale,
            damping: trial.damping,
            trials: trial.attempt + 1,
            predicted: trial.scale * trial.predicted,
            gain: if trial.is_resolved() {
                trial.gain()
            } else {
                f64::NAN
            },
            left: None,
            settled: (trial.is_resolved() || sized)
                && (trial.parabola() <= 2.0 * trial.scale || trial.indistinguishable()),
        }
    }
}

/// One point of the path. `Display` prints it as a row of a table, with a head above the first.
#[derive(Clone, Debug)]
pub struct Iterate {
    /// 0 at the start.
    pub iteration: usize,
    /// The parameters.
    pub theta: Vec<f64>,
    /// The objective f(ρ) + R(θ).
    pub loss: f64,
    /// R(θ).
    pub penalty: f64,
    /// ‖∇‖₂ over the free parameters, in the coordinates of the descent.
    pub gradient: f64,
    /// How it was reached; None at the start.
    pub step: Option<Move>,
    /// The metric that the next step is measured with.
    pub metric: &'static str,
    /// What was spent so far.
    pub counts: Counts,
    /// Seconds since the run began.
    pub seconds: f64,
}

impl fmt::Display for Iterate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.iteration == 0 {
            writeln!(
                f,
                "{:>4}  {:>14}  {:>9}  {:>9}  {:>8}  {:>8}  {:>6}  {:>6}",
                "iter", "loss", "gradient", "step", "scale", "damping", "trials", "solves"
            )?;
        }
        write!(
            f,
            "{:>4}  {:>14.7e}  {:>9.2e}",
            self.iteration, self.loss, self.gradient
        )?;
        match &self.step {
            None => write!(f, "  {:>9}  {:>8}  {:>8}  {:>6}", "", "", "", "")?,
            Some(s) => write!(
                f,
                "  {:>9.2e}  {:>8.2e}  {:>8.1e}  {:>6}",
                s.relative_step, s.scale, s.damping, s.trials
            )?,
        }
        let c = &self.counts;
        let solves = c.newton_solves + c.tangent_solves + c.adjoint_solves + c.metric_solves;
        write!(f, "  {solves:>6}")
    }
}

/// An iterate with its state, as an observer sees it; it reads and prints as the [`Iterate`].
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// The row of the history.
    pub iterate: &'a Iterate,
    /// The state ρ(θ).
    pub rho: &'a [f64],
}

impl Deref for Snapshot<'_> {
    type Target = Iterate;

    fn deref(&self) -> &Iterate {
        self.iterate
    }
}

impl fmt::Display for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iterate.fmt(f)
    }
}

/// What an observer says after an iterate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    #[default]
    Continue,
    /// Stop here.
    Stop,
}

/// An observer that returns nothing lets the run go on.
impl From<()> for Control {
    fn from((): ()) -> Self {
        Self::Continue
    }
}
