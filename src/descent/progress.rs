//! The history of a run in the making: its last step, its best point, what is left to gain.

use std::time::Duration;

use super::counts::Counts;
use super::doubt::doubt;
use super::history::{Control, Iterate, Move, Snapshot};
use super::linearised::Linearised;
use super::outlook::Outlook;
use super::point::Point;
use super::report::Remark;
use super::stop::Stop;
use super::stopping::{STILL, Tolerances};
use crate::vector::norm;

/// The path so far.
pub(super) struct Progress {
    /// The scale that the step rule began with.
    natural: f64,
    /// Whether the present point is in the history.
    recorded: bool,
    best: Point,
    last: Option<Move>,
    /// What is left at the present point, once that is known.
    pub(super) left: Option<Outlook>,
    pub(super) history: Vec<Iterate>,
}

/// The fraction of a run's total decrease by which two objectives may differ and count as equal.
const EQUAL: f64 = 1e-10;

impl Progress {
    pub(super) fn new(start: &Point, natural: f64) -> Self {
        Self {
            natural,
            recorded: false,
            best: start.clone(),
            last: None,
            left: None,
            history: Vec::new(),
        }
    }

    /// Whether the present point is in the history.
    pub(super) fn recorded(&self) -> bool {
        self.recorded
    }

    /// Whether the step to this point reduced the objective by less than this fraction, though it was as long as it should
    /// be or its scale grew no more.
    pub(super) fn slowed(&self, point: &Point, fraction: f64) -> bool {
        let earlier = self.history.last().and_then(|i| i.step);
        let grown = |step: &Move| earlier.is_none_or(|e| step.scale > e.scale);
        let settled = self.last.is_some_and(|s| s.settled || !grown(&s));
        let before = self.history.last().filter(|_| settled && !self.recorded);
        before.is_some_and(|before| before.loss - point.loss < fraction * before.loss.abs())
    }

    pub(super) fn record<'s>(
        &'s mut self,
        here: &Linearised<'s>,
        counts: Counts,
        elapsed: Duration,
    ) -> Snapshot<'s> {
        let point = here.point;
        self.recorded = true;
        self.history.push(Iterate {
            iteration: self.history.len(),
            theta: point.theta.clone(),
            loss: point.loss,
            penalty: point.penalty,
            gradient: norm(&here.exact),
            step: self.last,
            metric: here.metric,
            counts,
            seconds: elapsed.as_secs_f64(),
        });
        Snapshot {
            iterate: &self.history[self.history.len() - 1],
            rho: &point.rho,
        }
    }

    pub(super) fn advance(&mut self, next: &Point, step: Move) {
        if next.loss < self.best.loss {
            self.best = next.clone();
        }
        self.recorded = false;
        self.last = Some(step);
        self.left = None;
    }

    pub(super) fn stop(&self, tolerances: &Tolerances, flow: Control) -> Option<Stop> {
        match flow {
            Control::Stop => Some(Stop::Observer),
            Control::Continue => tolerances.judge(&self.history, self.natural),
        }
    }

    /// Notes what is left to gain, and says why the run ends if that is nothing.
    pub(super) fn settled(&mut self, tolerances: &Tolerances, left: Outlook) -> Option<Stop> {
        self.left = Some(left);
        tolerances.settled(&self.history, &left)
    }

    /// The reason to stop at a point where no trial was accepted, the last of which changed the objective by `change`.
    pub(super) fn stuck(
        &self,
        tolerances: &Tolerances,
        point: &Point,
        (change, stalled): (f64, Stop),
    ) -> Stop {
        let known = self.left.filter(|left| {
            tolerances.is_exhausted(point.loss, left)
                && left.scaled
                && change.abs() <= STILL * point.loss.abs()
        });
        known.map_or(stalled, |_| Stop::Loss { ratio: 0.0 })
    }

    /// Returns the point to report, and why the run ended. A run that has converged reports its last point: if it passed a
    /// better one, as steps that are taken in any case can do, that is no convergence.
    pub(super) fn ended<'s>(&'s self, last: &'s Point, stop: Stop) -> (Stop, &'s Point) {
        let best = &self.best;
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

    /// A remark on signs of a wrong derivative in the history of a run that claims to have converged.
    pub(super) fn doubt(&self, stop: &Stop) -> Option<Remark> {
        let text = doubt(&self.history).filter(|_| stop.converged())?;
        let iteration = self.history.len().saturating_sub(1);
        Some(Remark { iteration, text })
    }
}
