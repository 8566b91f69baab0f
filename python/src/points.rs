//! Formulas of curves y = f(x, θ), evaluated at many points x.

use pullback::automatic::{Curve, Formula, Scalar};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::vector;
use crate::program::{Arguments, Program};
use crate::ready::ReadyModel;

/// Formula of one value, at points with several coordinates.
struct Points {
    program: Program,
    parameters: usize,
    /// Coordinates of the points, the first of all points before the second.
    coordinates: Vec<f64>,
    count: usize,
}

impl Formula for Points {
    fn dims(&self) -> (usize, usize) {
        (self.count, self.parameters)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        let axes = self.coordinates.len() / self.count;
        let mut point = vec![S::from(0.0); axes];
        let mut results = self.program.room();
        for (i, value) in out.iter_mut().enumerate() {
            for (axis, x) in point.iter_mut().enumerate() {
                *x = S::from(self.coordinates[axis * self.count + i]);
            }
            let arguments = Arguments {
                t: 0.0,
                x: &point,
                theta,
            };
            let value = std::slice::from_mut(value);
            self.program.evaluate_in(&mut results, &arguments, value);
        }
    }
}

/// Creates the model of a traced formula of this number of parameters at this number of points.
#[pyfunction]
pub(crate) fn traced_points(
    parameters: usize,
    program: Program,
    coordinates: &Bound<'_, PyAny>,
    count: usize,
) -> PyResult<ReadyModel> {
    let coordinates = vector("xdata", coordinates)?;
    let whole = count > 0 && coordinates.len() % count == 0;
    if !(whole && program.outputs() == 1 && program.fits(coordinates.len() / count, parameters)) {
        let text = "a traced formula does not fit the numbers of coordinates and parameters";
        return Err(PyValueError::new_err(text));
    }
    let points = Points {
        program,
        parameters,
        coordinates,
        count,
    };
    Ok(ReadyModel::new(Curve::new(points), vec![count]))
}
