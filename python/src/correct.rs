//! Corrections: the residual from a simulator in Python, the derivatives from a model or from a regression.

use std::sync::Arc;

use numpy::PyArray1;
use pullback::correction::{Corrected, Options, Regression, Report, Simulated, Simulator, Stop};
use pullback::metric::Observed;
use pullback::{Bounds, Direction, Metric, Model, Operator};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{to_array, vector};
use crate::descend::model_of;
use crate::directions::direction;
use crate::error::{in_python, of_model, raise};
use crate::grid::Grid;
use crate::metrics::{Subject, metric};
use crate::objective::noise;
use crate::occupations::Trajectories;
use crate::threads;
use crate::watch::{Interruptible, Watch};
use crate::word::Word;

/// Largest seed that a function in Python is given: NumPy's older generators and signed integers take no more than 32 bits.
const MOST: u64 = (1 << 31) - 1;

/// Function `simulate(theta, seed)`, which returns data, or a text with the reason why these parameters cannot be simulated.
pub(crate) struct Function<'w> {
    function: Py<PyAny>,
    watch: &'w Watch,
}

impl<'w> Function<'w> {
    pub(crate) fn new(function: &Bound<'_, PyAny>, watch: &'w Watch) -> Self {
        Self {
            function: function.clone().unbind(),
            watch,
        }
    }

    fn call(&self, py: Python<'_>, theta: &[f64], seed: u64) -> PyResult<Simulated> {
        // Seeds are odd multiples of a number apart, so that their last digits differ for 2³¹ simulations.
        let arguments = (PyArray1::from_slice(py, theta), seed & MOST);
        let answer = self.function.bind(py).call1(arguments);
        let answer = answer.map_err(|cause| of_model(py, "`simulate`", cause))?;
        match answer.extract::<String>() {
            Ok(reason) => Ok(Simulated::Rejected(reason)),
            Err(_) => whole(vector("what `simulate` returned", &answer)?),
        }
    }
}

/// Checks that a simulation has no gaps.
fn whole(data: Vec<f64>) -> PyResult<Simulated> {
    match data.iter().position(|x| x.is_nan()) {
        None => Ok(data.into()),
        Some(index) => Err(PyValueError::new_err(format!(
            "what `simulate` returned is nan at index {index}, which does not stand for a missing value here: leave missing values out \
             of data and of what `simulate` returns, or return a text if these parameters cannot be simulated"
        ))),
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
pub(crate) struct Given<'py> {
    metric: Word,
    /// Grid of densities, where there is no model that has one.
    grid: Option<PyRef<'py, Grid>>,
    /// Noise of the data, which takes the place of the metric.
    sigma: Option<Bound<'py, PyAny>>,
    /// Displacement and memory of the regression that takes the place of a model.
    regression: (f64, usize),
    direction: Word,
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

impl Given<'_> {
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

    fn regression(&self) -> Regression {
        let (displacement, memory) = self.regression;
        Regression {
            displacement,
            memory,
        }
    }
}

/// Parts of a correction that live as long as it does.
struct Parts<'a> {
    /// Model, or None for a regression.
    model: Option<&'a (dyn Model + Send + Sync)>,
    data: &'a [f64],
    metric: &'a dyn Metric,
    direction: Box<dyn Direction + Send>,
    bounds: Option<Bounds>,
    options: Options,
    regression: Regression,
}

impl Parts<'_> {
    fn run(
        &self,
        simulator: &dyn Simulator,
        starts: &[Vec<f64>],
        watch: &Watch,
    ) -> pullback::Result<Report> {
        let backend = Interruptible::new(watch);
        let corrected = match self.model {
            Some(model) => Corrected::new(model, simulator, self.data, self.metric),
            None => Corrected::without_model(simulator, self.data, self.metric)
                .regression(self.regression),
        };
        let mut corrected = corrected
            .direction(self.direction.as_ref())
            .backend(&backend)
            .options(self.options.clone());
        if let Some(bounds) = &self.bounds {
            corrected = corrected.bounds(bounds);
        }
        let starts: Vec<&[f64]> = starts.iter().map(Vec::as_slice).collect();
        corrected.run(&starts, |_| ())
    }
}

