//! Losses and transforms by name.

use std::sync::Arc;

use pullback::loss::{
    Divergence, L2Misfit, Observations, Penalty, Predictive, Robust, SobolevMisfit,
};
use pullback::{Noise, Transform};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::clouds::Clouds;
use crate::convert::{Form, matrix, vector};
use crate::counted::{Counted, Divergent};
use crate::error::raise;
use crate::grid::Grid;
use crate::sampled::{Labels, Separable, Single};
use crate::transport::transport;
use crate::watch::Watch;
use crate::word::Word;

/// Returns the error of a word that is not among the choices.
pub(crate) fn unknown(argument: &str, word: &str, choices: &str) -> PyErr {
    PyValueError::new_err(format!("{argument}: no '{word}'; choose {choices}"))
}

/// Loss on states.
#[pyclass(frozen, module = "pullback")]
pub(crate) struct Loss {
    pub(crate) loss: Arc<dyn pullback::Loss + Send + Sync>,
    /// Whether the noise of the data is unknown, so that the residual has to estimate it.
    pub(crate) estimates_noise: bool,
    /// Reason why the loss gives no standard errors.
    pub(crate) without_errors: Option<String>,
    /// The loss as the likelihood of data of known noise, if it is one whose information is known.
    pub(crate) likelihood: Option<Arc<dyn Predictive + Send + Sync>>,
    /// Clouds of points that the state is compared with, if it is clouds.
    pub(crate) clouds: Option<Clouds>,
    /// Sum over samples that the loss is, if it is one.
    pub(crate) sum: Option<Arc<dyn Separable>>,
}

impl Loss {
    /// Returns a loss whose noise, if it has any, is known.
    pub(crate) fn known(loss: impl pullback::Loss + Send + 'static) -> Self {
        Self::shared(Arc::new(loss))
    }

    fn shared(loss: Arc<dyn pullback::Loss + Send + Sync>) -> Self {
        Self {
            loss,
            estimates_noise: false,
            without_errors: None,
            likelihood: None,
            clouds: None,
            sum: None,
        }
    }

    /// Returns a likelihood of data of known noise.
    pub(crate) fn likelihood(likelihood: impl Predictive + Send + 'static) -> Self {
        let likelihood: Arc<dyn Predictive + Send + Sync> = Arc::new(likelihood);
        Self {
            likelihood: Some(Arc::clone(&likelihood)),
            ..Self::shared(likelihood)
        }
    }

    /// Returns a distance between densities, which is no likelihood.
    pub(crate) fn distance(kind: &str, loss: impl pullback::Loss + Send + 'static) -> Self {
        let reason = format!(
            "the loss '{kind}' is no likelihood of data, so that its curvature does not tell errors"
        );
        Self {
            without_errors: Some(reason),
            ..Self::known(loss)
        }
    }

    /// Returns the misfit of data whose noise is unknown.
    fn of_unknown_noise(loss: impl pullback::Loss + Send + 'static) -> Self {
        Self {
            estimates_noise: true,
            ..Self::known(loss)
        }
    }
}

#[pymethods]
impl Loss {
    /// Returns why there can be no errors, with priors or without.
    fn no_errors(&self, priors: bool) -> Option<String> {
        let unknown = self.estimates_noise && self.loss.data().is_some();
        let text = "with a prior the noise must be known: give sigma (sigma=1 weighs data and prior as they are)";
        match &self.without_errors {
            None if priors && unknown => Some(text.into()),
            reason => reason.clone(),
        }
    }

    /// Whether the loss is a sum over samples.
    #[getter]
    fn separable(&self) -> bool {
        self.sum.is_some()
    }

    /// Computes the loss of a state.
    fn value(&self, rho: &Bound<'_, PyAny>) -> PyResult<f64> {
        let rho = vector("rho", rho)?;
        self.loss.check(&rho).map_err(raise)?;
        Ok(self.loss.value(&rho))
    }
}

/// What a loss refers to, besides its data.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct LossSettings<'py> {
    grid: Option<PyRef<'py, Grid>>,
    sigma: Option<Bound<'py, PyAny>>,
    observe: Option<Bound<'py, PyAny>>,
    f_scale: Option<f64>,
}

