//! Histograms of simulated trajectories.

use numpy::{IntoPyArray, PyArrayMethods};
use pullback::correction::{Simulated, Simulator};
use pullback::models::Occupations;
use pullback::models::flow::{Chen, Flow, Lorenz, Rossler, VanDerPol};
use pullback::models::trajectory::{Delay, Sampling};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert::vector;
use crate::error::{in_python, raise};
use crate::grid::Grid;

/// Returns a flow by its name.
fn flow(name: &str) -> PyResult<Box<dyn Flow>> {
    Ok(match name {
        "lorenz" => Box::new(Lorenz),
        "rossler" => Box::new(Rossler),
        "chen" => Box::new(Chen),
        "van_der_pol" => Box::new(VanDerPol),
        other => {
            let text =
                format!("flow: no flow '{other}'; choose lorenz, rossler, chen or van_der_pol");
            return Err(PyValueError::new_err(text));
        }
    })
}

/// How trajectories are sampled.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Sampled {
    duration: f64,
    interval: f64,
    burn_in: f64,
    start: Option<[f64; 3]>,
    noise: f64,
    tolerance: f64,
    /// Coordinate and lag of delay coordinates.
    delay: Option<(usize, usize)>,
}

impl From<&Sampled> for Sampling {
    fn from(given: &Sampled) -> Self {
        let plain = Self::default();
        Self {
            duration: given.duration,
            interval: given.interval,
            burn_in: given.burn_in,
            start: given.start.unwrap_or(plain.start),
            noise: given.noise,
            tolerance: given.tolerance,
            ..plain
        }
    }
}

/// Simulator of histograms of trajectories.
#[pyclass(frozen, module = "pullback._pullback")]
pub(crate) struct Trajectories {
    grid: pullback::Grid,
    flow: Box<dyn Flow>,
    given: Sampled,
}

impl Trajectories {
    /// Returns the simulator that an object is, if it is one.
    pub(crate) fn of<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a Self> {
        object.cast::<Self>().ok().map(Bound::get)
    }

    /// Calls `work` with the simulator.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Occupations<'_>) -> T) -> T {
        let sampling = Sampling::from(&self.given);
        let simulator = Occupations::new(&self.grid, self.flow.as_ref(), sampling);
        let delay = self.given.delay.map(|(coordinate, lag)| Delay {
            coordinate,
            lag,
            copies: self.grid.dim(),
        });
        match delay {
            None => work(&simulator),
            Some(delay) => work(&simulator.delayed(delay)),
        }
    }
}

#[pymethods]
impl Trajectories {
    #[new]
    fn new(grid: &Grid, name: &str, given: Sampled) -> PyResult<Self> {
        Ok(Self {
            grid: grid.0.clone(),
            flow: flow(name)?,
            given,
        })
    }

    /// Simulates once. Returns the density, or the reason why these parameters cannot be simulated.
    fn simulate<'py>(&self, theta: &Bound<'py, PyAny>, seed: u64) -> PyResult<Bound<'py, PyAny>> {
        let py = theta.py();
        let theta = vector("theta", theta)?;
        let simulated = py.detach(|| self.with(|simulator| simulator.simulate(&theta, seed)));
        match simulated.map_err(raise)? {
            Simulated::Rejected(reason) => Ok(PyString::new(py, &in_python(&reason)).into_any()),
            Simulated::Data(density) => {
                let axes = self.grid.axes().iter().map(|axis| axis.cells);
                let shape: Vec<usize> = axes.collect();
                Ok(density.into_pyarray(py).reshape(shape)?.into_any())
            }
        }
    }
}
