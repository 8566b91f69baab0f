//! One fit, in buffers that are used again.

use super::local::Local;
use super::objective::Rules;
use crate::automatic::Formula;
use crate::descent::{Counts, Iterate, Move, NO_DECREASE, NO_EFFECT, PROBE, Remaining, Rule, Stop};
use crate::error::Result;
use crate::step::{Judge, Trial, TrustRatio, TrustRegion, Verdict};

/// Number of iterates that the stopping tests look at, besides the first.
const REMEMBERED: usize = 7;

/// First scale of the step rule.
const RULE: Rule = Rule {
    natural: 1.0,
    scheduled: false,
    level: true,
};

/// Descent with buffers for one fit after another.
///
/// The step rule and the stopping tests are those of [`Descent`](crate::Descent) with its defaults.
pub(super) struct Fitter<'a, F, const N: usize> {
    local: Local<'a, F, N>,
    history: Vec<Iterate>,
    last: Option<Move>,
}

/// End of a fit.
pub(super) struct End {
    pub(super) stop: Stop,
    pub(super) loss: f64,
    pub(super) steps: usize,
}

/// Outcome of the search for the next point.
enum Outcome {
    Moved(Move, Trial),
    Ended(Stop),
}

/// Trial step: `scale` times the step of the system with this damping, which predicts this decrease.
struct Attempt {
    scale: f64,
    damping: f64,
    predicted: f64,
}

impl<'a, F: Formula, const N: usize> Fitter<'a, F, N> {
    pub(super) fn new(formula: &'a F, rules: &'a Rules<'a>) -> Self {
        Self {
            local: Local::new(formula, rules),
            history: Vec::with_capacity(REMEMBERED + 2),
            last: None,
        }
    }

    /// Fits the formula to data, from the start in `theta`, and writes the standard errors of the parameters to `errors`.
    ///
    /// # Errors
    /// Fails if the start is invalid, or if a value or a derivative is not finite.
    pub(super) fn fit(
        &mut self,
        data: &[f64],
        theta: &mut [f64],
        errors: &mut [f64],
    ) -> Result<End> {
        self.local.start(data, theta)?;
        self.history.clear();
        self.last = None;
        let (mut judge, mut steps, mut accepted) = (TrustRatio::STANDARD.region(), 0, None);
        let stop = loop {
            self.local.linearise()?;
            if let Some(trial) = accepted.take() {
                judge.arrive(&trial, self.local.slope_of_arrival(trial.scale));
            }
            self.record(steps);
            let tolerances = &self.local.rules.tolerances;
            if let Some(stop) = tolerances.test_history(&self.history, RULE) {
                break stop;
            }
            match self.advance(&mut judge) {
                Outcome::Ended(stop) => break stop,
                Outcome::Moved(step, trial) => {
                    std::mem::swap(&mut self.local.here, &mut self.local.trial);
                    (self.last, accepted, steps) = (Some(step), Some(trial), steps + 1);
                }
            }
        };
        theta.copy_from_slice(&self.local.here.theta);
        self.local.standard_errors(errors);
        Ok(End {
            stop,
            loss: self.local.here.loss,
            steps,
        })
    }

    /// Appends the current point to the history that the stopping tests need.
    fn record(&mut self, steps: usize) {
        if self.history.len() > REMEMBERED {
            // The first iterate stays, for tests relative to the start.
            self.history.remove(1);
        }
        let squares = self
            .local
            .free
            .iter()
            .map(|&j| self.local.gradient[j].powi(2));
        self.history.push(Iterate {
            iteration: steps,
            theta: Vec::new(),
            loss: self.local.here.loss,
            penalty: 0.0,
            gradient: squares.sum::<f64>().sqrt(),
            step: self.last,
            metric: "",
            counts: Counts::default(),
            seconds: 0.0,
        });
    }

    /// Searches for the next point, and leaves it in `trial`.
    fn advance(&mut self, judge: &mut TrustRegion) -> Outcome {
        let (scale, damping) = judge.first();
        loop {
            self.local.prepare();
            if damping > 0.0 {
                self.local.system.solve(damping);
                if self.local.hold_blocked() {
                    continue;
                }
            }
            let undamped = self.local.system.solve(0.0);
            if damping == 0.0 && self.local.hold_blocked() {
                continue;
            }
            let remaining = self.remaining(undamped, scale);
            if let Some(stop) = self
                .local
                .rules
                .tolerances
                .test_remaining(&self.history, &remaining)
            {
                return Outcome::Ended(self.lost(&remaining).unwrap_or(stop));
            }
            if self
                .local
                .free
                .iter()
                .all(|&j| self.local.gradient[j] == 0.0)
            {
                return Outcome::Ended(Stop::Gradient { ratio: 0.0 });
            }
            // The system may hold another step than that of the judge.
            let other = damping > 0.0 || remaining.suspect.is_some();
            let mut attempt = Attempt {
                scale,
                damping,
                predicted: match other {
                    true => self.local.system.solve(damping),
                    false => undamped,
                },
            };
            self.shorten(&mut attempt, judge.reach());
            return self.search(judge, attempt, &remaining);
        }
    }

