//! Repeated simulations of a simulator in Python, and measures of series.

use std::sync::Arc;

use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayDyn, PyArrayMethods};
use pullback::correction::{self, Simulator};
use pullback::models::trajectory::Delay;
use pyo3::prelude::*;

use crate::convert::{to_array, vector};
use crate::correct::Function;
use crate::error::raise;
use crate::grid::Grid;
use crate::occupations::Trajectories;
use crate::threads;
use crate::watch::Watch;

/// Mean and covariance of repeated simulations, as `replicates` returns them.
///
/// >>> import numpy as np, pullback as pb
/// >>> noisy = lambda theta, seed: theta[0] + 0.1 * np.random.default_rng(seed).standard_normal(3)
/// >>> found = pb.replicates(noisy, [2.0], 2000)
/// >>> found.mean.round(1).tolist(), np.sqrt(np.diag(found.covariance)).round(2).tolist()
/// ([2.0, 2.0, 2.0], [0.1, 0.1, 0.1])
#[pyclass(frozen, module = "pullback")]
pub(crate) struct Replicates(correction::Replicates);

#[pymethods]
impl Replicates {
    /// Mean of the simulations.
    #[getter]
    fn mean<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, &self.0.mean)
    }

    /// Sample covariance of the simulations.
    #[getter]
    fn covariance<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        to_array(py, self.0.covariance.as_ref())
    }

    /// Returns the covariance (1 − s)C + s diag C of the noise, for the argument ``sigma`` of `correct`, `minimize` and others.
    ///
    /// The shrinkage s above 0 makes the covariance regular, and damps its errors by a finite number of simulations. 0.01 is a good
    /// choice with several simulations per observation, and 1 leaves the variances alone. Observations that never varied get the
    /// smallest variance of the others.
    #[pyo3(signature = (shrinkage = 0.01))]
    fn sigma<'py>(&self, py: Python<'py>, shrinkage: f64) -> PyResult<Bound<'py, PyArray2<f64>>> {
        to_array(py, self.0.shrunk(shrinkage).map_err(raise)?.as_ref())
    }

    fn __repr__(&self) -> String {
        format!("<Replicates: {} observations>", self.0.mean.len())
    }
}

/// Simulates this number of times at θ, with seeds derived from a seed.
#[pyfunction]
pub(crate) fn repeated(
    simulate: &Bound<'_, PyAny>,
    theta: &Bound<'_, PyAny>,
    runs: usize,
    seed: u64,
) -> PyResult<Replicates> {
    let watch = Arc::new(Watch::new());
    let theta = vector("theta", theta)?;
    let simulator = Function::new(simulate, &watch);
    let native = Trajectories::of(simulate);
    let repeat = |simulator: &dyn Simulator| {
        correction::Replicates::simulate(simulator, &theta, (runs, seed), |_| ())
    };
    // Code in Python need not bear to be called by several threads at once.
    let alone = native.is_none();
    let found = threads::run_many(simulate.py(), &watch, alone, || match native {
        Some(native) => native.with(|simulator| repeat(simulator)),
        None => repeat(&simulator),
    })?;
    watch.conclude(found).map(Replicates)
}

/// Returns the fraction of time that a scalar series spends in every cell of a grid in delay coordinates, as a density, and the
/// fraction of delay vectors outside the grid.
#[pyfunction]
pub(crate) fn delay_measure<'py>(
    series: &Bound<'py, PyAny>,
    grid: &Grid,
    lag: usize,
    symmetric: bool,
) -> PyResult<(Bound<'py, PyArrayDyn<f64>>, f64)> {
    let (py, series) = (series.py(), vector("series", series)?);
    let delay = Delay {
        coordinate: 0,
        lag,
        copies: grid.0.dim(),
    };
    let found = py.detach(|| {
        let trajectory = delay.embed(&series, None)?;
        trajectory.histogram(&grid.0, symmetric.then_some([-1.0; 3]))
    });
    let found = found.map_err(raise)?;
    let density = found.density.into_pyarray(py);
    Ok((density.reshape(grid.cells_by_axis())?, found.outside))
}
