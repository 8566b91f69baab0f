//! Values of [∂f/∂x ∂f/∂θ] at a point.

use super::structure::{Part, Structure};
use crate::automatic::{Entries, Slopes, SparseSlopes};
use crate::error::Result;
use crate::evolution::dynamics::{Dynamics, Rate};

/// Evaluation of derivatives of the rate, with buffers.
pub(in crate::evolution) enum Derivatives {
    Dense(Slopes<4>),
    Narrow(SparseSlopes<4>),
    Wide(SparseSlopes<12>),
}

impl Derivatives {
    /// Creates the buffers for derivatives with respect to the state, or to state and parameters.
    pub(in crate::evolution) fn new(structure: &Structure, part: Part) -> Self {
        let n = structure.moves.len();
        let p = n + structure.parameters;
        let Some([both, state]) = &structure.entries else {
            return Self::Dense(Slopes::new(n, p));
        };
        let entries = match part {
            Part::State => state,
            Part::Both => both,
        };
        // The numbers of an evaluation, which memory must deliver, are more than half of its cost.
        let cost = |width: usize| entries.directions().div_ceil(width) * (1 + width);
        match cost(4) <= cost(12) {
            true => Self::Narrow(SparseSlopes::new(entries, p)),
            false => Self::Wide(SparseSlopes::new(entries, p)),
        }
    }

    /// Writes the values at x and θ to `values`. Returns more entries if the rate depends there on others than the structure
    /// knows. The values are then of no use, and the structure must be [extended](Structure::extended).
    ///
    /// # Errors
    /// Fails if the rate is not a differentiable function of x and θ.
    pub(in crate::evolution) fn at<D: Dynamics>(
        &mut self,
        rate: &Rate<'_, D>,
        both: &[f64],
        values: &mut [f64],
    ) -> Result<Option<Entries>> {
        match self {
            Self::Dense(slopes) => {
                slopes.at(rate, both, values);
                Ok(None)
            }
            Self::Narrow(slopes) => slopes.at(rate, both, values),
            Self::Wide(slopes) => slopes.at(rate, both, values),
        }
    }
}
