//! Trials along a direction, until the step rule accepts one.

use super::attempt::Attempt;
use super::history::Move;
use super::linearised::Linearised;
use super::memory::{Departure, Memory};
use super::point::Evaluated;
use super::problem::Problem;
use super::step_norm::StepNorm;
use super::stop::Stop;
use crate::check;
use crate::direction::Path;
use crate::error::Result;
use crate::step::{Judge, Trial, Verdict};
use crate::vector::dot;

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
    pub(super) fn without_trials(slope: f64) -> Self {
        Self::Stalled {
            trials: 0,
            slope,
            change: f64::INFINITY,
        }
    }
}

/// Largest number of trials of one step, for step rules that never give up.
const MOST_TRIALS: usize = 1000;

/// Steps from a point as a function of the damping, and their norm.
pub(super) struct StepFamily<'f> {
    pub(super) path: &'f mut dyn Path,
    pub(super) norm: StepNorm,
    /// Decrease of the objective that remains to gain, if known.
    pub(super) remaining: Option<f64>,
}

/// Parts of a run that the trials from one point use. The finder is missing, because the path borrows it.
pub(super) struct Trials<'t, 'a> {
    pub(super) problem: &'t Problem<'a>,
    pub(super) judge: &'t mut (dyn Judge + 'a),
    pub(super) memory: &'t mut Memory,
}

/// Trial with its point, or None where the model or the loss failed.
type Tried<'a> = (Trial, Option<Evaluated<'a>>);

impl<'a> Trials<'_, 'a> {
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
        let (mut tried, mut kept) = (0, None);
        loop {
            let blank = Trial {
                promised,
                length: attempt.length(&family.norm),
                attempt: tried,
                ..Trial::default()
            };
            let (verdict, (trial, next)) = self.judged(at, &attempt, blank)?;
            tried += 1;
            match (verdict, next) {
                (Verdict::Accept, Some(next)) => {
                    return Ok(self.accept(at, family, (trial, next)));
                }
                (Verdict::AcceptKept, _) if kept.is_some() => {
                    let tried = trial.attempt;
                    let accept = |(best, next): (Trial, _)| {
                        // The step took all trials.
                        let attempt = tried;
                        self.accept(at, family, (Trial { attempt, ..best }, next))
                    };
                    return Ok(kept.map_or(stalled(&trial), accept));
                }
                (Verdict::Keep(scale), Some(next)) => {
                    kept = Some((trial, next));
                    attempt.scale = scale;
                }
                (Verdict::Scale(scale), _) => attempt.scale = scale,
                (Verdict::Damp(damping), _) => {
                    attempt = Attempt::new(family.path, attempt.scale, damping)?;
                }
                (Verdict::Shorten(factor), _) if trial.length.is_some() => {
                    let longest = factor * trial.length.unwrap_or(f64::INFINITY);
                    attempt.shorten(family.path, &family.norm, longest)?;
                }
                _ => return Ok(stalled(&trial)),
            }
        }
    }

    /// Evaluates a trial, completes its numbers, and returns the verdict of the judge.
    fn judged(
        &mut self,
        at: &Linearised<'_>,
        attempt: &Attempt,
        blank: Trial,
    ) -> Result<(Verdict, Tried<'a>)> {
        let eta = &attempt.proposal.eta;
        let theta = self.problem.moved(at, eta, attempt.scale);
        let next = self.problem.evaluate_trial(theta, at.point, self.memory);
        let trial = Trial {
            scale: attempt.scale,
            damping: attempt.damping,
            loss: at.point.loss,
            trial_loss: next.as_ref().map_or(f64::INFINITY, |p| p.point.loss),
            rounding: at.rounding,
            slope: dot(&at.exact, eta),
            predicted: attempt.proposal.predicted,
            ..blank
        };
        let verdict = self.verdict(&trial)?;
        match (verdict, next) {
            (Verdict::Slope, Some(next)) => {
                let tried = self.with_slope(at, attempt, (trial, next));
                Ok((self.verdict(&tried.0)?, tried))
            }
            (_, next) => Ok((verdict, (trial, next))),
        }
    }

    /// Adds the slope to a trial. A failure makes the objective there ∞.
    fn with_slope(
        &mut self,
        at: &Linearised<'_>,
        attempt: &Attempt,
        (trial, mut next): (Trial, Evaluated<'a>),
    ) -> Tried<'a> {
        let slope = (self.problem).end_slope(at, &mut next, (attempt, self.memory));
        match slope {
            Ok(slope) => {
                let end_slope = Some(slope);
                (Trial { end_slope, ..trial }, Some(next))
            }
            Err(error) => {
                self.memory.failure = Some(error.to_string());
                let trial_loss = f64::INFINITY;
                (
                    Trial {
                        trial_loss,
                        ..trial
                    },
                    None,
                )
            }
        }
    }

    /// Returns the checked verdict of the judge, or [`Verdict::GiveUp`] after too many trials.
    fn verdict(&mut self, trial: &Trial) -> Result<Verdict> {
        let verdict = self.judge.judge(trial);
        match verdict {
            Verdict::Accept | Verdict::AcceptKept | Verdict::GiveUp | Verdict::Slope => {
                return Ok(verdict);
            }
            Verdict::Scale(scale) | Verdict::Keep(scale) => check_step(scale, trial.damping)?,
            Verdict::Damp(damping) => check_step(trial.scale, damping)?,
            Verdict::Shorten(factor) => check_step(factor, trial.damping)?,
        }
        Ok(match trial.attempt + 1 >= MOST_TRIALS {
            true => Verdict::GiveUp,
            false => verdict,
        })
    }

    /// Moves to the point of an accepted trial.
    fn accept(
        &mut self,
        at: &Linearised<'_>,
        family: &StepFamily<'_>,
        (trial, next): (Trial, Evaluated<'a>),
    ) -> Outcome<'a> {
        let sized = self.memory.sized || self.problem.is_matched(self.memory);
        let mut step = Move::new(&at.point.theta, &next.point.theta, &trial, sized);
        self.memory.sized |= step.settled;
        self.memory.last_scale = Some(trial.scale);
        step.left = family.remaining;
        self.memory.departure = Some(Departure {
            trial,
            coordinates: at.coordinates.clone(),
        });
        Outcome::Moved(next, step)
    }
}

/// Returns the outcome after a last trial that was not accepted.
fn stalled<'a>(trial: &Trial) -> Outcome<'a> {
    Outcome::Stalled {
        trials: trial.attempt + 1,
        slope: trial.slope,
        change: trial.trial_loss - trial.loss,
    }
}

/// Checks the scale and the damping that a step rule asks for.
pub(super) fn check_step(scale: f64, damping: f64) -> Result<()> {
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
