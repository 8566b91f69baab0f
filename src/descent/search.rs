//! One step: a direction, and trials along it until the rule is content.

use super::here::Here;
use super::iterate::Move;
use super::outlook::{Outlook, Ruler};
use super::point::{Point, Problem};
use super::stop::Stop;
use crate::direction::{Path, Proposal};
use crate::error::Result;
use crate::step::{StepRule, Trial, Verdict};
use crate::vector::{dot, norm};

/// How a search ended.
pub(super) enum Outcome {
    /// A better point, and how it was reached.
    Moved(Point, Move),
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

/// Trials after which even a rule that never gives up is stopped.
const MOST_TRIALS: usize = 1000;

/// A gradient of which the metric sees less than this fraction counts as unseen.
const UNSEEN: f64 = 1e-6;

/// Says why there is nothing left to do, if there is nothing.
pub(super) type Settled<'s> = dyn Fn(&Outlook) -> Option<Stop> + 's;

/// What is tried next.
struct Attempt {
    proposal: Proposal,
    scale: f64,
    damping: f64,
}

/// The directions from a point, and how long they are.
struct Course<'c> {
    path: &'c mut dyn Path,
    ruler: Ruler,
    /// The decrease that is left to gain, if it is known.
    left: Option<f64>,
}

/// The least damping that keeps digits.
const LEAST_DAMPING: f64 = 1e-10;

/// Damping beyond which a step is nothing.
const MOST_DAMPING: f64 = 1e16;

/// Where the search for a damping begins: below, nothing is damped but rounding.
const FIRST_DAMPING: f64 = 1e-20;

/// Bisections of the exponent of a damping.
const BISECTIONS: usize = 8;

impl Attempt {
    /// The direction for this damping.
    fn new(path: &mut dyn Path, scale: f64, damping: f64) -> Result<Self> {
        Ok(Self {
            proposal: path.at(damping)?,
            scale,
            damping,
        })
    }

    /// The first direction from a point. In a trust region, one that cannot do without damping gets the least.
    fn first(path: &mut dyn Path, scale: f64, damping: f64) -> Result<Self> {
        match Self::new(path, scale, damping) {
            Err(_) if damping == 0.0 && !path.norms().is_empty() => {
                Self::new(path, scale, LEAST_DAMPING)
            }
            attempt => attempt,
        }
    }

    fn length(&self, ruler: &Ruler) -> Option<f64> {
        ruler.length(&self.proposal.eta).map(|l| self.scale * l)
    }

    /// Raises the damping until the step is no longer than this. The length falls with the damping, so a bracket
    /// between powers of ten is bisected.
    fn shorten(&mut self, path: &mut dyn Path, ruler: &Ruler, most: f64) -> Result<()> {
        let fits = |attempt: &Self| attempt.length(ruler).is_none_or(|length| length <= most);
        if most == f64::INFINITY || fits(self) {
            return Ok(());
        }
        let (mut low, mut high) = (self.damping, self.damping.max(FIRST_DAMPING));
        while !fits(self) && high < MOST_DAMPING {
            (low, high) = (high, 10.0 * high);
            *self = Self::new(path, self.scale, high)?;
        }
        for _ in 0..BISECTIONS {
            let middle = (low * high).sqrt();
            let trial = Self::new(path, self.scale, middle)?;
            if fits(&trial) {
                (*self, high) = (trial, middle);
            } else {
                low = middle;
            }
        }
        Ok(())
    }
}

impl Problem<'_> {
    /// Searches from a point; everything known there is used up.
    pub(super) fn search<'p>(
        &'p self,
        mut here: Here<'p>,
        rule: &mut dyn StepRule,
        settled: &Settled<'_>,
    ) -> Result<Outcome> {
        let outcome = self.step_from(&mut here, rule, settled);
        self.book(&here);
        if matches!(outcome, Ok(Outcome::Moved(..))) {
            self.stepped();
        }
        outcome
    }

    fn step_from<'p>(
        &'p self,
        here: &mut Here<'p>,
        rule: &mut dyn StepRule,
        settled: &Settled<'_>,
    ) -> Result<Outcome> {
        // A metric that keeps the mass sees nothing of a gradient that only changes it.
        let size = norm(&here.exact);
        if size > 0.0 && norm(&here.grad) <= UNSEEN * size {
            return Ok(Outcome::Stuck {
                trials: 0,
                slope: 0.0,
                change: f64::INFINITY,
            });
        }
        loop {
            let widest = self.widest(here);
            self.factorise_priors(here)?;
            let mut path = self.setting.direction.prepare(&here.local(&widest))?;
            self.note(path.remark());
            self.widen(here, path.norms());
            let (scale, damping) = rule.first();
            let mut attempt = Attempt::first(path.as_mut(), scale, damping)?;
            // A direction may leave the box through a coordinate whose own gradient points inward.
            if self.blocked(here, &attempt.proposal) {
                drop(path);
                let slope = dot(&here.exact, &attempt.proposal.eta);
                self.hold_blocked(here, &attempt.proposal.eta);
                if here.chart.free.is_empty() {
                    return Ok(Outcome::Stuck {
                        trials: 0,
                        slope,
                        change: f64::INFINITY,
                    });
                }
                continue;
            }
            let ruler = self.ruler(here, path.norms());
            let left = self.outlook(here, path.as_mut(), (&ruler, scale));
            let suspect = left.and_then(|left| left.suspect);
            if let Some(stop) = left.as_ref().and_then(settled) {
                return Ok(Outcome::Settled(self.lost(here, suspect).unwrap_or(stop)));
            }
            if size == 0.0 {
                return Ok(Outcome::Settled(Stop::Gradient { ratio: 0.0 }));
            }
            attempt.shorten(path.as_mut(), &ruler, rule.reach())?;
            let left = left.map(|left| left.decrease);
            let mut course = Course {
                path: path.as_mut(),
                ruler,
                left,
            };
            let outcome = self.trials(here, &mut course, &mut attempt, rule)?;
            return Ok(match outcome {
                Outcome::Stuck { .. } => self.lost(here, suspect).map_or(outcome, Outcome::Settled),
                outcome => outcome,
            });
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
        course: &mut Course<'_>,
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
                rounding: here.rounding,
                slope: dot(&here.exact, &now.proposal.eta),
                predicted: now.proposal.predicted,
                promised,
                length: now.length(&course.ruler),
                attempt: tried,
            };
            tried += 1;
            let verdict = match rule.judge(&trial) {
                Verdict::Scale(_) | Verdict::Damp(_) | Verdict::Shorten(_)
                    if tried >= MOST_TRIALS =>
                {
                    Verdict::GiveUp
                }
                verdict => verdict,
            };
            match (verdict, next) {
                (Verdict::Accept, Some(next)) => {
                    let sized = self.is_sized();
                    let mut step = Move::new(&here.point.theta, &next.theta, &trial, sized);
                    self.size_known(step.settled);
                    step.left = course.left;
                    return Ok(Outcome::Moved(next, step));
                }
                (Verdict::Scale(t), _) => now.scale = t,
                (Verdict::Damp(lambda), _) => {
                    *now = Attempt::new(course.path, now.scale, lambda)?;
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

    /// θ after a step in the coordinates of the descent, held inside the box.
    pub(super) fn moved(&self, here: &Here<'_>, eta: &[f64], scale: f64) -> Vec<f64> {
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
