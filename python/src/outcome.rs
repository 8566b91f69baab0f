//! Outcome of a descent as a dictionary.

use numpy::{IntoPyArray, PyArray1};
use pullback::Report;
use pullback::descent::{Counts, Iterate, Stop};
use pullback::faer::Mat;
use pullback::page::Summary;
use pullback::posterior::Estimates;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::to_array;

/// Estimates with their errors, or why there are none.
pub(crate) type Uncertain = Result<Estimates, String>;

/// Outcome of a descent.
pub(crate) struct Outcome {
    pub(crate) report: Report,
    stopped: bool,
    pub(crate) gradient: Option<Vec<f64>>,
    pub(crate) jacobian: Option<Mat<f64>>,
    pub(crate) uncertain: Option<Uncertain>,
    pub(crate) residuals: Option<Vec<f64>>,
}

impl Outcome {
    pub(crate) fn new(report: Report, stopped: bool) -> Self {
        Self {
            report,
            stopped,
            gradient: None,
            jacobian: None,
            uncertain: None,
            residuals: None,
        }
    }

    pub(crate) fn dictionary(self, py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        let found = PyDict::new(py);
        let report = &self.report;
        let stop = match self.stopped {
            true => Stop::Observer,
            false => report.stop,
        };
        found.set_item("x", PyArray1::from_slice(py, &report.theta))?;
        found.set_item("fun", report.loss)?;
        found.set_item("success", stop.converged())?;
        found.set_item("reason", stop.name())?;
        found.set_item("message", stop.to_string())?;
        found.set_item("nit", report.iterations())?;
        found.set_item("report", report.to_string())?;
        found.set_item("counts", counts(py, &report.counts)?)?;
        found.set_item("history", history(py, &report.history)?)?;
        let summary = Summary::from(report);
        found.set_item("tests", summary.tests)?;
        found.set_item("solvers", summary.solvers)?;
        found.set_item("remarks", summary.remarks)?;
        found.set_item("residuals", self.residuals.map(|r| r.into_pyarray(py)))?;
        found.set_item("jac", self.gradient.map(|g| g.into_pyarray(py)))?;
        let jacobian = self.jacobian.map(|z| to_array(py, z.as_ref()));
        found.set_item("state_jac", jacobian.transpose()?)?;
        let errors = self.uncertain.map(|u| errors(py, u));
        found.set_item("uncertainty", errors.transpose()?)?;
        found.set_item("state", self.report.rho.into_pyarray(py))?;
        Ok(found)
    }
}

/// Returns the cost by names.
pub(crate) fn counts<'py>(py: Python<'py>, counts: &Counts) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (name, count) in counts.by_name() {
        found.set_item(name, count)?;
    }
    Ok(found)
}

/// Returns the iterates by columns.
pub(crate) fn history<'py>(py: Python<'py>, iterates: &[Iterate]) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    let column = |f: &dyn Fn(&Iterate) -> f64| {
        let values: Vec<f64> = iterates.iter().map(f).collect();
        values.into_pyarray(py)
    };
    let of_step = |f: fn(&pullback::descent::Move) -> f64| {
        column(&move |iterate| iterate.step.as_ref().map_or(f64::NAN, f))
    };
    found.set_item("loss", column(&|i| i.loss))?;
    found.set_item("penalty", column(&|i| i.penalty))?;
    found.set_item("gradient", column(&|i| i.gradient))?;
    found.set_item("step", of_step(|s| s.relative_step))?;
    found.set_item("scale", of_step(|s| s.scale))?;
    found.set_item("damping", of_step(|s| s.damping))?;
    found.set_item("trials", of_step(|s| s.trials as f64))?;
    found.set_item("seconds", column(&|i| i.seconds))?;
    let p = iterates.first().map_or(0, |i| i.theta.len());
    let theta = Mat::from_fn(iterates.len(), p, |i, j| iterates[i].theta[j]);
    found.set_item("theta", to_array(py, theta.as_ref())?)?;
    Ok(found)
}

/// Returns covariance and errors, or the reason why there are none.
fn errors(py: Python<'_>, uncertain: Uncertain) -> PyResult<Bound<'_, PyDict>> {
    let found = PyDict::new(py);
    match uncertain {
        Err(reason) => found.set_item("reason", reason)?,
        Ok(estimates) => {
            let uncertainty = estimates.uncertainty();
            found.set_item("cov", to_array(py, uncertainty.covariance.as_ref())?)?;
            let errors = PyArray1::from_slice(py, &uncertainty.standard_errors);
            found.set_item("stderr", errors)?;
            let null = to_array(py, uncertainty.null_space.as_ref())?;
            found.set_item("null_space", null)?;
            found.set_item("held", uncertainty.held.clone())?;
            found.set_item("intervals", estimates.intervals())?;
            found.set_item("variance", uncertainty.variance())?;
            found.set_item("table", estimates.to_string())?;
            found.set_item("notes", estimates.notes())?;
        }
    }
    Ok(found)
}
