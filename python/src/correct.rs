//! Corrections: the residual from a simulator in Python, the derivatives from a model.

use std::sync::Arc;

use numpy::PyArray1;
use pullback::Bounds;
use pullback::correction::{Corrected, Options, Report, Simulated, Simulator, Stop};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{to_array, vector};
use crate::descend::model_of;
use crate::error::{of_model, raise};
use crate::metrics::{Subject, metric};
use crate::objective::direction;
use crate::threads;
use crate::watch::{Interruptible, Watch};
use crate::word::Word;

/// Function `simulate(theta, seed)`, which returns data, or a text with the reason why these parameters cannot be simulated.
struct Function<'w> {
    function: Py<PyAny>,
    watch: &'w Watch,
}

impl Function<'_> {
    fn call(&self, py: Python<'_>, theta: &[f64], seed: u64) -> PyResult<Simulated> {
        let arguments = (PyArray1::from_slice(py, theta), seed);
        let answer = self.function.bind(py).call1(arguments);
        let answer = answer.map_err(|cause| of_model(py, "`simulate`", cause))?;
        match answer.extract::<String>() {
            Ok(reason) => Ok(Simulated::Rejected(reason)),
            Err(_) => Ok(vector("what `simulate` returned", &answer)?.into()),
        }
    }
}

impl Simulator for Function<'_> {
    fn simulate(&self, theta: &[f64], seed: u64) -> pullback::Result<Simulated> {
        let simulated = Python::attach(|py| self.call(py, theta, seed));
        simulated.map_err(|error| {
            self.watch.keep(error);
            Watch::failure()
        })
    }
}

/// Options of a correction.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Given {
    metric: Word,
    direction: String,
    bounds: Option<(Vec<f64>, Vec<f64>)>,
    cap: f64,
    scale: Vec<f64>,
    tolerance: f64,
    iterations: usize,
    average: usize,
    restarts: usize,
    scatter: f64,
    seed: u64,
}

impl Given {
    fn options(&self) -> Options {
        Options {
            cap: self.cap,
            scale: self.scale.clone(),
            tolerance: self.tolerance,
            iterations: self.iterations,
            average: self.average,
            restarts: self.restarts,
            scatter: self.scatter,
            seed: self.seed,
        }
    }
}

/// Fits a simulator to data with the derivatives of a model.
#[pyfunction]
pub(crate) fn correct<'py>(
    model: &Bound<'py, PyAny>,
    simulate: &Bound<'py, PyAny>,
    data: &Bound<'py, PyAny>,
    starts: Vec<Vec<f64>>,
    given: Given,
) -> PyResult<Bound<'py, PyDict>> {
    let py = model.py();
    let watch = Arc::new(Watch::new());
    let (inner, grid) = model_of(model, &watch)?;
    let subject = Subject {
        grid: grid.as_ref(),
        likelihood: None,
    };
    let metric = metric(&given.metric, subject)?;
    let direction = direction(&given.direction)?;
    let bounds = given.bounds.as_ref();
    let bounds = bounds.map(|(lower, upper)| Bounds::new(lower.clone(), upper.clone()));
    let bounds = bounds.transpose().map_err(raise)?;
    let data = vector("data", data)?;
    let simulator = Function {
        function: simulate.clone().unbind(),
        watch: &watch,
    };
    let report = threads::run(py, &watch, || {
        let backend = Interruptible::new(&watch);
        let corrected = Corrected::new(inner.as_ref(), &simulator, &data, metric.as_ref());
        let mut corrected = corrected
            .direction(direction.as_ref())
            .backend(&backend)
            .options(given.options());
        if let Some(bounds) = &bounds {
            corrected = corrected.bounds(bounds);
        }
        let starts: Vec<&[f64]> = starts.iter().map(Vec::as_slice).collect();
        corrected.run(&starts, |_| ())
    })?;
    dictionary(py, &watch.conclude(report)?)
}

fn dictionary<'py>(py: Python<'py>, report: &Report) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    let history = &report.history;
    found.set_item("x", PyArray1::from_slice(py, &report.theta))?;
    found.set_item("success", report.converged())?;
    found.set_item("averaged", report.stop == Stop::Averaged)?;
    found.set_item("message", report.stop.to_string())?;
    found.set_item("nit", history.len())?;
    let errors = report.standard_errors.as_ref();
    found.set_item("stderr", errors.map(|e| PyArray1::from_slice(py, e)))?;
    let rows = pullback::faer::Mat::from_fn(history.len(), report.theta.len(), |i, j| {
        history[i].theta[j]
    });
    found.set_item("history", to_array(py, rows.as_ref())?)?;
    found.set_item("rejected_starts", report.rejected_starts.clone())?;
    found.set_item("nfev", report.simulations)?;
    found.set_item("report", report.to_string())?;
    Ok(found)
}
