//! One step of a descent: a direction, and trials along it until the step rule accepts one.

use super::attempt::Attempt;
use super::linearised::{Free, Linearised};
use super::memory::Memory;
use super::problem::Problem;
use super::progress::Progress;
use super::remaining::Remaining;
use super::step_norm::StepNorm;
use super::stop::Stop;
use super::stopping::Tolerances;
use super::trials::{Outcome, StepFamily, Trials, check_step};
use crate::check;
use crate::direction::Finder;
use crate::error::Result;
use crate::step::{Judge, StepRule};
use crate::vector::{dot, norm};

/// Largest ratio of the projected gradient to the gradient at which the metric counts as projecting it out.
const UNSEEN: f64 = 1e-6;

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
        let (problem, mut free) = (self.problem, self.problem.free(at));
        // Every pass through the loop but one ends the search or holds at least one more parameter. Z only loses
        // columns, so that another pass of least squares costs a QR factorisation but no tangent solve.
        loop {
            let widest = self.memory.widest(at);
            problem.factorise_priors(at)?;
            let mut path = self.finder.prepare(&at.local(&widest))?;
            self.memory.add_remark(path.remark());
            self.memory.add_norms(at, path.norms());
            let first = checked_first(self.judge.as_ref())?;
            let mut attempt = Attempt::first(path.as_mut(), first)?;
            attempt.check(at.chart.free.len())?;
            at.check_adjoint(&attempt.proposal.eta)?;
            // A direction may push a parameter through its bound although −∇ points away from this bound,
            // because G couples the parameters.
            if problem.leaves_box(at, &attempt.proposal) {
                drop(path);
                let slope = dot(&at.exact, &attempt.proposal.eta);
                if self.hold(at, &attempt.proposal.eta, &mut free) {
                    continue;
                }
                return Ok(Outcome::without_trials(slope));
            }
            // This test costs no solve, unlike a trial, and therefore comes first.
            let step_norm = StepNorm::new(problem, self.memory, at, path.norms());
            let matched = problem.is_matched(self.memory);
            let scale = (self.progress).remaining_scale(self.judge.as_ref(), matched);
            let remaining = Remaining::new(at, path.as_mut(), (&step_norm, scale), matched);
            let suspect = remaining.and_then(|r| r.suspect);
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

    /// Holds the parameters that a step would push through their bounds. Returns whether some are free to go on with.
    fn hold(&mut self, at: &mut Linearised<'p>, eta: &[f64], free: &mut Option<Free>) -> bool {
        self.problem.hold_blocked(at, eta);
        if !at.chart.free.is_empty() {
            return true;
        }
        // −∇ does not hold the last parameters: momentum does, which is taken away once.
        let free = free.take().filter(|_| self.finder.brake());
        free.map(|free| at.restore(free)).is_some()
    }
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
