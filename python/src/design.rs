//! Optimal designs of experiments.

use std::sync::Arc;

use numpy::{PyArray1, PyArray2};
use pullback::Linearisation;
use pullback::design::{Candidates, Criterion};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{matrix, to_array, vector};
use crate::descend::model_of;
use crate::error::raise;
use crate::threads;
use crate::watch::{Interruptible, Watch};

/// What a design is for.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Purpose {
    criterion: String,
    /// Number of rows of a candidate.
    group: usize,
    units: Option<Vec<f64>>,
    /// Number of candidates to choose, or None for weights of all.
    count: Option<usize>,
}

impl Purpose {
    fn criterion(&self) -> PyResult<Criterion> {
        match self.criterion.as_str() {
            "D" => Ok(Criterion::D),
            "A" => Ok(Criterion::A),
            "E" => Ok(Criterion::E),
            other => {
                let text = format!("criterion: no '{other}'; choose D, A or E");
                Err(PyValueError::new_err(text))
            }
        }
    }
}

/// Computes the best weights of candidates, or chooses some of them, by their Jacobian and the deviations of the noise.
#[pyfunction]
pub(crate) fn design<'py>(
    jacobian: &Bound<'py, PyAny>,
    deviations: &Bound<'py, PyAny>,
    prior: Option<&Bound<'py, PyAny>>,
    purpose: Purpose,
) -> PyResult<Bound<'py, PyDict>> {
    let py = jacobian.py();
    let rows = matrix("the Jacobian", jacobian)?;
    let criterion = purpose.criterion()?;
    let candidates = Candidates::new(rows.as_ref(), &vector("sigma", deviations)?);
    let mut candidates = candidates
        .and_then(|c| c.grouped(purpose.group))
        .map_err(raise)?;
    if let Some(prior) = prior {
        let precision = matrix("prior", prior)?;
        candidates = candidates.prior(precision.as_ref()).map_err(raise)?;
    }
    if let Some(units) = &purpose.units {
        candidates = candidates.units(units).map_err(raise)?;
    }
    let found = PyDict::new(py);
    match purpose.count {
        None => {
            let design = py.detach(|| candidates.weights(criterion)).map_err(raise)?;
            found.set_item("weights", PyArray1::from_slice(py, &design.weights))?;
            found.set_item("value", design.value)?;
            found.set_item("efficiency", design.efficiency)?;
            found.set_item("table", design.to_string())?;
        }
        Some(count) => {
            let choice = py.detach(|| candidates.choose(count, criterion));
            let choice = choice.map_err(raise)?;
            found.set_item("chosen", PyArray1::from_slice(py, &choice.chosen))?;
            found.set_item("value", choice.value)?;
            found.set_item("efficiency", choice.efficiency)?;
        }
    }
    Ok(found)
}

/// Computes the derivative of the state of a model by its parameters.
#[pyfunction]
pub(crate) fn derivative<'py>(
    model: &Bound<'py, PyAny>,
    theta: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let py = model.py();
    let watch = Arc::new(Watch::new());
    let (inner, _) = model_of(model, &watch)?;
    let theta = vector("theta", theta)?;
    let found = threads::run(py, &watch, || {
        let mut rho = vec![0.0; inner.state_dim()];
        let backend = Interruptible::new(&watch);
        inner.solve(&theta, &mut rho, &backend)?;
        let z = Linearisation::new(inner.as_ref(), &rho, &theta, &backend)?;
        z.matrix().cloned()
    })?;
    to_array(py, watch.conclude(found)?.as_ref())
}
