//! Minimum of the objective over the other parameters, with one parameter held fixed.

use super::Progress;
use super::problem::Problem;
use super::result::{Better, Point, Rejection};
use crate::coordinates::Bounds;
use crate::descent::{Counts, Report, Stop};
use crate::error::{Error, Result};

/// Minimum at a distance from the fit.
#[derive(Clone)]
pub(super) struct Minimum {
    /// Distance from the fit in the coordinate ξ of the parameter.
    pub(super) distance: f64,
    /// Signed root ±√(|f − f̂|/Δ) of the increase relative to the threshold Δ, with the sign of f − f̂.
    pub(super) root: f64,
    pub(super) point: Point,
    rho: Vec<f64>,
}

/// Objective with one parameter held fixed, its costs and its failures.
pub(super) struct Held<'p> {
    problem: &'p Problem<'p>,
    pub(super) parameter: usize,
    pub(super) counts: Counts,
    pub(super) rejected: Vec<Rejection>,
    pub(super) lowest: Option<Better>,
}

impl<'p> Held<'p> {
    pub(super) fn new(problem: &'p Problem<'p>, parameter: usize) -> Self {
        Self {
            problem,
            parameter,
            counts: Counts::default(),
            rejected: Vec::new(),
            lowest: None,
        }
    }

    /// Returns the fit as a minimum.
    pub(super) fn fit(&self) -> Minimum {
        let problem = self.problem;
        Minimum {
            distance: 0.0,
            root: 0.0,
            point: problem.point(self.parameter, problem.objective, problem.theta),
            rho: problem.rho.to_vec(),
        }
    }

    /// Minimises over the other parameters with the parameter at `value`, from each of the starting points until a run
    /// converges. `near` is the closest minimum so far, whose state is the guess.
    ///
    /// Fails with the reason of the last run.
    pub(super) fn minimise(
        &mut self,
        (distance, value): (f64, f64),
        starts: &[Vec<f64>],
        near: &Minimum,
    ) -> std::result::Result<Minimum, String> {
        let mut reason = String::new();
        for start in starts {
            let mut start = start.clone();
            start[self.parameter] = value;
            let (outcome, cost) = match self.bounds(value) {
                Ok(bounds) => {
                    let descent = self.problem.descent.within(&bounds);
                    descent.attempt(&start, Some(&near.rho))
                }
                Err(error) => (Err(error), Counts::default()),
            };
            self.counts += cost;
            self.report(value, outcome.as_ref());
            match outcome {
                Ok(report) if has_arrived(&report) => return Ok(self.accept(distance, report)),
                Ok(report) => reason = report.stop.to_string(),
                Err(error) => reason = error.to_string(),
            }
            let reason = reason.clone();
            self.rejected.push(Rejection { value, reason });
        }
        Err(reason)
    }

    /// Returns the bounds of the descent with the parameter held at `value`.
    fn bounds(&self, value: f64) -> Result<Bounds> {
        let p = self.problem.theta.len();
        let (mut lower, mut upper) = match self.problem.descent.domain().0 {
            None => (vec![f64::NEG_INFINITY; p], vec![f64::INFINITY; p]),
            Some(bounds) => (bounds.lower().to_vec(), bounds.upper().to_vec()),
        };
        // A parameter with equal ends is left out of every linear system of the descent.
        (lower[self.parameter], upper[self.parameter]) = (value, value);
        Bounds::new(lower, upper)
    }

    fn accept(&mut self, distance: f64, report: Report) -> Minimum {
        let (problem, parameter) = (self.problem, self.parameter);
        let increase = report.loss - problem.objective;
        let lowest = self.lowest.as_ref().map_or(f64::INFINITY, |l| l.objective);
        if -increase > problem.negligible() && report.loss < lowest {
            self.lowest = Some(Better {
                parameter,
                objective: report.loss,
                theta: report.theta.clone(),
            });
        }
        Minimum {
            distance,
            root: (increase.abs() / problem.threshold)
                .sqrt()
                .copysign(increase),
            point: problem.point(parameter, report.loss, &report.theta),
            rho: report.rho,
        }
    }

    fn report(&self, value: f64, outcome: std::result::Result<&Report, &Error>) {
        (self.problem.observer)(Progress {
            parameter: self.parameter,
            value,
            increase: outcome
                .ok()
                .map(|r| (r.loss - self.problem.objective) / self.problem.threshold),
            outcome,
        });
    }
}

/// Largest relative change of the objective in the last steps of a run that counts as rounding.
const ROUNDING: f64 = 1e-13;

/// Returns whether a run ended at the infimum along the remaining parameters.
fn has_arrived(report: &Report) -> bool {
    match report.stop {
        // The other parameter has run to where the objective no longer depends on it, and there is the infimum: the rate
        // of a decay, for example, whose amplitude is held at zero.
        Stop::Lost { .. } => true,
        // Without a metric of the loss nothing tells how much is left to gain. A run that starts at its minimum then
        // rests there, and no step changes the objective beyond rounding.
        Stop::Rest { ratio } => ratio.abs() <= ROUNDING,
        _ => report.converged(),
    }
}
