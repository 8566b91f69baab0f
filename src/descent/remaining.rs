//! Remaining step and decrease at a point, predicted by the undamped quadratic model, and the norm of steps.

use super::linearised::Linearised;
use super::memory::Memory;
use super::problem::Problem;
use super::stop::Stop;
use crate::coordinates::Transform;
use crate::direction::{Path, Proposal};

/// Norm of steps that does not depend on the units of the parameters.
pub(super) struct StepNorm {
    /// Effect of a unit change of each coordinate on the state: the largest norm so far of its column of L Z,
    /// where L is the root of the metric.
    effects: Vec<f64>,
    /// Natural size of every coordinate.
    units: Vec<f64>,
}

/// Fraction of the effect of all coordinates below which the effect of one coordinate counts as zero.
const ZERO: f64 = 1e-6;

impl StepNorm {
    /// Creates the norm at a point from the column norms that a direction found.
    pub(super) fn new(
        problem: &Problem<'_>,
        memory: &Memory,
        at: &Linearised<'_>,
        norms: &[f64],
    ) -> Self {
        let free = at.chart.free.iter();
        Self {
            effects: match norms {
                [] => Vec::new(),
                _ => memory.widest(at),
            },
            units: free.map(|&i| problem.unit(i, memory)).collect(),
        }
    }

    /// Returns the relative length ‖Dη‖/‖Dx‖ of η, where x holds the natural sizes of the coordinates and the
    /// diagonal matrix D the largest column norms of L Z so far.
    ///
    /// Returns None if D is unknown, or if Dx is zero or not finite.
    //
    // Moré (1978) measures steps by ‖Dη‖, where the diagonal D holds the largest column norms of the run. A
    // change of the unit of θᵢ multiplies ηᵢ by some factor and divides dᵢ by the same factor, so that the
    // length stays the same. A parameter that loses its effect keeps its dᵢ, so that its steps stay bounded.
    // Division by ‖Dx‖, the length of θ itself, makes the length independent of the units of ρ.
    pub(super) fn length(&self, eta: &[f64]) -> Option<f64> {
        let size = self.effect(&self.units);
        (size > 0.0 && size.is_finite()).then(|| self.effect(eta) / size)
    }

    /// Returns ‖Dx‖, where the diagonal of D holds the effects.
    fn effect(&self, x: &[f64]) -> f64 {
        let terms = x.iter().zip(&self.effects).map(|(x, d)| (x * d).powi(2));
        terms.sum::<f64>().sqrt()
    }

    /// Returns the largest change of a coordinate by η, relative to its unit.
    fn largest_change(&self, eta: &[f64]) -> f64 {
        // A relative change of a coordinate close to zero means nothing. The unit is therefore at least the change xⱼ
        // whose effect dⱼxⱼ is the fraction `ZERO` of the effect of all coordinates.
        let all = self.effect(&self.units);
        let change = |j: usize| {
            let small = self.effects.get(j).map_or(0.0, |d| ZERO * all / d);
            let unit = self.units[j].max(if small.is_finite() { small } else { 0.0 });
            if eta[j] == 0.0 {
                0.0
            } else {
                eta[j].abs() / unit
            }
        };
        (0..eta.len()).map(change).fold(0.0, f64::max)
    }
}

/// Remaining step and decrease at a point, predicted by the undamped quadratic model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remaining {
    /// Decrease of the objective that the undamped step predicts.
    pub(super) decrease: f64,
    /// Largest change of a coordinate by the undamped step, relative to its unit.
    pub(super) step: f64,
    /// Decrease that the model predicts for a heavily damped step, with damping proportional to the largest
    /// column norms of the run.
    ///
    /// At a fold a parameter reverses its effect and its column of Z vanishes. The prediction for the
    /// undamped step is then far too large.
    pub(super) damped: f64,
    /// Whether the metric is that of the loss, so that predictions have the right size even before the first
    /// step.
    pub(super) scaled: bool,
    /// Rounding error of the objective at the point.
    pub(super) rounding: f64,
    /// Parameter that may have lost its effect on the state.
    pub(super) suspect: Option<usize>,
}

impl Remaining {
    /// Computes the remaining step and decrease, if the direction provides the undamped step without solves.
    /// `scale` is the factor by which the step rule would multiply that step.
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
            rounding: at.rounding,
            suspect: suspect(at, path.norms(), norm),
        })
    }
}

/// Largest effect that counts as none, relative to an earlier effect, to the residual norm or to the
/// objective.
const NO_EFFECT: f64 = 1e-6;

/// Returns the first parameter that had an effect on the state and may have lost it.
fn suspect(at: &Linearised<'_>, norms: &[f64], norm: &StepNorm) -> Option<usize> {
    // With f = ½‖r‖² the residual has the norm √(2f). A change of θⱼ by its own size ξⱼ changes this norm by
    // at most ‖L zⱼ‖ ξⱼ to first order. If this is negligible relative to √(2f), and ‖L zⱼ‖ relative to its
    // largest value so far, the data may no longer be sensitive to θⱼ.
    let residual = (2.0 * at.point.loss.abs()).sqrt();
    let lost = |j: &usize| {
        let (current, unit) = (norms[*j], norm.units[*j]);
        current <= NO_EFFECT * norm.effects[*j]
            && current * unit <= NO_EFFECT * residual
            && unit > 0.0
    };
    let found = (0..norms.len()).find(lost);
    let all = !norms.is_empty() && norms.iter().all(|n| *n == 0.0) && at.point.loss != 0.0;
    found.or(all.then_some(0)).map(|j| at.chart.free[j])
}

/// Trial change of a suspected parameter, as a fraction of its size, to test whether the objective changes.
const PROBE: f64 = 0.1;

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
