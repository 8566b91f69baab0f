//! Changes from one point of a run to the next, from which directions learn.

use serde::{Deserialize, Serialize};

use super::Local;
use crate::vector::norm;

/// Point at which a finder was asked last.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct LastPoint {
    coordinates: Vec<f64>,
    pub(super) gradient: Vec<f64>,
}

/// Changes of parameters and gradient in a step, with an entry for every parameter.
pub(super) struct Change {
    pub(super) step: Vec<f64>,
    pub(super) gradient: Vec<f64>,
}

impl LastPoint {
    /// Moves to a point, and returns the changes since the last one. Returns None at the first point, and where nothing has
    /// moved since the last call.
    pub(super) fn follow(&mut self, at: &Local<'_>) -> Option<Change> {
        // A search asks again at the same point after it has held parameters at their bounds.
        if self.coordinates == at.coordinates {
            return None;
        }
        let known = self.gradient.len() == at.full_gradient.len() && !self.gradient.is_empty();
        let change = known.then(|| Change {
            step: difference(at.coordinates, &self.coordinates),
            gradient: difference(at.full_gradient, &self.gradient),
        });
        self.coordinates = at.coordinates.to_vec();
        self.gradient = at.full_gradient.to_vec();
        change
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Returns the entries of the free parameters.
pub(super) fn free_entries(at: &Local<'_>, all: &[f64]) -> Vec<f64> {
    at.free().iter().map(|&i| all[i]).collect()
}

/// Sets the entries of the parameters that bounds hold to 0.
pub(super) fn clear_held(at: &Local<'_>, all: &mut [f64]) {
    let mut held = vec![true; all.len()];
    at.free().iter().for_each(|&i| held[i] = false);
    let entries = all.iter_mut().zip(held).filter(|(_, held)| *held);
    entries.for_each(|(x, _)| *x = 0.0);
}

/// Length of the first step along a gradient, relative to that of the parameters.
const FIRST: f64 = 0.1;

/// Returns the length of a first step along the gradient: a tenth of that of the free parameters, or 1 if they are all 0.
pub(super) fn first_length(at: &Local<'_>) -> f64 {
    // A gradient tells nothing about lengths. Step rules correct a wrong guess at the cost of some trials.
    let length = FIRST * norm(&free_entries(at, at.coordinates));
    if length.is_normal() { length } else { 1.0 }
}
