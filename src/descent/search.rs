//! One step of a descent: a direction, and trials along it until the step rule accepts one.

use super::attempt::Attempt;
use super::history::Move;
use super::linearised::Linearised;
use super::memory::{Departure, Memory};
use super::point::Evaluated;
use super::problem::Problem;
use super::progress::Progress;
use super::remaining::Remaining;
use super::step_norm::StepNorm;
use super::stop::Stop;
use super::stopping::Tolerances;
use crate::check;
use crate::direction::{Finder, Path};
use crate::error::Result;
use crate::step::{Judge, StepRule, Trial, Verdict};
use crate::vector::{dot, norm};

/// Outcome of the search for the next point.
pub(super) enum Outcome<'a> {
    /// The search accepted this step to the next point.
    Moved(Evaluated<'a>, Move),
    /// The run stops at the current point, for this reason.
    Ended(Stop),
    /// No trial was accepted.
    Stalled {
        /// Number of trials of the search.
        trials: usize,
        /// Slope ∇f·η along the last direction.
        slope: f64,
        /// Change of the objective by the last trial, or ∞ without trials.
        change: f64,
    },
}

impl Outcome<'_> {
    /// Returns the outcome of a search without trials.
    fn without_trials(slope: f64) -> Self {
        Self::Stalled {
            trials: 0,
            slope,
            change: f64::INFINITY,
        }
    }
}

/// Largest number of trials of one step, for step rules that never give up.
const MOST_TRIALS: usize = 1000;

/// Largest ratio of the projected gradient to the gradient at which the metric counts as projecting it out.
const UNSEEN: f64 = 1e-6;

/// Steps from a point as a function of the damping, and their norm.
pub(super) struct StepFamily<'f> {
    pub(super) path: &'f mut dyn Path,
    pub(super) norm: StepNorm,
    /// Decrease of the objective that remains to gain, if known.
    pub(super) remaining: Option<f64>,
}

/// Parts of a run that a search uses.
pub(super) struct Search<'s, 'p, 'a> {
    pub(super) problem: &'p Problem<'a>,
    pub(super) finder: &'s mut (dyn Finder + 'a),
    pub(super) rule: &'a dyn StepRule,
    pub(super) judge: &'s mut Box<dyn Judge + 'a>,
    pub(super) memory: &'s mut Memory,
    pub(super) progress: &'s mut Progress,
    pub(super) tolerances: &'s Tolerances,
}

impl<'p, 'a> Search<'_, 'p, 'a> {
    /// Searches for the next point.
    pub(super) fn run(&mut self, at: &mut Linearised<'p>) -> Result<Outcome<'a>> {
        let size = norm(&at.exact);
        if is_unseen(at, size) {
            return Ok(Outcome::without_trials(0.0));
        }
        let problem = self.problem;
        // Every pass through the loop ends the search or holds at least one more parameter. Z only loses
        // columns, so that another pass of least squares costs a QR factorisation but no tangent solve.
        loop {
            let widest = self.memory.widest(at);
            problem.factorise_priors(at)?;
            let mut path = self.finder.prepare(&at.local(&widest))?;
            self.memory.add_remark(path.remark());
            self.memory.add_norms(at, path.norms());
            let (scale, damping) = checked_first(self.judge.as_ref())?;
            let mut attempt = Attempt::first(path.as_mut(), scale, damping)?;
            attempt.check(at.chart.free.len())?;
            at.check_adjoint(&attempt.proposal.eta)?;
            // A direction may push a parameter through its bound although −∇ points away from this bound,
            // because G couples the parameters.
            if problem.leaves_box(at, &attempt.proposal) {
                drop(path);
                let slope = dot(&at.exact, &attempt.proposal.eta);
                problem.hold_blocked(at, &attempt.proposal.eta);
                if at.chart.free.is_empty() {
                    return Ok(Outcome::without_trials(slope));
                }
                continue;
            }
            // This test costs no solve, unlike a trial, and therefore comes first.
            let step_norm = StepNorm::new(problem, self.memory, at, path.norms());
            let matched = problem.is_matched(self.memory);
            let remaining = Remaining::new(at, path.as_mut(), (&step_norm, scale), matched);
            let suspect = remaining.and_then(|remaining| remaining.suspect);
            let stop = remaining.and_then(|r| self.progress.test_remaining(self.tolerances, r));
            let vanished = (size == 0.0).then_some(Stop::Gradient { ratio: 0.0 });
            if let Some(stop) = stop.or(vanished) {
                drop(path);
                let lost = problem.lost_effect(at, suspect, self.memory);
                return self.finish(at, lost.unwrap_or(stop));
            }
            let reach = checked_reach(self.judge.as_ref())?;
            attempt.shorten(path.as_mut(), &step_norm, reach)?;
            let mut family = StepFamily {
                path: path.as_mut(),
                norm: step_norm,
                remaining: remaining.map(|remaining| remaining.decrease),
            };
            let (judge, memory) = (self.judge.as_mut(), &mut *self.memory);
            let mut trials = Trials {
                problem,
                judge,
                memory,
            };
            let outcome = trials.run(at, &mut family, attempt)?;
            let stalled = matches!(outcome, Outcome::Stalled { .. });
            let lost = stalled.then(|| problem.lost_effect(at, suspect, self.memory));
            return Ok(lost.flatten().map_or(outcome, Outcome::Ended));
        }
    }
}

