//! Descents: long computations without the interpreter lock, which end at an exception or Ctrl-C.

use std::path::PathBuf;
use std::sync::Arc;

use pullback::descent::{Run, Saved, Tolerances};
use pullback::posterior::Variance;
use pullback::{
    Backend, Bounds, Descent, Direction, Linearisation, Metric, Model, Report, StepRule, Transform,
};
use pyo3::call::PyCallArgs;
use pyo3::exceptions::{PyKeyboardInterrupt, PyStopIteration};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::vector;
use crate::directions::{direction, rule};
use crate::error::{in_python, in_python_words, raise};
use crate::linearised::Linearised;
use crate::metrics::{Subject, metric};
use crate::objective::{Loss, transform};
use crate::outcome::{Outcome, Uncertain};
use crate::own_model::{Equations, Explicit, Methods};
use crate::priors::Prior;
use crate::ready::ReadyModel;
use crate::stopping::Stopping;
use crate::threads;
use crate::watch::{Interruptible, Watch};
use crate::word::Word;

/// Settings of a descent.
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
    /// Names of the parameters in the table of estimates.
    names: Option<Vec<String>>,
    /// Limits of the decrease, step, loss and gradient.
    tolerances: (f64, f64, f64, f64),
    target: Option<f64>,
    iterations: usize,
    uncertainty: bool,
    jacobian: bool,
    callback: Option<Py<PyAny>>,
    /// File of the run, and the number of steps after which it is written again.
    save: Option<(PathBuf, usize)>,
    /// Whether the run goes on from its file.
    resume: bool,
}

/// Parts of a descent that live as long as it does.
pub(crate) struct Parts {
    pub(crate) model: Arc<dyn Model + Send + Sync>,
    pub(crate) loss: Arc<dyn pullback::Loss + Send + Sync>,
    pub(crate) estimates_noise: bool,
    metric: Option<Box<dyn Metric + Send>>,
    direction: Box<dyn Direction + Send>,
    step: Option<Box<dyn StepRule + Send>>,
    bounds: Option<Bounds>,
    transforms: Option<Vec<Transform>>,
    priors: Vec<Arc<dyn pullback::Prior + Send + Sync>>,
    tolerances: Tolerances,
    names: Option<Vec<String>>,
    callback: Option<Py<PyAny>>,
    /// Whether the uncertainty and the Jacobian are computed.
    extras: [bool; 2],
    save: Option<(PathBuf, usize)>,
    resume: bool,
}

/// Returns the model that a Python object stands for: a ready one, or one with methods in Python.
pub(crate) fn model_of(
    object: &Bound<'_, PyAny>,
    watch: &Arc<Watch>,
) -> PyResult<(Arc<dyn Model + Send + Sync>, Option<pullback::Grid>)> {
    if let Ok(ready) = object.cast::<ReadyModel>() {
        let ready = ready.get();
        let model = Stopping {
            model: Arc::clone(&ready.model),
            watch: Arc::clone(watch),
            forgetful: false,
        };
        return Ok((Arc::new(model), ready.grid.clone()));
    }
    let has = |name: &str| -> PyResult<bool> {
        Ok(object.hasattr(name)? && !object.getattr(name)?.is_none())
    };
    let model: Arc<dyn Model + Send + Sync> = match (has("residual")?, has("sensitivity")?) {
        (true, false) => Arc::new(Equations::new(object, watch)?),
        (true, true) => Arc::new(Linearised(Equations::new(object, watch)?)),
        (false, _) => Arc::new(Explicit(Methods::new(object, watch)?)),
    };
    Ok((model, None))
}

impl Parts {
    pub(crate) fn new(
        object: &Bound<'_, PyAny>,
        loss: &Loss,
        settings: Settings<'_>,
        watch: &Arc<Watch>,
    ) -> PyResult<Self> {
        let (model, grid) = model_of(object, watch)?;
        let subject = Subject {
            grid: grid.as_ref(),
            likelihood: loss.likelihood.as_ref(),
            clouds: loss.clouds.as_ref(),
        };
        let by_name = |word: &Word| metric(word, subject);
        let bounds = settings
            .bounds
            .map(|(lower, upper)| Bounds::new(lower, upper));
        let transforms = settings
            .transforms
            .map(|all| all.iter().map(transform).collect());
        let (decrease, relative_step, loss_tolerance, gradient) = settings.tolerances;
        Ok(Self {
            metric: settings.metric.as_ref().map(by_name).transpose()?,
            direction: direction(&settings.direction)?,
            step: rule(settings.step.as_ref(), &settings.direction)?,
            bounds: bounds.transpose().map_err(raise)?,
            transforms: transforms.transpose()?,
            priors: settings
                .priors
                .iter()
                .map(|prior| Arc::clone(&prior.0))
                .collect(),
            tolerances: Tolerances {
                decrease,
                step: relative_step,
                loss: loss_tolerance,
                gradient,
                target: settings.target,
                iterations: settings.iterations,
            },
            names: settings.names,
            callback: settings.callback,
            extras: [settings.uncertainty, settings.jacobian],
            save: settings.save,
            resume: settings.resume,
            model,
            loss: Arc::clone(&loss.loss),
            estimates_noise: loss.estimates_noise,
        })
    }

