//! Likelihoods of measurements, with families of noise by name.

use pullback::loss::{
    Datum, Family, Likelihood, Measurements as Table, NoiseLevel, NoiseSource, Observable,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::raise;
use crate::objective::Loss;
use crate::traced::TracedEvolution;

/// Name of a family, and the degrees of freedom of Student's distribution.
type Named = (String, Option<f64>);

fn family((name, freedom): &Named) -> PyResult<Family> {
    match (name.as_str(), freedom) {
        ("gaussian", None) => Ok(Family::Gaussian),
        ("laplace", None) => Ok(Family::Laplace),
        ("log_normal", None) => Ok(Family::LogNormal),
        ("log10_normal", None) => Ok(Family::Log10Normal),
        ("student", Some(freedom)) => Ok(Family::Student { freedom: *freedom }),
        _ => Err(PyValueError::new_err(format!(
            "family: no '{name}'; choose gaussian, laplace, log_normal, log10_normal or ('student', degrees of freedom)"
        ))),
    }
}

fn loss(likelihood: Likelihood) -> Loss {
    Loss::likelihood(likelihood)
}

/// Observable of a table: name, family, and its noise level as an output of the model or as a number.
type Seen = (String, Named, Option<usize>, Option<f64>);

/// Table of measurements in long format.
#[pyclass(frozen, module = "pullback")]
pub(crate) struct MeasuredTable(Table);

#[pymethods]
impl MeasuredTable {
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        Ok(Self(Table::parse(text).map_err(raise)?))
    }

    /// Full name, name, name of the condition before the start, and times of every condition.
    #[getter]
    #[allow(clippy::type_complexity)]
    fn conditions(&self) -> Vec<(String, String, Option<String>, Vec<f64>)> {
        let conditions = self.0.conditions().iter();
        conditions
            .map(|c| {
                (
                    c.to_string(),
                    c.name.clone(),
                    c.preequilibration.clone(),
                    c.times.clone(),
                )
            })
            .collect()
    }

    /// Observable, index of the condition, time, value and noise level of every line.
    #[getter]
    fn rows(&self) -> Vec<(String, usize, f64, f64, String)> {
        let rows = self.0.rows().iter();
        rows.map(|row| {
            let time = self.0.conditions()[row.condition].times[row.time];
            let noise = row.noise.clone();
            (
                row.observable.clone(),
                row.condition,
                time,
                row.value,
                noise,
            )
        })
        .collect()
    }

    /// Returns the negative log-likelihood for an evolution.
    fn likelihood(&self, model: &TracedEvolution, observables: Vec<Seen>) -> PyResult<Loss> {
        let observable =
            |(name, kind, output, sigma): &'_ Seen| -> PyResult<(String, Family, NoiseSource)> {
                let noise = match (output, sigma) {
                    (Some(output), _) => NoiseSource::Output(*output),
                    (None, Some(sigma)) => NoiseSource::Given(*sigma),
                    (None, None) => NoiseSource::Column,
                };
                Ok((name.clone(), family(kind)?, noise))
            };
        let known: Vec<_> = observables
            .iter()
            .map(observable)
            .collect::<PyResult<_>>()?;
        let known: Vec<Observable<'_>> = known
            .iter()
            .map(|(name, family, noise)| Observable {
                name,
                family: *family,
                noise: *noise,
            })
            .collect();
        let likelihood = self.0.likelihood(&model.0, &known);
        Ok(loss(likelihood.map_err(raise)?))
    }
}

/// Measured value: entry of its mean, entry of its noise level or that level, value, and number of its family.
type Measured = (usize, Option<usize>, f64, f64, usize);

/// Creates the negative log-likelihood of data whose means and noise levels are entries of the state.
#[pyfunction]
pub(crate) fn likelihood_of(
    entries: usize,
    families: Vec<Named>,
    data: Vec<Measured>,
) -> PyResult<Loss> {
    let families: Vec<Family> = families.iter().map(family).collect::<PyResult<_>>()?;
    let datum = |(mean, entry, sigma, value, kind): Measured| -> PyResult<Datum> {
        let family = families.get(kind).copied();
        Ok(Datum {
            mean,
            noise: entry.map_or(NoiseLevel::Given(sigma), NoiseLevel::Entry),
            value,
            family: family.ok_or_else(|| PyValueError::new_err(format!("no family {kind}")))?,
        })
    };
    let data: Vec<Datum> = data.into_iter().map(datum).collect::<PyResult<_>>()?;
    Ok(loss(Likelihood::present(entries, data).map_err(raise)?))
}
