//! Networks.

use std::sync::Arc;

use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pullback::models::{self, Activation};
use pullback::{Model, Result};
use pyo3::prelude::*;

use crate::convert::{matrix, vector};
use crate::error::raise;
use crate::objective::unknown;
use crate::ready::ReadyModel;
use crate::sampled::Sampled;
use crate::threads;
use crate::watch::Watch;

/// Network at its samples.
#[pyclass(frozen, module = "pullback")]
pub(crate) struct CompiledNetwork(Arc<models::Network>);

impl Sampled for models::Network {
    fn sizes(&self) -> [usize; 3] {
        [self.samples(), self.outputs(), self.param_dim()]
    }

    fn model_of(&self, samples: &[usize]) -> Result<Arc<dyn Model + Send + Sync>> {
        Ok(Arc::new(self.subset(samples)?))
    }
}

#[pymethods]
impl CompiledNetwork {
    /// Creates a network with inputs in the columns.
    #[new]
    fn new(
        inputs: &Bound<'_, PyAny>,
        widths: Vec<usize>,
        activation: &str,
        output_scales: Option<Vec<f64>>,
    ) -> PyResult<Self> {
        let activation = match activation {
            "tanh" => Activation::Tanh,
            "relu" => Activation::Relu,
            "softplus" => Activation::Softplus,
            other => return Err(unknown("activation", other, "tanh, relu or softplus")),
        };
        let inputs = matrix("inputs", inputs)?;
        let network = models::Network::new(&inputs, &widths, activation);
        let network = network.and_then(|network| match output_scales {
            Some(scales) => network.output_scales(&scales),
            None => Ok(network),
        });
        Ok(Self(Arc::new(network.map_err(raise)?)))
    }

    /// Returns the model, whose state has the shape samples × outputs.
    fn model(&self) -> ReadyModel {
        let shape = vec![self.0.samples(), self.0.outputs()];
        let model = ReadyModel::shared(Arc::clone(&self.0) as _, shape);
        model.with_samples(Arc::clone(&self.0) as _)
    }

    /// Returns the name of every layer, with the first of its parameters and the one after the last.
    fn layers(&self) -> Vec<(String, usize, usize)> {
        let mut end = 0;
        let group = |group: pullback::curvature::Group| {
            let start = end;
            end += group.members.len();
            (group.name, start, end)
        };
        self.0.layers().into_iter().map(group).collect()
    }

    /// Returns random initial weights.
    fn initial<'py>(&self, py: Python<'py>, seed: u64) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_vec(py, self.0.initial(seed))
    }

    /// Computes the outputs for other inputs, one sample in every column. Returns one row for every sample.
    fn predict<'py>(
        &self,
        theta: &Bound<'py, PyAny>,
        inputs: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let py = theta.py();
        let (theta, inputs) = (vector("theta", theta)?, matrix("inputs", inputs)?);
        let watch = Watch::new();
        let found = threads::run(py, &watch, || self.0.with_inputs(&inputs)?.predict(&theta))?;
        let shape = [inputs.ncols(), self.0.outputs()];
        watch.conclude(found)?.into_pyarray(py).reshape(shape)
    }
}