    pub(crate) fn descent<'a>(&'a self, backend: &'a dyn Backend) -> Descent<'a> {
        let descent = Descent::new(self.model.as_ref(), self.loss.as_ref());
        let mut descent = descent
            .backend(backend)
            .direction(self.direction.as_ref())
            .tolerances(self.tolerances);
        if let Some(step) = &self.step {
            descent = descent.step(step.as_ref());
        }
        if let Some(metric) = &self.metric {
            descent = descent.metric(metric.as_ref());
        }
        if let Some(bounds) = &self.bounds {
            descent = descent.bounds(bounds);
        }
        if let Some(transforms) = &self.transforms {
            descent = descent.transforms(transforms);
        }
        for prior in &self.priors {
            descent = descent.prior(prior.as_ref());
        }
        descent
    }

    /// Runs the descent to its end. An exception or an interrupt ends it as well, and is left to the watch.
    fn run(&self, start: &[f64], watch: &Watch) -> pullback::Result<Outcome> {
        let backend = Interruptible::new(watch);
        let descent = self.descent(&backend);
        let mut run = match &self.save {
            Some((path, _)) if self.resume => descent.resume(&Saved::read(path)?)?,
            _ => descent.begin(start)?,
        };
        let mut stopped = self.observed(&run, watch);
        while !stopped && !watch.look() {
            match run.step() {
                _ if watch.raised() => break,
                Ok(stop) => {
                    self.save(&run, stop.is_some())?;
                    if stop.is_some() {
                        break;
                    }
                    stopped = self.observed(&run, watch);
                }
                Err(error) => return Err(error),
            }
        }
        if stopped && !watch.raised() {
            self.save(&run, true)?;
        }
        let report = run.report();
        drop(run);
        let mut outcome = Outcome::new(report, stopped);
        match watch.raised() {
            true => Ok(outcome),
            false => match self.complete(&mut outcome, &descent, &backend) {
                Err(error) if !watch.raised() => Err(error),
                _ => Ok(outcome),
            },
        }
    }

    /// Saves the run after every few steps and at its end. After an exception, which may look like rejected trials, the file of
    /// an earlier point remains.
    fn save(&self, run: &Run<'_>, ended: bool) -> pullback::Result<()> {
        let Some((path, every)) = &self.save else {
            return Ok(());
        };
        // The iterates of the history are those before the current point.
        let reached = *every > 0 && run.history().len().is_multiple_of(*every);
        match reached || ended {
            true => run.saved()?.write(path),
            false => Ok(()),
        }
    }

    /// Adds the gradient, and where they are asked for the Jacobian and the uncertainty.
    pub(crate) fn complete(
        &self,
        outcome: &mut Outcome,
        descent: &Descent<'_>,
        backend: &dyn Backend,
    ) -> pullback::Result<()> {
        let Report { theta, rho, .. } = &outcome.report;
        let z = Linearisation::new(self.model.as_ref(), rho, theta, backend)?;
        let covector = self.loss.at(rho, backend)?.covector(backend)?;
        let mut gradient = z.pull_back(&covector)?;
        for prior in &self.priors {
            let of_prior = prior.at(theta)?.gradient();
            gradient.iter_mut().zip(of_prior).for_each(|(g, p)| *g += p);
        }
        let [uncertainty, jacobian] = self.extras;
        let jacobian = jacobian.then(|| z.matrix().cloned()).transpose()?;
        let residuals = self.loss.residuals(rho)?;
        let uncertain = uncertainty.then(|| self.uncertain(&outcome.report, descent));
        outcome.gradient = Some(gradient);
        outcome.jacobian = jacobian;
        outcome.residuals = residuals;
        outcome.uncertain = uncertain;
        Ok(())
    }

    /// Returns the noise by which errors are computed: that of the residual if it is not known.
    pub(crate) fn variance(&self) -> Variance {
        match self.estimates_noise && self.loss.data().is_some() {
            true => Variance::Estimated,
            false => Variance::Known,
        }
    }

