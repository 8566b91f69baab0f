//! Descents on batches.

use std::sync::Arc;

use numpy::{IntoPyArray, PyArray1};
use pullback::descent::Control;
use pullback::faer::Mat;
use pullback::stochastic::{Ending, Epoch, Items, Report, Stochastic};
use pullback::{Backend, Bounds, Direction, Result, StepRule, Transform};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{to_array, vector};
use crate::descend::{interrupted, stops, vector_of};
use crate::directions::{direction, rule};
use crate::error::{in_python_words, raise};
use crate::items::Problem;
use crate::objective::transform;
use crate::outcome::counts;
use crate::priors::Prior;
use crate::threads;
use crate::watch::{Interruptible, Watch};
use crate::word::Word;

/// Settings of a descent on batches.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Settings<'py> {
    metric: Option<Word>,
    direction: Word,
    /// Step rule, or None for that of the direction.
    step: Option<Word>,
    bounds: Option<(Vec<f64>, Vec<f64>)>,
    transforms: Option<Vec<(String, f64, f64)>>,
    priors: Vec<PyRef<'py, Prior>>,
    batch: usize,
    epochs: usize,
    seed: u64,
    /// Number of epochs over whose steps the parameters are averaged.
    average: usize,
    /// Whether the objective of all items is computed after every epoch.
    evaluate: bool,
    callback: Option<Py<PyAny>>,
}

/// Parts of a descent that live as long as it does.
struct Parts {
    items: Box<dyn Items>,
    direction: Box<dyn Direction + Send>,
    step: Option<Box<dyn StepRule + Send>>,
    bounds: Option<Bounds>,
    transforms: Option<Vec<Transform>>,
    priors: Vec<Arc<dyn pullback::Prior + Send + Sync>>,
    /// Size of a batch, number of epochs, and number of epochs that are averaged.
    sizes: [usize; 3],
    seed: u64,
    evaluated: bool,
    callback: Option<Py<PyAny>>,
}

/// What a run found.
struct Found {
    /// Report, unless an exception ended the run.
    report: Option<Report>,
    epochs: Vec<Epoch>,
    /// Objective of all items at the end.
    objective: f64,
}

impl Parts {
    fn new(problem: &Problem<'_>, settings: Settings<'_>, watch: &Arc<Watch>) -> PyResult<Self> {
        let bounds = settings
            .bounds
            .map(|(lower, upper)| Bounds::new(lower, upper));
        let transforms = settings
            .transforms
            .map(|all| all.iter().map(transform).collect());
        let priors = settings.priors.iter();
        Ok(Self {
            items: problem.items(settings.metric.as_ref(), watch)?,
            direction: direction(&settings.direction)?,
            step: rule(settings.step.as_ref(), &settings.direction)?,
            bounds: bounds.transpose().map_err(raise)?,
            transforms: transforms.transpose()?,
            priors: priors.map(|prior| Arc::clone(&prior.0)).collect(),
            sizes: [settings.batch, settings.epochs, settings.average],
            seed: settings.seed,
            evaluated: settings.evaluate,
            callback: settings.callback,
        })
    }

    fn stochastic<'a>(&'a self, backend: &'a dyn Backend) -> Stochastic<'a> {
        let [batch, epochs, average] = self.sizes;
        let mut stochastic = Stochastic::new(self.items.as_ref(), batch)
            .backend(backend)
            .direction(self.direction.as_ref())
            .epochs(epochs)
            .average(average)
            .seed(self.seed);
        if let Some(step) = &self.step {
            stochastic = stochastic.step(step.as_ref());
        }
        if let Some(bounds) = &self.bounds {
            stochastic = stochastic.bounds(bounds);
        }
        if let Some(transforms) = &self.transforms {
            stochastic = stochastic.transforms(transforms);
        }
        if self.evaluated {
            stochastic = stochastic.evaluate();
        }
        let priors = self.priors.iter();
        priors.fold(stochastic, |stochastic, prior| {
            stochastic.prior(prior.as_ref())
        })
    }

    /// Runs the descent to its end. An exception or an interrupt ends it as well, after its last whole epoch, and is left to the
    /// watch.
    fn run(&self, start: &[f64], watch: &Watch) -> Result<Found> {
        let backend = Interruptible::new(watch);
        let stochastic = self.stochastic(&backend);
        let mut epochs: Vec<Epoch> = Vec::new();
        let report = stochastic.run(start, |epoch| {
            // Steps after an exception were rejected for that reason alone.
            if watch.look() {
                return Control::Stop;
            }
            epochs.push(epoch.clone());
            match self.observed(epoch, watch) {
                true => Control::Stop,
                false => Control::Continue,
            }
        });
        let last = epochs.last().and_then(|epoch| epoch.objective);
        let (report, objective) = match (report, last) {
            (_, last) if watch.raised() => (None, last.unwrap_or(f64::NAN)),
            (Err(error), _) => return Err(error),
            (Ok(report), Some(objective)) => (Some(report), objective),
            (Ok(report), None) => {
                let objective = stochastic.objective(&report.theta)?;
                (Some(report), objective)
            }
        };
        Ok(Found {
            report,
            epochs,
            objective,
        })
    }

