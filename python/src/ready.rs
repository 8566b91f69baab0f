//! Ready models: distributions, densities and flows.

use std::sync::Arc;

use numpy::{IntoPyArray, PyArrayDyn, PyArrayMethods};
use pullback::models::flow::{Chen, Lorenz, Rossler, VanDerPol};
use pullback::models::{Darcy, End, GaussianMixture, InvariantMeasure, Parameter};
use pullback::{Error, Model};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::convert::vector;
use crate::error::raise;
use crate::grid::Grid;
use crate::sampled::Sampled;
use crate::threads;
use crate::watch::{Interruptible, Watch};

/// Model that the library provides, with the shape of its state.
#[pyclass(frozen, module = "pullback", subclass)]
pub(crate) struct ReadyModel {
    pub(crate) model: Arc<dyn Model + Send + Sync>,
    pub(crate) grid: Option<pullback::Grid>,
    /// Samples of the state, if each can be computed without the others.
    pub(crate) samples: Option<Arc<dyn Sampled>>,
    shape: Vec<usize>,
}

impl ReadyModel {
    /// Wraps a model whose state has this shape.
    pub(crate) fn new(model: impl Model + Send + 'static, shape: Vec<usize>) -> Self {
        Self::shared(Arc::new(model), shape)
    }

    /// Wraps a model that has other owners as well.
    pub(crate) fn shared(model: Arc<dyn Model + Send + Sync>, shape: Vec<usize>) -> Self {
        Self {
            model,
            grid: None,
            samples: None,
            shape,
        }
    }

    /// Adds the samples that the state is made of.
    pub(crate) fn with_samples(self, samples: Arc<dyn Sampled>) -> Self {
        Self {
            samples: Some(samples),
            ..self
        }
    }

    /// Wraps a model whose state is a density on a grid.
    fn density(model: impl Model + Send + 'static, grid: &Grid) -> Self {
        Self {
            grid: Some(grid.0.clone()),
            ..Self::new(model, grid.cells_by_axis())
        }
    }
}

#[pymethods]
impl ReadyModel {
    /// Number of entries of the state.
    #[getter]
    fn state_dim(&self) -> usize {
        self.model.state_dim()
    }

    /// Number of parameters.
    #[getter]
    fn param_dim(&self) -> usize {
        self.model.param_dim()
    }

    /// Shape of the state.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.shape)
    }

    /// Grid of the state, if it is a density.
    #[getter]
    fn grid(&self) -> Option<Grid> {
        self.grid.clone().map(Grid)
    }

    /// Whether the state is made of samples, each of which can be computed without the others.
    #[getter]
    fn sampled(&self) -> bool {
        self.samples.is_some()
    }

    /// Computes the state at these parameters.
    fn predict<'py>(&self, theta: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
        let py = theta.py();
        let theta = vector("theta", theta)?;
        let expected = self.model.param_dim();
        if theta.len() != expected {
            let found = theta.len();
            let text =
                format!("theta has {found} entries, but the model has {expected} parameters");
            return Err(PyValueError::new_err(text));
        }
        let watch = Watch::new();
        let solved = threads::run(py, &watch, || {
            let mut rho = vec![0.0; self.model.state_dim()];
            let backend = Interruptible::new(&watch);
            self.model.solve(&theta, &mut rho, &backend).map(|()| rho)
        })?;
        watch
            .conclude(solved)?
            .into_pyarray(py)
            .reshape(self.shape.clone())
    }
}

/// Reads a parameter of a mixture: ("weight", c), ("mean", c, axis), ("variance", c) or ("variance", c, axis).
fn parameter(free: (String, usize, Option<usize>)) -> PyResult<Parameter> {
    let (kind, c, axis) = free;
    match (kind.as_str(), axis) {
        ("weight", None) => Ok(Parameter::Weight(c)),
        ("mean", Some(axis)) => Ok(Parameter::Mean(c, axis)),
        ("variance", None) => Ok(Parameter::Variance(c)),
        ("variance", Some(axis)) => Ok(Parameter::AxisVariance(c, axis)),
        _ => Err(PyValueError::new_err(
            "free: give ('weight', component), ('mean', component, axis), ('variance', component) or ('variance', component, axis)",
        )),
    }
}

type Component = (f64, Vec<f64>, Vec<f64>);

/// Creates a mixture, and returns it with the values of the free parameters.
#[pyfunction]
pub(crate) fn gaussian_mixture(
    grid: &Grid,
    components: Vec<Component>,
    free: Vec<(String, usize, Option<usize>)>,
) -> PyResult<(ReadyModel, Vec<f64>)> {
    let mut mixture = GaussianMixture::new(&grid.0);
    for (weight, mean, variances) in components {
        mixture = mixture.diagonal_component(weight, &mean, &variances);
    }
    let free: Vec<Parameter> = free.into_iter().map(parameter).collect::<PyResult<_>>()?;
    let mixture = mixture.free(&free).map_err(raise)?;
    let start = mixture.parameters();
    Ok((ReadyModel::density(mixture, grid), start))
}

/// Creates the invariant measure of a flow by its name.
#[pyfunction]
pub(crate) fn invariant_measure(
    grid: &Grid,
    flow: &str,
    diffusion: f64,
    teleportation: f64,
) -> PyResult<ReadyModel> {
    let measure = match flow {
        "lorenz" => InvariantMeasure::new(&grid.0, Lorenz),
        "rossler" => InvariantMeasure::new(&grid.0, Rossler),
        "chen" => InvariantMeasure::new(&grid.0, Chen),
        "van_der_pol" => InvariantMeasure::new(&grid.0, VanDerPol),
        _ => {
            let text =
                format!("flow: no flow '{flow}'; choose lorenz, rossler, chen or van_der_pol");
            return Err(PyValueError::new_err(text));
        }
    };
    let measure = measure.and_then(|m| m.diffusion(diffusion)?.teleportation(teleportation));
    Ok(ReadyModel::density(measure.map_err(raise)?, grid))
}

/// Condition on a side of a box: axis, end ("lower" or "upper"), kind ("pressure" or "inflow"), value.
type Side = (usize, String, String, f64);

fn with_side(darcy: Darcy, (axis, end, kind, value): Side) -> PyResult<Darcy> {
    let end = match end.as_str() {
        "lower" => End::Lower,
        "upper" => End::Upper,
        _ => {
            return Err(PyValueError::new_err(format!(
                "no end '{end}'; choose lower or upper"
            )));
        }
    };
    let darcy: Result<Darcy, Error> = match kind.as_str() {
        "pressure" => darcy.pressure(axis, end, value),
        _ => darcy.inflow(axis, end, value),
    };
    darcy.map_err(raise)
}

/// Creates a porous medium with these conditions on its sides, and one experiment per source.
#[pyfunction]
pub(crate) fn darcy(grid: &Grid, sides: Vec<Side>, sources: Vec<Vec<f64>>) -> PyResult<ReadyModel> {
    let mut darcy = Darcy::new(&grid.0).map_err(raise)?;
    for side in sides {
        darcy = with_side(darcy, side)?;
    }
    for source in sources {
        darcy = darcy.source(source).map_err(raise)?;
    }
    let mut shape = grid.cells_by_axis();
    if darcy.experiments() > 1 {
        shape.insert(0, darcy.experiments());
    }
    Ok(ReadyModel::new(darcy, shape))
}