impl LossSettings<'_> {
    pub(crate) fn grid(&self, kind: &str) -> PyResult<&pullback::Grid> {
        let grid = self.grid.as_ref().map(|grid| &grid.0);
        let text = || format!("grid: the loss '{kind}' compares densities; give their grid");
        grid.ok_or_else(|| PyValueError::new_err(text()))
    }

    /// Returns the noise of this number of data.
    fn noise(&self, count: usize) -> PyResult<Noise> {
        match &self.sigma {
            None => Noise::uniform(count, 1.0).map_err(raise),
            Some(sigma) => noise(sigma, count),
        }
    }

    /// Returns the data as a sum over samples, if each belongs to one value and has noise of its own.
    fn sum(
        &self,
        data: Vec<f64>,
        penalty: Option<(Penalty, f64)>,
    ) -> PyResult<Option<Arc<dyn Separable>>> {
        if self.observe.is_some() {
            return Ok(None);
        }
        let deviations = match &self.sigma {
            None => None,
            Some(sigma) => match axes(sigma)? {
                0 => Some(vec![sigma.extract()?; data.len()]),
                1 => Some(vector("sigma", sigma)?),
                _ => return Ok(None),
            },
        };
        Ok(Some(Arc::new(Single {
            data,
            deviations,
            penalty,
        })))
    }

    fn observations(&self, data: Vec<f64>) -> PyResult<Observations> {
        let noise = self.noise(data.len())?;
        let Some(operator) = &self.observe else {
            return Observations::present(&data, &noise).map_err(raise);
        };
        let operator = match operator.cast::<Observation>() {
            Ok(known) => known.get().0.clone(),
            Err(_) => {
                let columns: (usize, usize) = operator.getattr("shape")?.extract()?;
                let shape = (data.len(), columns.1);
                let form = Form { shape, factor: 1.0 };
                form.read("observe", operator, &Arc::new(Watch::new()))?
            }
        };
        Observations::new(operator, data, noise).map_err(raise)
    }

    /// Returns a divergence of densities. It is a likelihood if the number of observations is given.
    fn divergence(&self, word: &Word, make: Divergent, data: Vec<f64>) -> PyResult<Loss> {
        let kind = word.name();
        let [count] = word.options("loss", ["observations"])?;
        let grid = self.grid(kind)?;
        let mass = grid.volume() * data.iter().sum::<f64>();
        let divergence = make(grid, data).map_err(raise)?;
        let Some(count) = count else {
            let reason = format!(
                "the errors depend on the number N of observations behind the data: give loss=('{kind}', N)"
            );
            return Ok(Loss {
                without_errors: Some(reason),
                ..Loss::known(divergence)
            });
        };
        if !(count > 0.0 && count.is_finite()) {
            let text = format!("loss: the number of observations is {count}, but must be positive");
            return Err(PyValueError::new_err(text));
        }
        let counted = Counted::new(kind, divergence, grid, count / mass);
        Ok(Loss::known(counted))
    }

    /// Returns a robust loss with a scale in units of the data, or of their noise, which must then be known.
    fn robust(&self, word: &Word, penalty: Penalty, data: Vec<f64>) -> PyResult<Loss> {
        let [given] = word.options("loss", ["scale"])?;
        if self.f_scale.is_none() && self.sigma.is_none() {
            let text = format!(
                "loss='{}' weighs residuals in units of the noise, which must be known: give sigma",
                word.name()
            );
            return Err(PyValueError::new_err(text));
        }
        let scale = self.f_scale.or(given);
        let scale = scale.unwrap_or(penalty.standard_scale());
        let observations = self.observations(data.clone())?;
        let loss = Robust::new(observations, penalty).and_then(|l| l.scale(scale));
        Ok(Loss {
            sum: self.sum(data, Some((penalty, scale)))?,
            ..Loss::known(loss.map_err(raise)?)
        })
    }

    /// Returns half the sum of squares of residuals.
    fn squares(&self, word: &Word, data: Vec<f64>) -> PyResult<Loss> {
        let [] = word.options("loss", [])?;
        match (&self.grid, &self.sigma, &self.observe) {
            (Some(grid), None, None) => {
                let misfit = L2Misfit::new(&grid.0, data).map_err(raise)?;
                Ok(Loss::of_unknown_noise(misfit))
            }
            (_, sigma, _) => {
                let observations = self.observations(data.clone())?;
                let loss = match sigma {
                    None => Loss::of_unknown_noise(observations),
                    Some(_) => Loss::likelihood(observations),
                };
                let sum = self.sum(data, None)?;
                Ok(Loss { sum, ..loss })
            }
        }
    }

    fn sobolev(&self, word: &Word, data: Vec<f64>) -> PyResult<Loss> {
        let [order] = word.options("loss", ["order"])?;
        let kind = word.name();
        let misfit = SobolevMisfit::new(self.grid(kind)?, order.unwrap_or(-1.0), data);
        Ok(Loss::distance(kind, misfit.map_err(raise)?))
    }
}

/// Reads a standard deviation, one per datum, or a covariance matrix.
pub(crate) fn noise(sigma: &Bound<'_, PyAny>, count: usize) -> PyResult<Noise> {
    if let Ok(deviation) = sigma.extract::<f64>() {
        return Noise::uniform(count, deviation).map_err(raise);
    }
    match axes(sigma)? {
        2 => Noise::full(matrix("sigma", sigma)?).map_err(raise),
        _ => Noise::deviations(vector("sigma", sigma)?).map_err(raise),
    }
}

/// Returns the number of axes of an array, 0 for a number.
fn axes(sigma: &Bound<'_, PyAny>) -> PyResult<usize> {
    let numpy = sigma.py().import("numpy")?;
    numpy.call_method1("ndim", (sigma,))?.extract()
}

