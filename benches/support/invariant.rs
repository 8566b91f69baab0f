//! Invariant measures of the Lorenz equations.

use pullback::models::InvariantMeasure;
use pullback::models::flow::Lorenz;
use pullback::{Grid, Result};

/// Parameters from which recoveries start.
pub const START: [f64; 3] = [8.0, 22.0, 1.5];

pub fn model(shape: [usize; 3]) -> Result<InvariantMeasure<'static>> {
    let mut axes = Lorenz::BOX.map(|(a, b)| (a, b, 0));
    axes.iter_mut().zip(shape).for_each(|(axis, n)| axis.2 = n);
    InvariantMeasure::new(&Grid::new(&axes)?, Lorenz)
}
