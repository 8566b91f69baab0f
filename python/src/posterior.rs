//! Gaussian posteriors of many parameters.

use std::sync::Arc;

use numpy::PyArray1;
use pullback::faer::Mat;
use pullback::posterior::{Posterior, Rank};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{to_array, vector};
use crate::descend::{Parts, Settings};
use crate::objective::Loss;
use crate::threads;
use crate::watch::{Interruptible, Watch};

/// What is computed of a posterior.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    rank: usize,
    oversampling: usize,
    seed: u64,
    exact: bool,
    samples: usize,
}

/// Numbers of a posterior.
struct Found {
    eigenvalues: Vec<f64>,
    eigenvectors: Mat<f64>,
    variances: Vec<f64>,
    prior_variances: Vec<f64>,
    samples: Mat<f64>,
    /// Information gain, information left out, and divergence from the prior.
    information: [f64; 3],
    solves: usize,
    text: String,
}

impl Found {
    fn new(posterior: &Posterior<'_>, options: &Options) -> pullback::Result<Self> {
        Ok(Self {
            eigenvalues: posterior.eigenvalues().to_vec(),
            eigenvectors: posterior.eigenvectors().clone(),
            variances: posterior.variances()?,
            prior_variances: posterior.prior_variances()?,
            samples: match options.samples {
                0 => Mat::zeros(posterior.mean().len(), 0),
                count => posterior.samples(count, options.seed)?,
            },
            information: [
                posterior.information_gain(),
                posterior.left_out(),
                posterior.divergence(),
            ],
            solves: posterior.solves(),
            text: posterior.to_string(),
        })
    }

    fn dictionary(self, py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        let found = PyDict::new(py);
        let roots = |values: &[f64]| PyArray1::from_iter(py, values.iter().map(|v| v.sqrt()));
        let eigenvalues = PyArray1::from_vec(py, self.eigenvalues);
        found.set_item("eigenvalues", eigenvalues)?;
        found.set_item("eigenvectors", to_array(py, self.eigenvectors.as_ref())?)?;
        found.set_item("std", roots(&self.variances))?;
        found.set_item("prior_std", roots(&self.prior_variances))?;
        found.set_item("samples", to_array(py, self.samples.transpose())?)?;
        for (name, value) in ["information_gain", "left_out", "divergence"]
            .into_iter()
            .zip(self.information)
        {
            found.set_item(name, value)?;
        }
        found.set_item("solves", self.solves)?;
        found.set_item("message", self.text)?;
        Ok(found)
    }
}

/// Computes the Gaussian posterior at parameters.
#[pyfunction]
pub(crate) fn posterior<'py>(
    model: &Bound<'py, PyAny>,
    objective: (PyRef<'py, Loss>, Settings<'py>),
    theta: &Bound<'py, PyAny>,
    options: Options,
) -> PyResult<Bound<'py, PyDict>> {
    let py = model.py();
    let watch = Arc::new(Watch::new());
    let theta = vector("theta", theta)?;
    let (loss, settings) = objective;
    let parts = Parts::new(model, &loss, settings, &watch)?;
    let rank = Rank {
        rank: options.rank,
        oversampling: options.oversampling,
        seed: options.seed,
        exact: options.exact,
    };
    let found = threads::run(py, &watch, || {
        let backend = Interruptible::new(&watch);
        let posterior = parts.descent(&backend).posterior(&theta, rank)?;
        Found::new(&posterior, &options)
    })?;
    watch.conclude(found)?.dictionary(py)
}