/// Parts of a run that the trials from one point use. The finder is missing, because the path borrows it.
pub(super) struct Trials<'t, 'a> {
    pub(super) problem: &'t Problem<'a>,
    pub(super) judge: &'t mut (dyn Judge + 'a),
    pub(super) memory: &'t mut Memory,
}

impl<'a> Trials<'_, 'a> {
    /// Returns the checked verdict of the judge, or [`Verdict::GiveUp`] after too many trials.
    fn verdict(&mut self, trial: &Trial, tried: usize) -> Result<Verdict> {
        let verdict = self.judge.judge(trial);
        match verdict {
            Verdict::Accept | Verdict::GiveUp => return Ok(verdict),
            Verdict::Scale(scale) => check_step(scale, trial.damping)?,
            Verdict::Damp(damping) => check_step(trial.scale, damping)?,
            Verdict::Shorten(factor) => check_step(factor, trial.damping)?,
        }
        Ok(match tried >= MOST_TRIALS {
            true => Verdict::GiveUp,
            false => verdict,
        })
    }

    /// Tries steps until the judge accepts one or gives up.
    pub(super) fn run(
        &mut self,
        at: &Linearised<'_>,
        family: &mut StepFamily<'_>,
        mut attempt: Attempt,
    ) -> Result<Outcome<'a>> {
        // The prediction of the first trial is kept for all trials from this point: a trial that is short
        // after many reductions predicts little because of its length, not because little remains to gain.
        let promised = attempt.scale * attempt.proposal.predicted;
        let mut tried = 0;
        loop {
            let theta = self.problem.moved(at, &attempt.proposal.eta, attempt.scale);
            let next = self.problem.evaluate_trial(theta, at.point, self.memory);
            let trial = Trial {
                scale: attempt.scale,
                damping: attempt.damping,
                loss: at.point.loss,
                trial_loss: next.as_ref().map_or(f64::INFINITY, |p| p.point.loss),
                rounding: at.rounding,
                slope: dot(&at.exact, &attempt.proposal.eta),
                predicted: attempt.proposal.predicted,
                promised,
                length: attempt.length(&family.norm),
                attempt: tried,
            };
            tried += 1;
            let verdict = self.verdict(&trial, tried)?;
            match (verdict, next) {
                (Verdict::Accept, Some(next)) => {
                    let sized = self.memory.sized || self.problem.is_matched(self.memory);
                    let mut step = Move::new(&at.point.theta, &next.point.theta, &trial, sized);
                    self.memory.sized |= step.settled;
                    step.left = family.remaining;
                    self.memory.departure = Some(Departure {
                        trial,
                        coordinates: at.coordinates.clone(),
                    });
                    return Ok(Outcome::Moved(next, step));
                }
                (Verdict::Scale(scale), _) => attempt.scale = scale,
                (Verdict::Damp(damping), _) => {
                    attempt = Attempt::new(family.path, attempt.scale, damping)?;
                }
                (Verdict::Shorten(factor), _) if trial.length.is_some() => {
                    let longest = factor * trial.length.unwrap_or(f64::INFINITY);
                    attempt.shorten(family.path, &family.norm, longest)?;
                }
                _ => {
                    return Ok(Outcome::Stalled {
                        trials: tried,
                        slope: trial.slope,
                        change: trial.trial_loss - trial.loss,
                    });
                }
            }
        }
    }
}

/// Checks the scale and the damping that a step rule asks for.
fn check_step(scale: f64, damping: f64) -> Result<()> {
    check::option(
        "the scale of a step rule",
        scale,
        scale > 0.0 && scale.is_finite(),
        "let `Judge` return a positive number",
    )?;
    check::option(
        "the damping of a step rule",
        damping,
        damping >= 0.0 && damping.is_finite(),
        "let `Judge` return a number that is not negative",
    )
}

/// Returns the largest relative length that the step rule allows for the first trial, and checks it.
pub(super) fn checked_reach(judge: &dyn Judge) -> Result<f64> {
    let (reach, remedy) = (judge.reach(), "let `Judge` return a positive length, or ∞");
    check::option("the reach of the step rule", reach, reach > 0.0, remedy)?;
    Ok(reach)
}

/// Returns the scale and damping of the step rule for the first trial, and checks them.
pub(super) fn checked_first(judge: &dyn Judge) -> Result<(f64, f64)> {
    let (scale, damping) = judge.first();
    check_step(scale, damping)?;
    Ok((scale, damping))
}

/// Returns whether the metric projects out the gradient, whose norm is `size`. A metric that conserves mass
/// does so if the objective decreases only with the mass.
fn is_unseen(at: &Linearised<'_>, size: f64) -> bool {
    // `grad` comes from Πᵀu and `exact` from u, where u = ∂f/∂ρ and Π is the projection of the metric. If
    // `grad` consists of rounding errors relative to `exact`, a direction computed from it is noise, and its
    // quadratic model predicts nothing about the objective.
    size > 0.0 && norm(&at.grad) <= UNSEEN * size
}