/// Names of the losses.
const LOSSES: &str = "l2, sobolev, kullback_leibler, reverse_kullback_leibler, hellinger, chi_squared, transport, \
     marginal_transport, sliced_transport, unbalanced_transport, energy_distance, gaussian_discrepancy, \
     multiquadric_discrepancy, softmax, soft_l1, huber, cauchy or tukey";

/// Creates a loss by its name.
#[pyfunction]
pub(crate) fn loss(
    word: Word,
    data: &Bound<'_, PyAny>,
    settings: LossSettings<'_>,
) -> PyResult<Loss> {
    let data = vector("data", data)?;
    let divergence = |make, data| settings.divergence(&word, make, data);
    match word.name() {
        "l2" => settings.squares(&word, data),
        "sobolev" => settings.sobolev(&word, data),
        "kullback_leibler" => divergence(Divergence::kullback_leibler, data),
        "reverse_kullback_leibler" => divergence(Divergence::reverse_kullback_leibler, data),
        "hellinger" => divergence(Divergence::hellinger, data),
        "chi_squared" => divergence(Divergence::chi_squared, data),
        kind if kind.ends_with("transport") => {
            transport(&word, &settings, data)?.ok_or_else(|| unknown("loss", kind, LOSSES))
        }
        kind => match penalty(kind) {
            Some(penalty) => settings.robust(&word, penalty, data),
            None => Err(unknown("loss", kind, LOSSES)),
        },
    }
}

/// Creates the cross entropy of labels, for a state that holds the logits of this number of classes for every sample.
#[pyfunction]
pub(crate) fn labels_loss(word: Word, classes: usize, labels: Vec<usize>) -> PyResult<Loss> {
    let [weight] = word.options("loss", ["weight"])?;
    let weight = weight.unwrap_or(1.0);
    let loss = Labels::loss(classes, labels.clone(), weight).map_err(raise)?;
    let reason = "samples of the loss 'softmax' have a weight other than 1, so that its curvature does not tell errors";
    Ok(Loss {
        without_errors: (weight != 1.0).then(|| reason.to_string()),
        sum: Some(Arc::new(Labels { labels, weight })),
        ..Loss::likelihood(loss)
    })
}

/// Returns the penalty against outliers of this name.
pub(crate) fn penalty(name: &str) -> Option<Penalty> {
    match name {
        "soft_l1" => Some(Penalty::SoftL1),
        "huber" => Some(Penalty::Huber),
        "cauchy" => Some(Penalty::Cauchy),
        "tukey" => Some(Penalty::Tukey),
        _ => None,
    }
}

/// Linear observation of a state, the argument ``observe`` of `minimize`: `Darcy.observe` returns one.
///
/// >>> import numpy as np, pullback as pb
/// >>> seen = pb.Darcy(pb.Grid([(0.0, 1.0, 8)]), pressure={(0, "lower"): 1.0}).observe([[0.25], [0.5]])
/// >>> seen, seen(np.ones(8)).round(9).tolist()
/// (<Observation: 2 numbers of a state of 8>, [1.0, 1.0])
#[pyclass(frozen, module = "pullback")]
pub(crate) struct Observation(pullback::Operator<'static>);

#[pymethods]
impl Observation {
    /// Number of observations, and of entries of the state.
    #[getter]
    fn shape(&self) -> (usize, usize) {
        self.0.shape()
    }

    /// Computes what is observed of a state.
    fn __call__<'py>(&self, rho: &Bound<'py, PyAny>) -> PyResult<Bound<'py, numpy::PyArray1<f64>>> {
        let seen = self.0.apply_to(pullback::Side::Plain, &vector("rho", rho)?);
        Ok(numpy::PyArray1::from_vec(rho.py(), seen.map_err(raise)?))
    }

    fn __repr__(&self) -> String {
        let (rows, columns) = self.0.shape();
        format!("<Observation: {rows} numbers of a state of {columns}>")
    }
}

/// Returns the interpolation of fields on a grid at these points, for this number of fields.
#[pyfunction]
pub(crate) fn interpolation(
    grid: &Grid,
    points: Vec<Vec<f64>>,
    fields: usize,
) -> PyResult<Observation> {
    let points = grid.0.interpolation(&points).map_err(raise)?;
    Ok(Observation(match fields {
        1 => points,
        _ => pullback::Operator::repeated(points, fields),
    }))
}

/// Returns a transform by its name and the ends of its interval.
pub(crate) fn transform((name, lower, upper): &(String, f64, f64)) -> PyResult<Transform> {
    match name.as_str() {
        "identity" => Ok(Transform::Identity),
        "log" => Ok(Transform::Log),
        "logit" => Ok(Transform::Logit {
            lower: *lower,
            upper: *upper,
        }),
        other => Err(unknown(
            "transforms",
            other,
            "identity, log or ('logit', lower, upper)",
        )),
    }
}
