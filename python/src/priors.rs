//! Priors.

use std::sync::Arc;

use pullback::Error;
use pullback::prior::{Matern, Smoothness, Tikhonov};
use pyo3::prelude::*;

use crate::convert::vector;
use crate::error::raise;
use crate::grid::Grid;
use crate::objective::noise;

/// Prior on the parameters, made by `gaussian`, `smoothness` or `matern`.
///
/// >>> import pullback as pb
/// >>> isinstance(pb.gaussian([0.0, 1.0], 2.0), pb.Prior)
/// True
#[pyclass(frozen, module = "pullback")]
pub(crate) struct Prior(pub(crate) Arc<dyn pullback::Prior + Send + Sync>, String);

#[pymethods]
impl Prior {
    fn __repr__(&self) -> &str {
        &self.1
    }
}

/// Returns a prior with its description.
fn prior(
    prior: Result<impl pullback::Prior + Send + 'static, Error>,
    text: String,
) -> PyResult<Prior> {
    Ok(Prior(Arc::new(prior.map_err(raise)?), text))
}

/// Normal prior with this mean. The documentation of priors is that of `_prior.py`.
#[pyfunction]
pub(crate) fn gaussian(mean: &Bound<'_, PyAny>, sigma: &Bound<'_, PyAny>) -> PyResult<Prior> {
    let mean = vector("mean", mean)?;
    let noise = noise(sigma, mean.len())?;
    let text = format!("<gaussian prior of {} parameters>", mean.len());
    prior(Tikhonov::new(mean, noise), text)
}

/// Penalty on the gradient of a field on a grid.
#[pyfunction]
#[pyo3(signature = (grid, weight, range=None))]
pub(crate) fn smoothness(grid: &Grid, weight: f64, range: Option<f64>) -> PyResult<Prior> {
    let plain = Smoothness::new(&grid.0, weight);
    let smooth = match range {
        None => plain,
        Some(range) => plain.and_then(|plain| plain.with_range(range)),
    };
    let cells = grid.0.cells();
    prior(
        smooth,
        format!("<smoothness prior of {cells} cells, weight {weight}>"),
    )
}

/// Gaussian random field on a grid.
#[pyfunction]
#[pyo3(signature = (grid, sigma, range, mean=None))]
pub(crate) fn matern(
    grid: &Grid,
    sigma: f64,
    range: f64,
    mean: Option<Vec<f64>>,
) -> PyResult<Prior> {
    let plain = Matern::new(&grid.0, sigma, range);
    let field = match mean {
        None => plain,
        Some(mean) => plain.and_then(|plain| plain.around(mean)),
    };
    let cells = grid.0.cells();
    prior(
        field,
        format!("<matern prior of {cells} cells, sigma {sigma}, range {range}>"),
    )
}