    /// Returns the step and decrease that remain, given the undamped step and the decrease that it predicts.
    fn remaining(&mut self, predicted: f64, scale: f64) -> Remaining {
        let step = scale * self.local.norm.largest_change(&self.local.system.eta);
        let suspect = self
            .local
            .norm
            .suspect(&self.local.system.norms, self.local.here.loss);
        Remaining {
            decrease: scale * predicted,
            step,
            // Only asked for where a parameter may have lost its effect.
            damped: match suspect {
                Some(_) => scale * self.local.system.solve(1.0),
                None => f64::INFINITY,
            },
            scaled: true,
            slope: 0.0,
            steepest: 0.0,
            scheduled: false,
            rounding: self.local.here.rounding,
            suspect: suspect.map(|position| self.local.free[position]),
        }
    }

    /// Shortens a trial step to a relative length.
    fn shorten(&mut self, attempt: &mut Attempt, longest: f64) {
        let size = self.local.norm.size();
        let longest = longest * size / attempt.scale;
        if size > 0.0 && longest.is_finite() {
            let (damping, predicted) = (attempt.damping, attempt.predicted);
            (attempt.damping, attempt.predicted) =
                self.local.system.shorten(damping, predicted, longest);
        }
    }

    /// Tries steps until the judge accepts one or gives up.
    fn search(
        &mut self,
        judge: &mut TrustRegion,
        mut attempt: Attempt,
        remaining: &Remaining,
    ) -> Outcome {
        let promised = attempt.scale * attempt.predicted;
        let mut tried = 0;
        // The trust region gives up after some trials.
        loop {
            self.local.move_trial(attempt.scale);
            let loss = self.local.trial.loss;
            let slope = self.local.free.iter().zip(&self.local.system.eta);
            let slope = slope.map(|(&j, eta)| self.local.gradient[j] * eta).sum();
            let length = self.local.norm.length(&self.local.system.eta);
            let trial = Trial {
                scale: attempt.scale,
                damping: attempt.damping,
                loss: self.local.here.loss,
                trial_loss: if loss.is_finite() {
                    loss
                } else {
                    f64::INFINITY
                },
                rounding: self.local.here.rounding,
                slope,
                predicted: attempt.predicted,
                promised,
                length: length.map(|length| attempt.scale * length),
                attempt: tried,
                end_slope: None,
            };
            tried += 1;
            match judge.judge(&trial) {
                Verdict::Accept if loss.is_finite() => {
                    let mut step = Move::new(
                        &self.local.here.theta,
                        &self.local.trial.theta,
                        &trial,
                        true,
                    );
                    step.left = Some(remaining.decrease);
                    return Outcome::Moved(step, trial);
                }
                Verdict::Scale(scale) => attempt.scale = scale,
                Verdict::Damp(damping) => {
                    attempt.damping = damping;
                    attempt.predicted = self.local.system.solve(damping);
                }
                Verdict::Shorten(factor) if trial.length.is_some() => {
                    let longest = factor * trial.length.unwrap_or(f64::INFINITY);
                    self.shorten(&mut attempt, longest);
                }
                _ => return Outcome::Ended(self.stalled(&trial, remaining)),
            }
        }
    }

    /// Returns the reason to stop where no trial was accepted.
    fn stalled(&mut self, trial: &Trial, remaining: &Remaining) -> Stop {
        let change = (trial.trial_loss - trial.loss).abs();
        let exhausted = self
            .local
            .rules
            .tolerances
            .is_exhausted(trial.loss, remaining);
        let stop = match exhausted && change <= NO_DECREASE * trial.loss.abs() {
            true => Stop::Loss { ratio: 0.0 },
            false => Stop::Stalled {
                trials: trial.attempt + 1,
                slope: trial.slope,
            },
        };
        self.lost(remaining).unwrap_or(stop)
    }

    /// Returns [`Stop::Lost`] if the objective stays the same when a suspected parameter is changed.
    fn lost(&mut self, remaining: &Remaining) -> Option<Stop> {
        let parameter = remaining.suspect?;
        let position = self.local.free.iter().position(|j| *j == parameter)?;
        let change = PROBE * self.local.norm.units[position].max(f64::MIN_POSITIVE);
        for change in [change, -change] {
            self.local.system.eta.fill(0.0);
            self.local.system.eta[position] = change;
            self.local.move_trial(1.0);
            let difference = (self.local.trial.loss - self.local.here.loss).abs();
            // A value that is not finite is a change as well.
            if difference > NO_EFFECT * self.local.here.loss.abs() || difference.is_nan() {
                return None;
            }
        }
        Some(Stop::Lost { parameter })
    }
}
