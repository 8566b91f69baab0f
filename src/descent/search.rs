//! One step: a direction, and trials along it until the rule is content.

use super::attempt::Attempt;
use super::history::Move;
use super::linearised::Linearised;
use super::memory::Memory;
use super::outlook::{Outlook, Ruler};
use super::point::Evaluated;
use super::problem::Problem;
use super::progress::Progress;
use super::stop::Stop;
use super::stopping::Tolerances;
use crate::direction::{Finder, Path};
use crate::error::Result;
use crate::step::{Judge, Trial, Verdict};
use crate::vector::{dot, norm};

/// How a search ended.
pub(super) enum Outcome<'a> {
    /// A better point, and how it was reached.
    Moved(Evaluated<'a>, Move),
    /// There is nothing left to search for.
    Settled(Stop),
    /// No trial was accepted.
    Stuck {
        /// How many there were.
        trials: usize,
        /// ∇f·η along the last direction.
        slope: f64,
        /// By how much the last one changed the objective; infinite without any.
        change: f64,
    },
}

impl Outcome<'_> {
    /// No trial was made.
    fn without_trials(slope: f64) -> Self {
        Self::Stuck {
            trials: 0,
            slope,
            change: f64::INFINITY,
        }
    }
}

/// Trials after which even a rule that never gives up is stopped.
const MOST_TRIALS: usize = 1000;

/// A gradient of which the metric sees less than this fraction counts as unseen.
const UNSEEN: f64 = 1e-6;

/// The directions from a point, and their lengths.
struct Course<'c> {
    path: &'c mut dyn Path,
    ruler: Ruler,
    /// The decrease that is left to gain, if it is known.
    left: Option<f64>,
}

/// The parts of a run that a search works with.
pub(super) struct Search<'s, 'p, 'a> {
    pub(super) problem: &'p Problem<'a>,
    pub(super) finder: &'s mut (dyn Finder + 'a),
    pub(super) judge: &'s mut (dyn Judge + 'a),
    pub(super) memory: &'s mut Memory,
    pub(super) progress: &'s mut Progress,
    pub(super) tolerances: &'s Tolerances,
}

impl<'p, 'a> Search<'_, 'p, 'a> {
    /// Searches from a point.
    pub(super) fn run(&mut self, here: &mut Linearised<'p>) -> Result<Outcome<'a>> {
        // A metric that keeps the mass sees nothing of a gradient that only changes it.
        let size = norm(&here.exact);
        if size > 0.0 && norm(&here.grad) <= UNSEEN * size {
            return Ok(Outcome::without_trials(0.0));
        }
        let problem = self.problem;
        loop {
            let widest = self.memory.widest(here);
            problem.factorise_priors(here)?;
            let mut path = self.finder.prepare(&here.local(&widest))?;
            self.memory.note(path.remark());
            self.memory.widen(here, path.norms());
            let (scale, damping) = self.judge.first();
            let mut attempt = Attempt::first(path.as_mut(), scale, damping)?;
            // A direction may leave the box through a coordinate whose own gradient points inward.
            if problem.blocks(here, &attempt.proposal) {
                drop(path);
                let slope = dot(&here.exact, &attempt.proposal.eta);
                problem.hold_blocked(here, &attempt.proposal.eta);
                if here.chart.free.is_empty() {
                    return Ok(Outcome::without_trials(slope));
                }
                continue;
            }
            let ruler = Ruler::new(problem, self.memory, here, path.norms());
            let left = Outlook::at(here, path.as_mut(), (&ruler, scale));
            let left = left.map(|left| left.in_metric(problem.is_matched(self.memory)));
            let suspect = left.and_then(|left| left.suspect);
            let settled = left.and_then(|left| self.progress.settled(self.tolerances, left));
            if let Some(stop) = settled {
                let lost = problem.lost(here, suspect, self.memory);
                return Ok(Outcome::Settled(lost.unwrap_or(stop)));
            }
            if size == 0.0 {
                return Ok(Outcome::Settled(Stop::Gradient { ratio: 0.0 }));
            }
            attempt.shorten(path.as_mut(), &ruler, self.judge.reach())?;
            let mut course = Course {
                path: path.as_mut(),
                ruler,
                left: left.map(|left| left.decrease),
            };
            let mut trials = Trials {
                problem,
                judge: &mut *self.judge,
                memory: &mut *self.memory,
            };
            let outcome = trials.run(here, &mut course, attempt)?;
            return Ok(match outcome {
                Outcome::Stuck { .. } => {
                    let lost = problem.lost(here, suspect, self.memory);
                    lost.map_or(outcome, Outcome::Settled)
                }
                outcome => outcome,
            });
        }
    }
}

/// The parts of a run that trials along one path work with; the finder is lent to the path.
struct Trials<'t, 'a> {
    problem: &'t Problem<'a>,
    judge: &'t mut (dyn Judge + 'a),
    memory: &'t mut Memory,
}

impl<'a> Trials<'_, 'a> {
    /// Tries steps until the judge accepts one or gives up.
    fn run(
        &mut self,
        here: &Linearised<'_>,
        course: &mut Course<'_>,
        mut now: Attempt,
    ) -> Result<Outcome<'a>> {
        let promised = now.scale * now.proposal.predicted;
        let mut tried = 0;
        loop {
            let theta = self.problem.moved(here, &now.proposal.eta, now.scale);
            let next = self.problem.attempt(theta, here.point, self.memory);
            let trial = Trial {
                scale: now.scale,
                damping: now.damping,
                loss: here.point.loss,
                trial_loss: next.as_ref().map_or(f64::INFINITY, |p| p.point.loss),
                rounding: here.rounding,
                slope: dot(&here.exact, &now.proposal.eta),
                predicted: now.proposal.predicted,
                promised,
                length: now.length(&course.ruler),
                attempt: tried,
            };
            tried += 1;
            let verdict = match self.judge.judge(&trial) {
                Verdict::Scale(_) | Verdict::Damp(_) | Verdict::Shorten(_)
                    if tried >= MOST_TRIALS =>
                {
                    Verdict::GiveUp
                }
                verdict => verdict,
            };
            match (verdict, next) {
                (Verdict::Accept, Some(next)) => {
                    let sized = self.memory.sized || self.problem.is_matched(self.memory);
                    let mut step = Move::new(&here.point.theta, &next.point.theta, &trial, sized);
                    self.memory.sized |= step.settled;
                    step.left = course.left;
                    return Ok(Outcome::Moved(next, step));
                }
                (Verdict::Scale(t), _) => now.scale = t,
                (Verdict::Damp(lambda), _) => {
                    now = Attempt::new(course.path, now.scale, lambda)?;
                }
                (Verdict::Shorten(factor), _) if trial.length.is_some() => {
                    let length = factor * trial.length.unwrap_or(f64::INFINITY);
                    now.shorten(course.path, &course.ruler, length)?;
                }
                _ => {
                    return Ok(Outcome::Stuck {
                        trials: tried,
                        slope: trial.slope,
                        change: trial.trial_loss - trial.loss,
                    });
                }
            }
        }
    }
}