/// Fits a simulator to data with the derivatives of a model, or of a regression on the simulations.
#[pyfunction]
pub(crate) fn correct<'py>(
    model: Option<&Bound<'py, PyAny>>,
    simulate: &Bound<'py, PyAny>,
    data: &Bound<'py, PyAny>,
    starts: Vec<Vec<f64>>,
    given: Given<'py>,
) -> PyResult<Bound<'py, PyDict>> {
    let py = simulate.py();
    let watch = Arc::new(Watch::new());
    let inner = model.map(|model| model_of(model, &watch)).transpose()?;
    let subject = Subject {
        grid: match &inner {
            Some((_, grid)) => grid.as_ref(),
            None => given.grid.as_ref().map(|grid| &grid.0),
        },
        likelihood: None,
        clouds: None,
    };
    let named = metric(&given.metric, subject)?;
    let data = vector("data", data)?;
    let noise = given.sigma.as_ref().map(|sigma| noise(sigma, data.len()));
    let noise = noise.transpose()?;
    let all = Operator::identity(data.len());
    let observed = noise.as_ref().map(|noise| Observed::new(&all, noise));
    let observed = observed.transpose().map_err(raise)?;
    let bounds = given.bounds.as_ref();
    let bounds = bounds.map(|(lower, upper)| Bounds::new(lower.clone(), upper.clone()));
    let parts = Parts {
        model: inner.as_ref().map(|(model, _)| model.as_ref()),
        data: &data,
        metric: match &observed {
            Some(observed) => observed,
            None => named.as_ref(),
        },
        direction: direction(&given.direction)?,
        bounds: bounds.transpose().map_err(raise)?,
        options: given.options(),
        regression: given.regression(),
    };
    let function = Function::new(simulate, &watch);
    let native = Trajectories::of(simulate);
    let report = threads::run(py, &watch, || match native {
        Some(native) => native.with(|simulator| parts.run(simulator, &starts, &watch)),
        None => parts.run(&function, &starts, &watch),
    })?;
    dictionary(py, &watch.conclude(report)?)
}

fn dictionary<'py>(py: Python<'py>, report: &Report) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    let history = &report.history;
    found.set_item("x", PyArray1::from_slice(py, &report.theta))?;
    found.set_item("success", report.converged())?;
    found.set_item("averaged", report.stop == Stop::Averaged)?;
    found.set_item("message", in_python(&report.stop.to_string()))?;
    found.set_item("nit", history.len())?;
    let errors = [
        ("stderr", &report.standard_errors),
        ("averaging_stderr", &report.averaging_errors),
        ("data_stderr", &report.data_errors),
    ];
    for (name, errors) in errors {
        let errors = errors.as_ref().map(|e| PyArray1::from_slice(py, e));
        found.set_item(name, errors)?;
    }
    found.set_item("distance", report.distance)?;
    found.set_item("noise_distance", report.noise)?;
    let combinations = &report.undetermined;
    let null = pullback::faer::Mat::from_fn(report.theta.len(), combinations.len(), |i, k| {
        combinations[k][i]
    });
    found.set_item("null_space", to_array(py, null.as_ref())?)?;
    found.set_item("undetermined", report.unknown.clone())?;
    found.set_item("held", report.held.clone())?;
    let remarks = report.remarks();
    let remarks: Vec<String> = remarks.iter().map(|text| in_python(text)).collect();
    found.set_item("remarks", remarks)?;
    let rows = pullback::faer::Mat::from_fn(history.len(), report.theta.len(), |i, j| {
        history[i].theta[j]
    });
    found.set_item("history", to_array(py, rows.as_ref())?)?;
    found.set_item("rejected_starts", report.rejected_starts.clone())?;
    found.set_item("nfev", report.simulations)?;
    found.set_item("report", in_python(&report.to_string()))?;
    Ok(found)
}