    /// Returns the names of the parameters, if they have any.
    pub(crate) fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// Returns the uncertainty.
    fn uncertain(&self, report: &Report, descent: &Descent<'_>) -> Uncertain {
        let estimates = report.estimates(descent, self.variance());
        let named = estimates.and_then(|estimates| match &self.names {
            Some(names) => estimates.named(&names.iter().map(String::as_str).collect::<Vec<_>>()),
            None => Ok(estimates),
        });
        named.map_err(|error| in_python(&error.to_string()))
    }

    /// Passes the current point to the callback. Returns whether it stops the run.
    fn observed(&self, run: &Run<'_>, watch: &Watch) -> bool {
        let Some(callback) = &self.callback else {
            return false;
        };
        Python::attach(|py| {
            let point = (vector_of(py, run.theta()), run.loss());
            stops(callback.bind(py), point, watch)
        })
    }
}

/// Calls a callback. Returns whether it stops the run, as an exception does, which the watch keeps.
pub(crate) fn stops<'py>(
    callback: &Bound<'py, PyAny>,
    point: impl PyCallArgs<'py>,
    watch: &Watch,
) -> bool {
    let answer = match callback.call1(point) {
        Ok(answer) => answer.is_truthy(),
        Err(stop) if stop.is_instance_of::<PyStopIteration>(callback.py()) => Ok(true),
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| {
        watch.keep(error);
        true
    })
}

/// Returns whether a computation was interrupted, which then has an outcome none the less. Other exceptions are errors.
pub(crate) fn interrupted<T>(
    py: Python<'_>,
    watch: &Watch,
    outcome: &pullback::Result<T>,
) -> PyResult<bool> {
    match (watch.take(), outcome) {
        (Some(error), Ok(_)) if error.is_instance_of::<PyKeyboardInterrupt>(py) => Ok(true),
        (Some(error), _) => Err(error),
        (None, _) => Ok(false),
    }
}

pub(crate) fn vector_of<'py>(py: Python<'py>, values: &[f64]) -> Bound<'py, numpy::PyArray1<f64>> {
    numpy::PyArray1::from_slice(py, values)
}

/// Runs a descent, and returns its report as a dictionary. After Ctrl-C this is the report of the best point so far, with the
/// entry `interrupted`.
#[pyfunction]
pub(crate) fn descend<'py>(
    model: &Bound<'py, PyAny>,
    loss: &Loss,
    theta0: &Bound<'py, PyAny>,
    settings: Settings<'py>,
) -> PyResult<Bound<'py, PyDict>> {
    let py = model.py();
    let watch = Arc::new(Watch::new());
    let start = vector("theta0", theta0)?;
    let parts = Parts::new(model, loss, settings, &watch)?;
    let outcome = threads::run(py, &watch, || parts.run(&start, &watch))?;
    let interrupted = interrupted(py, &watch, &outcome)?;
    let dictionary = outcome.map_err(raise)?.dictionary(py)?;
    in_python_words(&dictionary)?;
    dictionary.set_item("interrupted", interrupted)?;
    Ok(dictionary)
}

/// Computes the state of a model.
#[pyfunction]
pub(crate) fn solve<'py>(
    model: &Bound<'py, PyAny>,
    theta: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, numpy::PyArray1<f64>>> {
    let py = model.py();
    let watch = Arc::new(Watch::new());
    let (inner, _) = model_of(model, &watch)?;
    let theta = vector("theta", theta)?;
    let outcome = threads::run(py, &watch, || {
        let mut rho = vec![0.0; inner.state_dim()];
        let backend = Interruptible::new(&watch);
        inner.solve(&theta, &mut rho, &backend).map(|()| rho)
    })?;
    Ok(vector_of(py, &watch.conclude(outcome)?))
}

/// Checks the derivatives of a model by differences. Returns whether they passed, and the table of all checks.
#[pyfunction]
pub(crate) fn verify(
    model: &Bound<'_, PyAny>,
    theta: &Bound<'_, PyAny>,
    seed: u64,
) -> PyResult<(bool, String)> {
    let watch = Arc::new(Watch::new());
    let (inner, _) = model_of(model, &watch)?;
    let theta = vector("theta", theta)?;
    let check = || pullback::verify::model(inner.as_ref(), &theta, seed);
    let checks = threads::run(model.py(), &watch, check)?;
    let checks = watch.conclude(checks)?;
    Ok((checks.passed(), checks.to_string()))
}
