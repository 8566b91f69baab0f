//! The history of a descent, and what it cost.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use super::doubt::doubt;
use super::here::Here;
use super::outlook::Outlook;
use super::point::{Point, Problem, Remark};
use super::report::Report;
use super::stop::Stop;
use super::stopping::{STILL, Tolerances};
use crate::step::Trial;
use crate::vector::norm;

/// What a run has cost so far, in the field's own units.
///
/// "Solves" are solved columns. The random column that every linearisation adds to its first batch, to
/// catch a singular Jacobian, is not counted.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// States ρ(θ) computed, trials included.
    pub model_solves: usize,
    /// Linear solves inside those (Newton's).
    pub newton_solves: usize,
    /// Factorisations of ∂g/∂ρ, Newton's included.
    pub factorisations: usize,
    /// Solves with ∂g/∂ρ.
    pub tangent_solves: usize,
    /// Solves with its transpose.
    pub adjoint_solves: usize,
    /// Factorisations for the metric.
    pub metric_factorisations: usize,
    /// Solves for the metric.
    pub metric_solves: usize,
    /// Factorisations of systems in the parameters: precisions of priors, and what directions set up.
    pub system_factorisations: usize,
    /// Solves with those.
    pub system_solves: usize,
    /// Iterations of iterative solvers in all of these, those of the slowest column of every batch.
    pub solver_iterations: usize,
}

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

/// The path so far.
pub(super) struct Progress {
    /// The scale that the step rule began with.
    natural: f64,
    /// Whether the present point is in the history.
    recorded: bool,
    point: Point,
    best: Point,
    last: Option<Move>,
    /// What is left at the present point, once that is known.
    left: Cell<Option<Outlook>>,
    history: Vec<Iterate>,
}

/// The fraction of all that a run has gained by which two objectives may differ and count as equal.
const EQUAL: f64 = 1e-10;

impl Progress {
    pub(super) fn new(start: Point, natural: f64) -> Self {
        Self {
            natural,
            recorded: false,
            best: start.clone(),
            point: start,
            last: None,
            left: Cell::default(),
            history: Vec::new(),
        }
    }

    pub(super) fn point(&self) -> &Point {
        &self.point
    }

    /// Whether the present point is in the history.
    pub(super) fn recorded(&self) -> bool {
        self.recorded
    }

    /// Whether the last step reduced the objective by less than this fraction, though it was as long as it should
    /// be or its scale grew no more.
    pub(super) fn slowed(&self, fraction: f64) -> bool {
        let earlier = self.history.last().and_then(|i| i.step);
        let grown = |step: &Move| earlier.is_none_or(|e| step.scale > e.scale);
        let settled = self.last.is_some_and(|s| s.settled || !grown(&s));
        let before = self.history.last().filter(|_| settled && !self.recorded);
        before.is_some_and(|before| before.loss - self.point.loss < fraction * before.loss.abs())
    }

    pub(super) fn record(
        &mut self,
        here: &Here<'_>,
        counts: Counts,
        elapsed: Duration,
    ) -> Snapshot<'_> {
        self.recorded = true;
        self.history.push(Iterate {
            iteration: self.history.len(),
            theta: self.point.theta.clone(),
            loss: self.point.loss,
            penalty: self.point.penalty,
            gradient: norm(&here.exact),
            step: self.last,
            metric: here.metric,
            counts,
            seconds: elapsed.as_secs_f64(),
        });
        Snapshot {
            iterate: &self.history[self.history.len() - 1],
            rho: &self.point.rho,
        }
    }

    pub(super) fn advance(&mut self, next: Point, step: Move) {
        if next.loss < self.best.loss {
            self.best = next.clone();
        }
        self.recorded = false;
        self.point = next;
        self.last = Some(step);
        self.left.set(None);
    }

    pub(super) fn stop(&self, tolerances: &Tolerances, flow: Control) -> Option<Stop> {
        match flow {
            Control::Stop => Some(Stop::Observer),
            Control::Continue => tolerances.judge(&self.history, self.natural),
        }
    }

    /// Whether nothing is left to do where so much is left to gain.
    pub(super) fn settled(&self, tolerances: &Tolerances, left: &Outlook) -> Option<Stop> {
        self.left.set(Some(*left));
        tolerances.settled(&self.history, left)
    }

    /// What it means that no trial was accepted, the last of which changed the objective by so much.
    pub(super) fn stuck(&self, tolerances: &Tolerances, change: f64, stalled: Stop) -> Stop {
        let known = self.left.get().filter(|left| {
            tolerances.is_exhausted(self.point.loss, left)
                && left.scaled
                && change.abs() <= STILL * self.point.loss.abs()
        });
        known.map_or(stalled, |_| Stop::Loss { ratio: 0.0 })
    }

    /// The point that is handed back, and what is said of it. A run that has converged speaks of its last point: if it
    /// passed a better one, which steps that are taken whatever they bring can do, that is no convergence.
    fn ended(&self, stop: Stop) -> (Stop, &Point) {
        let (last, best) = (&self.point, &self.best);
        if !stop.converged() || last.loss <= best.loss {
            return (stop, best);
        }
        let start = self.history.first().map_or(0.0, |start| start.loss);
        let scale = (start - best.loss).abs() + best.loss.abs();
        if last.loss - best.loss <= EQUAL * scale {
            return (stop, last);
        }
        let above = Stop::Above {
            loss: last.loss,
            best: best.loss,
        };
        (above, best)
    }

    pub(super) fn report(
        self,
        stop: Stop,
        tolerances: Tolerances,
        problem: &Problem<'_>,
    ) -> Report {
        let (stop, point) = self.ended(stop);
        let mut remarks = problem.remarks();
        let solvers = problem.solvers();
        if let Some(text) = doubt(&self.history).filter(|_| stop.converged()) {
            let iteration = self.history.len().saturating_sub(1);
            remarks.push(Remark { iteration, text });
        }
        let Point {
            theta, rho, loss, ..
        } = point.clone();
        Report {
            theta,
            rho,
            loss,
            left: self.left.get(),
            history: self.history,
            stop,
            counts: problem.counts_now(),
            solvers: solvers.all(),
            purposes: solvers,
            tolerances,
            last_failure: problem.last_failure(),
            remarks,
        }
    }
}
