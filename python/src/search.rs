//! Descents from many starts, and profile likelihoods.

use std::sync::Arc;

use numpy::PyArray1;
use pullback::Bounds;
use pullback::multistart::{MultiStart, Summary};
use pullback::profile::{End, Identifiability, Profile, ProfileLikelihood, Profiles};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::convert::{to_array, vector};
use crate::descend::{Parts, Settings};
use crate::error::{in_python, raise};
use crate::objective::Loss;
use crate::ready::ReadyModel;
use crate::threads;
use crate::watch::{Interruptible, Watch};

/// Starts of a search, and how its runs are compared.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Starts {
    points: Vec<Vec<f64>>,
    /// Box and number of starts in it.
    within: Option<(Vec<f64>, Vec<f64>, usize)>,
    seed: u64,
    /// Number of full runs after short runs of so many iterations.
    shortlist: Option<(usize, usize)>,
    names: Option<Vec<String>>,
    errors: bool,
}

fn strs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Runs a descent from many starts, and returns the distinct optima.
#[pyfunction]
pub(crate) fn multistart<'py>(
    model: &Bound<'py, PyAny>,
    objective: (PyRef<'py, Loss>, Settings<'py>),
    starts: Starts,
) -> PyResult<Bound<'py, PyDict>> {
    let py = model.py();
    let watch = Arc::new(Watch::new());
    let (loss, settings) = objective;
    let parts = Parts::new(model, &loss, settings, &watch)?;
    let bounds = starts.within.as_ref();
    let bounds = bounds.map(|(lower, upper, _)| Bounds::new(lower.clone(), upper.clone()));
    let bounds = bounds.transpose().map_err(raise)?;
    // Code in Python need not bear to be called by several threads at once.
    let alone = !model.is_instance_of::<ReadyModel>();
    let summary = threads::run_many(py, &watch, alone, || {
        let backend = Interruptible::new(&watch);
        let descent = parts.descent(&backend);
        let mut search = MultiStart::new(&descent).seed(starts.seed);
        if !starts.points.is_empty() {
            search = search.at(&starts.points);
        }
        if let Some((bounds, (_, _, count))) = bounds.as_ref().zip(starts.within.as_ref()) {
            search = search.within(bounds, *count);
        }
        if let Some((count, iterations)) = starts.shortlist {
            search = search.shortlist(count, iterations);
        }
        if let Some(names) = &starts.names {
            search = search.named(&strs(names));
        }
        if starts.errors {
            search = search.standard_errors(parts.variance());
        }
        search.run(|_| ())
    })?;
    optima(py, &watch.conclude(summary)?)
}

fn optima<'py>(py: Python<'py>, summary: &Summary) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    let best = summary.best();
    let all = PyList::empty(py);
    for optimum in summary.optima() {
        let one = PyDict::new(py);
        one.set_item("x", PyArray1::from_slice(py, &optimum.theta))?;
        one.set_item("fun", optimum.loss)?;
        one.set_item("starts", PyArray1::from_slice(py, &optimum.starts))?;
        let errors = optimum.standard_errors.as_ref();
        one.set_item("stderr", errors.map(|e| PyArray1::from_slice(py, e)))?;
        all.append(one)?;
    }
    found.set_item("optima", all)?;
    found.set_item("best", PyArray1::from_slice(py, &best.theta))?;
    found.set_item("starts", summary.starts())?;
    found.set_item("converged", summary.converged())?;
    let failures = summary.failures().iter();
    let failures: Vec<_> = failures
        .map(|f| (f.start, in_python(&f.error.to_string())))
        .collect();
    found.set_item("failures", failures)?;
    found.set_item("table", in_python(&summary.to_string()))?;
    Ok(found)
}

/// How profiles are computed.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Following {
    parameters: Option<Vec<usize>>,
    names: Option<Vec<String>>,
    level: f64,
    reach: f64,
}

/// Computes profile likelihoods from a fit.
#[pyfunction]
pub(crate) fn profile<'py>(
    model: &Bound<'py, PyAny>,
    objective: (PyRef<'py, Loss>, Settings<'py>),
    theta: &Bound<'py, PyAny>,
    following: Following,
) -> PyResult<Bound<'py, PyDict>> {
    let py = model.py();
    let watch = Arc::new(Watch::new());
    let theta = vector("x", theta)?;
    let (loss, settings) = objective;
    let parts = Parts::new(model, &loss, settings, &watch)?;
    let alone = !model.is_instance_of::<ReadyModel>();
    let profiles = threads::run_many(py, &watch, alone, || {
        let backend = Interruptible::new(&watch);
        let descent = parts.descent(&backend);
        let mut profiles = ProfileLikelihood::new(&descent)
            .variance(parts.variance())
            .level(following.level)
            .reach(following.reach);
        if let Some(parameters) = &following.parameters {
            profiles = profiles.only(parameters);
        }
        if let Some(names) = &following.names {
            profiles = profiles.named(&strs(names));
        }
        profiles.run(&theta, |_| ())
    })?;
    table(py, &watch.conclude(profiles)?)
}

fn table<'py>(py: Python<'py>, profiles: &Profiles) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    let all = PyList::empty(py);
    for profile in &profiles.profiles {
        all.append(curve(py, profile)?)?;
    }
    found.set_item("profiles", all)?;
    found.set_item("objective", profiles.objective)?;
    found.set_item("threshold", profiles.threshold)?;
    found.set_item("level", profiles.level)?;
    let better = profiles.better.as_ref();
    found.set_item("better", better.map(|b| PyArray1::from_slice(py, &b.theta)))?;
    found.set_item("table", in_python(&profiles.to_string()))?;
    Ok(found)
}

/// Returns the word for what a profile says.
fn word(identifiability: Identifiability) -> &'static str {
    match identifiability {
        Identifiability::Identifiable => "identifiable",
        Identifiability::Practical => "practically unidentifiable",
        Identifiability::Structural => "structurally unidentifiable",
        Identifiability::Unknown => "unknown",
        Identifiability::Fixed => "fixed",
    }
}

fn end(end: &End) -> String {
    match end {
        End::Crossed => "crossed".into(),
        End::Bound => "bound".into(),
        End::Open { reached } => format!("open: followed to {reached:.6e}"),
        End::Failed { reason } => format!("failed: {}", in_python(reason)),
    }
}

fn curve<'py>(py: Python<'py>, profile: &Profile) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    let points = &profile.points;
    let column = |f: &dyn Fn(&pullback::profile::Point) -> f64| {
        PyArray1::from_iter(py, points.iter().map(f).collect::<Vec<_>>())
    };
    found.set_item("parameter", profile.parameter)?;
    found.set_item("values", column(&|p| p.value))?;
    found.set_item("objectives", column(&|p| p.objective))?;
    found.set_item("zeta", column(&|p| p.zeta))?;
    let p = points.first().map_or(0, |point| point.theta.len());
    let theta = pullback::faer::Mat::from_fn(points.len(), p, |i, j| points[i].theta[j]);
    found.set_item("theta", to_array(py, theta.as_ref())?)?;
    found.set_item("interval", profile.interval)?;
    found.set_item("ends", (end(&profile.ends[0]), end(&profile.ends[1])))?;
    found.set_item("identifiability", word(profile.identifiability))?;
    found.set_item("wald", profile.wald)?;
    Ok(found)
}
