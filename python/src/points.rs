//! Formulas of curves y = f(x, θ), evaluated at many points x.

use std::sync::Arc;

use numpy::PyArray1;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::descent::Tolerances;
use pullback::fits::{FitMany, Fits};
use pullback::loss::Penalty;
use pullback::{Bounds, Model, Transform};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{matrix, to_array, vector};
use crate::error::raise;
use crate::objective::{noise, penalty, transform};
use crate::program::{Arguments, Program};
use crate::ready::ReadyModel;
use crate::sampled::Sampled;
use crate::threads;
use crate::watch::Watch;

/// Formula of one value, at points with several coordinates.
struct Points {
    program: Arc<Program>,
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
        self.rows(theta, 0, out);
    }

    fn rows<S: Scalar>(&self, theta: &[S], first: usize, out: &mut [S]) -> bool {
        let axes = self.coordinates.len() / self.count;
        let mut point = vec![S::from(0.0); axes];
        let mut results = self.program.room();
        for (i, value) in out.iter_mut().enumerate() {
            for (axis, x) in point.iter_mut().enumerate() {
                *x = S::from(self.coordinates[axis * self.count + first + i]);
            }
            let arguments = Arguments {
                t: 0.0,
                x: &point,
                theta,
            };
            let value = std::slice::from_mut(value);
            self.program.evaluate_in(&mut results, &arguments, value);
        }
        true
    }
}

impl Sampled for Points {
    fn sizes(&self) -> [usize; 3] {
        [self.count, 1, self.parameters]
    }

    fn model_of(&self, samples: &[usize]) -> pullback::Result<Arc<dyn Model + Send + Sync>> {
        let axes = self.coordinates.chunks_exact(self.count);
        Ok(Arc::new(Curve::new(Self {
            program: Arc::clone(&self.program),
            parameters: self.parameters,
            coordinates: axes
                .flat_map(|x| samples.iter().map(move |&i| x[i]))
                .collect(),
            count: samples.len(),
        })))
    }
}

/// Traced formula at its points.
#[pyclass(frozen, module = "pullback")]
pub(crate) struct TracedPoints(Arc<Points>);

/// Formula with several owners.
struct Shared(Arc<Points>);

impl Formula for Shared {
    fn dims(&self) -> (usize, usize) {
        self.0.dims()
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        self.0.values(theta, out);
    }

    fn rows<S: Scalar>(&self, theta: &[S], first: usize, out: &mut [S]) -> bool {
        self.0.rows(theta, first, out)
    }
}

/// Settings of many fits.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Choices<'py> {
    sigma: Option<Bound<'py, PyAny>>,
    penalty: Option<String>,
    bounds: Option<(Vec<f64>, Vec<f64>)>,
    transforms: Option<Vec<(String, f64, f64)>>,
    iterations: usize,
}

#[pymethods]
impl TracedPoints {
    #[new]
    fn new(
        parameters: usize,
        program: Program,
        coordinates: &Bound<'_, PyAny>,
        count: usize,
    ) -> PyResult<Self> {
        let coordinates = vector("xdata", coordinates)?;
        let whole = count > 0 && coordinates.len() % count == 0;
        if !(whole && program.outputs() == 1 && program.fits(coordinates.len() / count, parameters))
        {
            let text = "a traced formula does not fit the numbers of coordinates and parameters";
            return Err(PyValueError::new_err(text));
        }
        Ok(Self(Arc::new(Points {
            program: Arc::new(program),
            parameters,
            coordinates,
            count,
        })))
    }

    /// Returns the model of the formula.
    fn model(&self) -> ReadyModel {
        let curve = Curve::new(Shared(Arc::clone(&self.0)));
        ReadyModel::new(curve, vec![self.0.count]).with_samples(Arc::clone(&self.0) as _)
    }

    /// Fits every column of the data, from the start in the same column.
    fn fit_many<'py>(
        &self,
        data: &Bound<'py, PyAny>,
        starts: &Bound<'py, PyAny>,
        choices: Choices<'py>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = data.py();
        let (data, starts) = (matrix("ydata", data)?, matrix("p0", starts)?);
        let sigma = choices.sigma.as_ref();
        let noise = sigma.map(|sigma| noise(sigma, self.0.count)).transpose()?;
        let bounds = choices
            .bounds
            .map(|(lower, upper)| Bounds::new(lower, upper));
        let bounds = bounds.transpose().map_err(raise)?;
        let transforms = choices
            .transforms
            .map(|all| all.iter().map(transform).collect());
        let transforms: Option<Vec<Transform>> = transforms.transpose()?;
        let penalty = choices.penalty.as_deref().map(named_penalty).transpose()?;
        let mut fits = FitMany::new(&*self.0).tolerances(Tolerances {
            iterations: choices.iterations,
            ..Tolerances::default()
        });
        if let Some(noise) = &noise {
            fits = fits.noise(noise);
        }
        if let Some(penalty) = penalty {
            fits = fits.penalty(penalty);
        }
        if let Some(bounds) = &bounds {
            fits = fits.bounds(bounds);
        }
        if let Some(transforms) = &transforms {
            fits = fits.transforms(transforms);
        }
        let start = |fit: usize, _: &[f64], theta: &mut [f64]| {
            theta.copy_from_slice(starts.col_as_slice(fit));
        };
        let watch = Watch::new();
        let found = threads::run(py, &watch, || fits.run_from(data.as_ref(), start))?;
        dictionary(py, &found.map_err(raise)?)
    }
}

fn named_penalty(name: &str) -> PyResult<Penalty> {
    penalty(name).ok_or_else(|| {
        PyValueError::new_err(format!(
            "loss must be one of linear, soft_l1, huber, cauchy, tukey, not '{name}'"
        ))
    })
}

fn dictionary<'py>(py: Python<'py>, fits: &Fits) -> PyResult<Bound<'py, PyDict>> {
    let all = fits.outcomes.iter();
    let messages: Vec<String> = all
        .map(|outcome| match outcome {
            Ok(stop) => stop.to_string(),
            Err(error) => error.to_string(),
        })
        .collect();
    let converged: Vec<bool> = (0..messages.len()).map(|fit| fits.converged(fit)).collect();
    let found = PyDict::new(py);
    found.set_item("x", to_array(py, fits.theta.transpose())?)?;
    found.set_item("stderr", to_array(py, fits.standard_errors.transpose())?)?;
    found.set_item("fun", PyArray1::from_slice(py, &fits.losses))?;
    found.set_item("nit", fits.steps.clone())?;
    found.set_item("success", converged)?;
    found.set_item("message", messages)?;
    found.set_item("summary", fits.to_string())?;
    Ok(found)
}
