//! Norm of steps, and the effects of the parameters on the state.

use serde::{Deserialize, Serialize};

/// Norms of the columns of L Z at the points of a run, where L is the root of the metric.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct ColumnNorms {
    /// Largest norm so far of every column.
    largest: Vec<f64>,
    /// Largest norm of every column, where norms of earlier points count less if the size of L changes.
    recent: Vec<f64>,
}

/// Factor by which the norms of earlier points count less after every step in which the size of the metric changes at all.
//
// Moré (1978) damps by the largest norms of the whole run, because with current norms alone a parameter that loses its effect
// would move too far at once. He measures all of them in one metric. Where the metric varies, as with noise levels that are fitted
// too, norms of early points are those of another metric, and a parameter that had a large effect there would be damped for ever
// and creep where it has to move by decades. This factor halves the norm of a point in seven steps. In a constant metric, fading is
// worse: fits in curved valleys take a third more steps.
const FADING: f64 = 0.9;

impl ColumnNorms {
    /// Creates the norms of this many columns, all 0.
    pub(super) fn new(columns: usize) -> Self {
        Self {
            largest: vec![0.0; columns],
            recent: vec![0.0; columns],
        }
    }

    /// Forgets all norms.
    pub(super) fn clear(&mut self) {
        self.largest.fill(0.0);
        self.recent.fill(0.0);
    }

    /// Lets the norms of earlier points count less, after L has shrunk by this factor, or grown if it is 1.
    pub(super) fn fade(&mut self, factor: f64) {
        let all = self.largest.iter_mut().chain(&mut self.recent);
        all.for_each(|norm| *norm *= factor);
        self.recent.iter_mut().for_each(|norm| *norm *= FADING);
    }

    /// Adds the norm of a column at a point.
    pub(super) fn add(&mut self, column: usize, norm: f64) {
        for kept in [&mut self.largest[column], &mut self.recent[column]] {
            *kept = kept.max(norm);
        }
    }

    /// Returns the largest norm of a column so far.
    pub(super) fn largest(&self, column: usize) -> f64 {
        self.largest[column]
    }

    /// Returns the largest recent norm of a column, by which it is damped.
    pub(super) fn recent(&self, column: usize) -> f64 {
        self.recent[column]
    }
}

/// Norm of steps that does not depend on the units of the parameters.
#[derive(Default)]
pub(crate) struct StepNorm {
    /// Effect of a unit change of each coordinate on the state: the largest recent norm of its column of L Z. Empty if
    /// unknown.
    pub(crate) effects: Vec<f64>,
    /// Largest effect so far, or empty where these are the recent ones.
    pub(crate) largest: Vec<f64>,
    /// Natural size of every coordinate.
    pub(crate) units: Vec<f64>,
}

/// Fraction of the effect of all coordinates below which the effect of one coordinate counts as zero.
const ZERO: f64 = 1e-6;

/// Largest effect that counts as none, relative to an earlier effect, to the residual norm or to the
/// objective.
pub(crate) const NO_EFFECT: f64 = 1e-6;

impl StepNorm {
    /// Returns the relative length ‖Dη‖/‖Dx‖ of η, where x holds the natural sizes of the coordinates and the
    /// diagonal matrix D the largest recent column norms of L Z.
    ///
    /// Returns None if D is unknown, or if Dx is zero or not finite.
    //
    // Moré (1978) measures steps by ‖Dη‖, where the diagonal D holds the largest column norms. A
    // change of the unit of θᵢ multiplies ηᵢ by some factor and divides dᵢ by the same factor, so that the
    // length stays the same. A parameter that loses its effect keeps its dᵢ, or keeps it for a while in a metric that
    // changes its size, so that its steps stay bounded.
    // Division by ‖Dx‖, the length of θ itself, makes the length independent of the units of ρ.
    pub(crate) fn length(&self, eta: &[f64]) -> Option<f64> {
        let size = self.size();
        (size > 0.0 && size.is_finite()).then(|| self.effect(eta) / size)
    }

    /// Returns ‖Dx‖ of the natural sizes x.
    pub(crate) fn size(&self) -> f64 {
        self.effect(&self.units)
    }

    /// Returns ‖Dx‖, where the diagonal of D holds the effects.
    fn effect(&self, x: &[f64]) -> f64 {
        let terms = x.iter().zip(&self.effects).map(|(x, d)| (x * d).powi(2));
        terms.sum::<f64>().sqrt()
    }

    /// Returns the largest change of a coordinate by η, relative to its unit.
    pub(crate) fn largest_change(&self, eta: &[f64]) -> f64 {
        // A relative change of a coordinate close to zero means nothing. The unit is therefore at least the change xⱼ
        // whose effect dⱼxⱼ is the fraction `ZERO` of the effect of all coordinates.
        let all = self.size();
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

    /// Returns the largest change of the objective, to first order, as one coordinate changes by its unit.
    pub(crate) fn largest_slope(&self, gradient: &[f64]) -> f64 {
        let terms = self.units.iter().zip(gradient);
        terms.fold(0.0, |most, (unit, g)| most.max((unit * g).abs()))
    }

    /// Returns the position of the first coordinate that had an effect on the state and may have lost it, given the current
    /// norms of the columns of L Z and the objective.
    pub(crate) fn suspect(&self, norms: &[f64], loss: f64) -> Option<usize> {
        // With f = ½‖r‖² the residual has the norm √(2f). A change of θⱼ by its own size ξⱼ changes this norm by
        // at most ‖L zⱼ‖ ξⱼ to first order. If this is negligible relative to √(2f), and ‖L zⱼ‖ relative to its
        // largest value so far, the data may no longer be sensitive to θⱼ.
        let residual = (2.0 * loss.abs()).sqrt();
        let largest = match self.largest.is_empty() {
            true => &self.effects,
            false => &self.largest,
        };
        let lost = |j: &usize| {
            let (current, unit) = (norms[*j], self.units[*j]);
            current <= NO_EFFECT * largest[*j]
                && current * unit <= NO_EFFECT * residual
                && unit > 0.0
        };
        let found = (0..norms.len()).find(lost);
        let all = !norms.is_empty() && norms.iter().all(|n| *n == 0.0) && loss != 0.0;
        found.or(all.then_some(0))
    }
}
