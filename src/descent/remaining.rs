//! Remaining step and decrease at a point, predicted by the undamped quadratic model.

use serde::{Deserialize, Serialize};

use super::linearised::Linearised;
use super::memory::Memory;
use super::problem::Problem;
use super::step_norm::{NO_EFFECT, StepNorm};
use super::stop::Stop;
use crate::coordinates::Transform;
use crate::direction::{Path, Proposal};

/// Remaining step and decrease at a point, predicted by the undamped quadratic model.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Remaining {
    /// Decrease of the objective that the undamped step predicts.
    pub(crate) decrease: f64,
    /// Largest change of a coordinate by the undamped step, relative to its unit.
    pub(crate) step: f64,
    /// Decrease that the model predicts for a heavily damped step, with damping proportional to the largest
    /// column norms of the run.
    ///
    /// At a fold a parameter reverses its effect and its column of Z vanishes. The prediction for the
    /// undamped step is then far too large.
    pub(crate) damped: f64,
    /// Whether the metric is that of the loss, so that predictions have the right size even before the first
    /// step.
    pub(crate) scaled: bool,
    /// Whether the step rule follows a schedule.
    pub(crate) scheduled: bool,
    /// Largest change of the objective, to first order, as one parameter changes by its own size. 0 where the size of predictions
    /// is known.
    pub(crate) slope: f64,
    /// Largest such change at the points of the run so far.
    pub(crate) steepest: f64,
    /// Rounding error of the objective at the point.
    pub(crate) rounding: f64,
    /// Parameter that may have lost its effect on the state.
    pub(crate) suspect: Option<usize>,
}

impl Remaining {
    /// Computes the remaining step and decrease, if the direction provides the undamped step without solves.
    /// `scale` is the factor with which that step counts ([`Progress::remaining_scale`](super::progress::Progress::remaining_scale)).
    pub(super) fn new(
        at: &Linearised<'_>,
        path: &mut dyn Path,
        (norm, scale): (&StepNorm, f64),
        matched: bool,
    ) -> Option<Self> {
        let Proposal { eta, predicted, .. } = path.undamped()?;
        Some(Self {
            decrease: scale * predicted,
            step: scale * norm.largest_change(&eta),
            // An example with one parameter shows the difference. Let z be its column, w ≫ |z| the largest
            // norm so far, and r the residual. The gradient is z r. The undamped step −r/z predicts the
            // decrease ½ r² however small z is. With λ = 1 the step is −z r/(z² + w²) and predicts about
            // z²r²/w², which tends to zero with z.
            damped: if path.norms().is_empty() {
                f64::INFINITY
            } else {
                path.at(1.0).map_or(f64::INFINITY, |p| scale * p.predicted)
            },
            scaled: matched,
            slope: if matched {
                0.0
            } else {
                norm.largest_slope(&at.exact)
            },
            steepest: 0.0,
            scheduled: false,
            rounding: at.rounding,
            suspect: (norm.suspect(path.norms(), at.point.loss)).map(|j| at.chart.free[j]),
        })
    }
}

/// Trial change of a suspected parameter, as a fraction of its size, to test whether the objective changes.
pub(crate) const PROBE: f64 = 0.1;

impl StepNorm {
    /// Creates the norm at a point from the column norms that a direction found.
    pub(super) fn new(
        problem: &Problem<'_>,
        memory: &Memory,
        at: &Linearised<'_>,
        norms: &[f64],
    ) -> Self {
        let free = at.chart.free.iter();
        let (effects, largest) = match norms {
            [] => (Vec::new(), Vec::new()),
            _ => (memory.widest(at), memory.largest(at)),
        };
        Self {
            effects,
            largest,
            units: free.map(|&i| problem.unit(i, memory)).collect(),
        }
    }
}

impl Problem<'_> {
    /// Returns [`Stop::Lost`] if the suspected parameter has indeed lost its effect on the objective.
    pub(super) fn lost_effect(
        &self,
        at: &Linearised<'_>,
        suspect: Option<usize>,
        memory: &mut Memory,
    ) -> Option<Stop> {
        let parameter = suspect.filter(|&parameter| self.is_flat(at, parameter, memory))?;
        Some(Stop::Lost { parameter })
    }

    /// Returns whether the objective stays the same if a parameter is increased or decreased.
    ///
    /// The objective is flat where an exponential has decayed, for example. At a fold the objective changes, although
    /// its derivative vanishes.
    fn is_flat(&self, at: &Linearised<'_>, parameter: usize, memory: &mut Memory) -> bool {
        let position = at.chart.free.iter().position(|&i| i == parameter);
        let unit = self.unit(parameter, memory).max(f64::MIN_POSITIVE);
        let mut changes = |fraction: f64| {
            let mut eta = vec![0.0; at.chart.free.len()];
            position.into_iter().for_each(|j| eta[j] = fraction * unit);
            let trial = self.evaluate_trial(self.moved(at, &eta, 1.0), at.point, memory);
            let size = at.point.loss.abs();
            trial.is_none_or(|trial| (trial.point.loss - at.point.loss).abs() > NO_EFFECT * size)
        };
        // An objective that changes on one side determines the parameter. The test costs at most two
        // evaluations of the state, and runs only where a search stops or stalls.
        !changes(PROBE) && !changes(-PROBE)
    }

    /// Returns whether the proposed step moves a parameter through a bound at which it lies.
    pub(super) fn leaves_box(&self, at: &Linearised<'_>, proposal: &Proposal) -> bool {
        self.setting.bounds.is_some_and(|bounds| {
            let mut moves = at.chart.free.iter().zip(&proposal.eta);
            moves.any(|(&i, &eta)| bounds.blocks(i, at.point.theta[i], eta))
        })
    }

    /// Returns the natural size of a coordinate.
    fn unit(&self, i: usize, memory: &Memory) -> f64 {
        match self.setting.transforms.map(|t| t[i]) {
            None | Some(Transform::Identity) => memory.size(i),
            // Steps in logarithmic or logit coordinates are relative already.
            Some(_) => 1.0,
        }
    }
}
