//! Values of derivatives at a point.

use super::shape::Shape;
use crate::automatic::{Evaluated, Slopes, SparseSlopes};
use crate::error::Result;
use crate::evolution::dynamics::{At, Dynamics};

/// Evaluation of derivatives of a function, with buffers.
pub(in crate::evolution) enum Derivatives {
    Dense(Slopes<4>),
    Narrow(SparseSlopes<4>),
    Wide(SparseSlopes<12>),
}

impl Derivatives {
    /// Creates the buffers for derivatives of this shape, of functions of `arguments` numbers.
    pub(in crate::evolution) fn new(shape: &Shape, arguments: usize) -> Self {
        let Some(entries) = shape.entries() else {
            return Self::Dense(Slopes::new(arguments));
        };
        // The numbers of an evaluation, which memory must deliver, are more than half of its cost.
        let cost = |width: usize| entries.directions().div_ceil(width) * (1 + width);
        match cost(4) <= cost(12) {
            true => Self::Narrow(SparseSlopes::new(entries, arguments)),
            false => Self::Wide(SparseSlopes::new(entries, arguments)),
        }
    }

    /// Writes the values at these arguments to `values`. Returns a hash of the branches that were taken, or more entries if the
    /// function depends there on others than the shape knows. The values are then of no use, and the shape must be
    /// [extended](Shape::extended).
    ///
    /// # Errors
    /// Fails if the function is not a differentiable function of its arguments.
    pub(in crate::evolution) fn at<D: Dynamics>(
        &mut self,
        function: &At<'_, D>,
        arguments: &[f64],
        values: &mut [f64],
    ) -> Result<Evaluated> {
        match self {
            Self::Dense(slopes) => Ok(Ok(slopes.at(function, arguments, values))),
            Self::Narrow(slopes) => slopes.at(function, arguments, values),
            Self::Wide(slopes) => slopes.at(function, arguments, values),
        }
    }
}
