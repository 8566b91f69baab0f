//! Progress of a run: its history, last step, best point, and the step and decrease that remain.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::history::{Control, Iterate, Move, Snapshot};
use super::linearised::Linearised;
use super::point::Point;
use super::remaining::Remaining;
use super::remark::{Remark, runaway, suspicion};
use super::stop::Stop;
use super::stopping::{NO_DECREASE, Rule, Tolerances, is_level};
use crate::step::Judge;
use crate::vector::norm;

/// History, last step, best point and remaining decrease of a run.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Progress {
    /// First scale of the step rule at the start of the run.
    natural: f64,
    /// Whether the step rule follows a schedule and accepts every trial.
    scheduled: bool,
    /// Whether the current point is in the history.
    recorded: bool,
    best: Point,
    last: Option<Move>,
    /// Largest [`Remaining::slope`] of the run.
    steepest: f64,
    /// Whether the last point was level for predictions whose size is not known.
    level: bool,
    /// Step and decrease that remain at the current point, once computed.
    pub(super) remaining: Option<Remaining>,
    pub(super) history: Vec<Iterate>,
}

/// Largest difference of two objectives that count as equal, relative to the total decrease of the run plus
/// its lowest objective.
const EQUAL: f64 = 1e-10;

impl Progress {
    pub(super) fn new(start: &Point, judge: &dyn Judge) -> Self {
        Self {
            natural: judge.first().0,
            scheduled: judge.is_scheduled(),
            recorded: false,
            best: start.clone(),
            last: None,
            steepest: 0.0,
            level: true,
            remaining: None,
            history: Vec::new(),
        }
    }

    /// Returns whether the current point is in the history.
    pub(super) fn recorded(&self) -> bool {
        self.recorded
    }

    /// Returns whether the last step reduced the objective by less than `fraction`, although its length was
    /// about right or its scale did not grow.
    pub(super) fn slowed(&self, point: &Point, fraction: f64) -> bool {
        // A rule whose steps still grow has not found their scale. A small decrease then shows that the step
        // was short, not that the metric makes no further progress.
        let earlier = self.history.last().and_then(|i| i.step);
        let grown = |step: &Move| earlier.is_none_or(|e| step.scale > e.scale);
        let settled = self.last.is_some_and(|s| s.settled || !grown(&s));
        let before = self.history.last().filter(|_| settled && !self.recorded);
        before.is_some_and(|before| before.loss - point.loss < fraction * before.loss.abs())
    }

    /// Appends the current point to the history.
    pub(super) fn record<'s>(
        &'s mut self,
        at: &Linearised<'s>,
        counts: Counts,
        elapsed: Duration,
    ) -> Snapshot<'s> {
        let point = at.point;
        self.recorded = true;
        self.history.push(Iterate {
            iteration: self.history.len(),
            theta: point.theta.clone(),
            loss: point.loss,
            penalty: point.penalty,
            gradient: norm(&at.exact),
            step: self.last,
            metric: at.metric,
            counts,
            seconds: elapsed.as_secs_f64(),
        });
        Snapshot {
            iterate: &self.history[self.history.len() - 1],
            rho: &point.rho,
        }
    }

    /// Makes `next` the current point, reached by `step`.
    pub(super) fn advance(&mut self, next: &Point, step: Move) {
        if next.loss < self.best.loss {
            self.best.clone_from(next);
        }
        self.recorded = false;
        self.last = Some(step);
        self.remaining = None;
    }

    /// Returns the factor of the undamped step with which it counts as the remaining step.
    pub(super) fn remaining_scale(&self, judge: &dyn Judge, matched: bool) -> f64 {
        // Where the metric has another size than the loss, the scale that a rule has found corrects it. One that follows a
        // schedule tells nothing of the size, and one that has decayed would make any step look short.
        match judge.is_scheduled() {
            true if matched => 1.0,
            true => self.natural,
            false => judge.first().0,
        }
    }

    /// Returns the reason to stop after a recorded point, if there is one.
    pub(super) fn stop(&self, tolerances: &Tolerances, control: Control) -> Option<Stop> {
        let rule = Rule {
            natural: self.natural,
            scheduled: self.scheduled,
            level: self.level,
        };
        match control {
            Control::Stop => Some(Stop::Observer),
            Control::Continue => tolerances.test_history(&self.history, rule),
        }
    }

    /// Stores the step and decrease that remain, and returns the reason to stop if they are negligible.
    pub(super) fn test_remaining(
        &mut self,
        tolerances: &Tolerances,
        mut remaining: Remaining,
    ) -> Option<Stop> {
        self.steepest = self.steepest.max(remaining.slope);
        remaining.steepest = self.steepest;
        remaining.scheduled = self.scheduled;
        self.level = is_level(&self.history, &remaining);
        self.remaining = Some(remaining);
        tolerances.test_remaining(&self.history, &remaining)
    }

    /// Returns the reason to stop at a point where no trial was accepted. The last trial changed the objective by `change`.
    pub(super) fn stalled(
        &self,
        tolerances: &Tolerances,
        point: &Point,
        (change, stalled): (f64, Stop),
    ) -> Stop {
        // A stalled search counts as converged only under three conditions: the model predicts a negligible
        // remaining decrease, its metric is that of the loss, and the last trial changed the objective by a
        // negligible amount.
        let exhausted = self.remaining.filter(|remaining| {
            tolerances.is_exhausted(point.loss, remaining)
                && remaining.scaled
                && change.abs() <= NO_DECREASE * point.loss.abs()
        });
        exhausted.map_or(stalled, |_| Stop::Loss { ratio: 0.0 })
    }

    /// Returns the reason to stop and the point to report.
    ///
    /// A converged run reports its last point. A run that passed through a better point, which can happen
    /// with fixed steps, has not converged and reports the better point.
    pub(super) fn outcome<'s>(&'s self, last: &'s Point, stop: Stop) -> (Stop, &'s Point) {
        let best = &self.best;
        if !stop.converged() || last.loss <= best.loss {
            return (stop, best);
        }
        let start = self.history.first().map_or(0.0, |start| start.loss);
        // The lowest objective alone cannot serve as the scale: for a perfect fit it falls to squares of
        // rounding errors, and the objectives of two equally good points may differ by any factor.
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

    /// Returns a remark on what the history hints at: a wrong derivative although the run claims to have converged, or a
    /// parameter that still runs away at the iteration limit.
    pub(super) fn hints(&self, stop: &Stop) -> Option<Remark> {
        match stop {
            Stop::Iterations { .. } => {
                let (iteration, text) = runaway(&self.history)?;
                Some(Remark { iteration, text })
            }
            _ => {
                let text = suspicion(&self.history).filter(|_| stop.converged())?;
                let iteration = self.history.len().saturating_sub(1);
                Some(Remark { iteration, text })
            }
        }
    }
}
