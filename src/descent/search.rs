//! One step: a direction, and trials along it until the rule is content.

use super::here::Here;
use super::iterate::Move;
use super::point::{Point, Problem};
use crate::direction::{Path, Proposal};
use crate::error::Result;
use crate::step::{StepRule, Trial, Verdict};
use crate::vector::{dot, norm};

/// How a search ended.
pub(super) enum Outcome {
    /// A better point, and how it was reached.
    Moved(Point, Move),
    /// No trial was accepted.
    Stuck {
        /// How many there were.
        trials: usize,
        /// ∇f·η along the last direction.
        slope: f64,
    },
}

/// Trials after which even a rule that never gives up is stopped.
const MOST_TRIALS: usize = 1000;

/// A gradient of which the metric sees less than this fraction counts as unseen.
const UNSEEN: f64 = 1e-6;

/// What is tried next.
struct Attempt {
    proposal: Proposal,
    scale: f64,
    damping: f64,
}

impl Problem<'_> {
    /// Searches from a point; everything known there is used up.
    pub(super) fn search<'p>(
        &'p self,
        mut here: Here<'p>,
        rule: &mut dyn StepRule,
    ) -> Result<Outcome> {
        let outcome = self.step_from(&mut here, rule);
        self.leave(here);
        if matches!(outcome, Ok(Outcome::Moved(..))) {
            self.stepped();
        }
        outcome
    }

    fn step_from<'p>(&'p self, here: &mut Here<'p>, rule: &mut dyn StepRule) -> Result<Outcome> {
        // A metric that keeps the mass sees nothing of a gradient that only changes it.
        if norm(&here.grad) <= UNSEEN * norm(&here.exact) {
            return Ok(Outcome::Stuck {
                trials: 0,
                slope: 0.0,
            });
        }
        loop {
            let widest = self.widest(here);
            self.factorise_priors(here)?;
            let mut path = self.setting.direction.prepare(&here.local(&widest))?;
            self.note(path.remark());
            self.widen(here, path.norms());
            let (scale, damping) = rule.first();
            let mut attempt = Attempt {
                proposal: path.at(damping)?,
                scale,
                damping,
            };
            // A direction may leave the box through a coordinate whose own gradient points inward.
            if self.blocked(here, &attempt.proposal) {
                drop(path);
                let slope = dot(&here.exact, &attempt.proposal.eta);
                self.hold_blocked(here, &attempt.proposal.eta);
                if here.chart.free.is_empty() {
                    return Ok(Outcome::Stuck { trials: 0, slope });
                }
                continue;
            }
            return self.trials(here, path.as_mut(), &mut attempt, rule);
        }
    }

    fn blocked(&self, here: &Here<'_>, proposal: &Proposal) -> bool {
        self.setting.bounds.is_some_and(|bounds| {
            let mut moves = here.chart.free.iter().zip(&proposal.eta);
            moves.any(|(&i, &eta)| bounds.blocks(i, here.point.theta[i], eta))
        })
    }

    fn trials(
        &self,
        here: &Here<'_>,
        path: &mut dyn Path,
        now: &mut Attempt,
        rule: &mut dyn StepRule,
    ) -> Result<Outcome> {
        let promised = now.scale * now.proposal.predicted;
        let mut tried = 0;
        loop {
            let theta = self.moved(here, &now.proposal.eta, now.scale);
            let next = self.attempt(theta, here.point);
            let trial = Trial {
                scale: now.scale,
                damping: now.damping,
                loss: here.point.loss,
                trial_loss: next.as_ref().map_or(f64::INFINITY, |p| p.loss),
                slope: dot(&here.exact, &now.proposal.eta),
                predicted: now.proposal.predicted,
                promised,
                attempt: tried,
            };
            tried += 1;
            let verdict = match rule.judge(&trial) {
                Verdict::Scale(_) | Verdict::Damp(_) if tried >= MOST_TRIALS => Verdict::GiveUp,
                verdict => verdict,
            };
            match (verdict, next) {
                (Verdict::Accept, Some(next)) => {
                    let step = Move::new(&here.point.theta, &next.theta, &trial);
                    return Ok(Outcome::Moved(next, step));
                }
                (Verdict::Scale(t), _) => now.scale = t,
                (Verdict::Damp(lambda), _) => {
                    now.damping = lambda;
                    now.proposal = path.at(lambda)?;
                }
                _ => {
                    return Ok(Outcome::Stuck {
                        trials: tried,
                        slope: trial.slope,
                    });
                }
            }
        }
    }

    /// θ after a step in the coordinates of the descent, held inside the box.
    fn moved(&self, here: &Here<'_>, eta: &[f64], scale: f64) -> Vec<f64> {
        let mut theta = here.point.theta.clone();
        for (&i, eta) in here.chart.free.iter().zip(eta) {
            theta[i] = match self.setting.transforms {
                None => theta[i] + scale * eta,
                Some(t) => t[i].forward(t[i].inverse(theta[i]) + scale * eta),
            };
        }
        if let Some(bounds) = self.setting.bounds {
            bounds.clamp(&mut theta);
        }
        theta
    }
}