    /// Passes an epoch to the callback. Returns whether it stops the run.
    fn observed(&self, epoch: &Epoch, watch: &Watch) -> bool {
        let Some(callback) = &self.callback else {
            return false;
        };
        Python::attach(|py| {
            let numbers = (epoch.mean, epoch.objective, epoch.seconds);
            let counts = (epoch.epoch, epoch.steps, epoch.rejected);
            let point = (vector_of(py, &epoch.theta), numbers, counts);
            stops(callback.bind(py), point, watch)
        })
    }
}

impl Found {
    /// Returns the result of a run from this start as a dictionary.
    fn dictionary<'py>(&self, py: Python<'py>, start: &[f64]) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        let last = self.epochs.last();
        let report = self.report.as_ref();
        let theta = match (report, last) {
            (Some(report), _) => &report.theta,
            (None, Some(epoch)) => &epoch.theta,
            (None, None) => start,
        };
        let cost = report.map(|report| report.counts);
        let cost = cost.or(last.map(|epoch| epoch.counts)).unwrap_or_default();
        let average = report.and_then(|report| report.average.as_ref());
        found.set_item("x", vector_of(py, theta))?;
        found.set_item("fun", self.objective)?;
        found.set_item(
            "average",
            average.map(|mean| PyArray1::from_slice(py, mean)),
        )?;
        found.set_item("ending", report.map_or("interrupted", ending))?;
        found.set_item("message", report.map_or_else(unfinished, message))?;
        found.set_item("nit", self.epochs.len())?;
        found.set_item("steps", last.map_or(0, |epoch| epoch.steps))?;
        found.set_item("rejected", last.map_or(0, |epoch| epoch.rejected))?;
        found.set_item("counts", counts(py, &cost)?)?;
        found.set_item("history", history(py, &self.epochs)?)?;
        let remarks = report.map_or(&[][..], |report| report.remarks.as_slice());
        let remarks: Vec<String> = remarks.iter().map(ToString::to_string).collect();
        found.set_item("remarks", remarks)?;
        found.set_item("report", report.map_or_else(unfinished, Report::to_string))?;
        Ok(found)
    }
}

fn unfinished() -> String {
    "interrupted: this is the point after the last whole epoch".to_string()
}

/// Returns the word for the end of a run.
fn ending(report: &Report) -> &'static str {
    match report.ending {
        Ending::Epochs => "epochs",
        Ending::Observer => "callback",
        Ending::Converged => "converged",
        Ending::Rejected => "rejected",
        Ending::Unfinished => "unfinished",
    }
}

fn message(report: &Report) -> String {
    match (report.ending, &report.last_stop) {
        (Ending::Rejected, Some(stop)) => format!("{}: {stop}", report.ending),
        _ => report.ending.to_string(),
    }
}

/// Returns the epochs by columns.
fn history<'py>(py: Python<'py>, epochs: &[Epoch]) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    let column = |f: &dyn Fn(&Epoch) -> f64| {
        let values: Vec<f64> = epochs.iter().map(f).collect();
        values.into_pyarray(py)
    };
    found.set_item("mean", column(&|e| e.mean))?;
    found.set_item("objective", column(&|e| e.objective.unwrap_or(f64::NAN)))?;
    found.set_item("steps", column(&|e| e.steps as f64))?;
    found.set_item("rejected", column(&|e| e.rejected as f64))?;
    found.set_item("seconds", column(&|e| e.seconds))?;
    let p = epochs.first().map_or(0, |epoch| epoch.theta.len());
    let theta = Mat::from_fn(epochs.len(), p, |i, j| epochs[i].theta[j]);
    found.set_item("theta", to_array(py, theta.as_ref())?)?;
    Ok(found)
}

/// Runs a descent on batches, and returns its result as a dictionary. After Ctrl-C this is that of the last whole epoch.
#[pyfunction]
pub(crate) fn descend_in_batches<'py>(
    problem: Problem<'py>,
    theta0: &Bound<'py, PyAny>,
    settings: Settings<'py>,
) -> PyResult<Bound<'py, PyDict>> {
    let py = theta0.py();
    let watch = Arc::new(Watch::new());
    let start = vector("theta0", theta0)?;
    let parts = Parts::new(&problem, settings, &watch)?;
    let run = || parts.run(&start, &watch);
    let found = match problem.is_python() {
        true => threads::run_many(py, &watch, true, run)?,
        false => threads::run(py, &watch, run)?,
    };
    interrupted(py, &watch, &found)?;
    let dictionary = found.map_err(raise)?.dictionary(py, &start)?;
    in_python_words(&dictionary)?;
    Ok(dictionary)
}
