//! Ready dynamics, observed at given times.

use pullback::Result;
use pullback::evolution::{Dynamics, Evolution, Method};
use pullback::models::dynamics::{
    Epidemic, FitzHughNagumo, Goodwin, JakStat, Lorenz, LotkaVolterra, Pendulum, Robertson,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::raise;
use crate::ready::ReadyModel;

/// Returns a method by its name.
pub(crate) fn method(name: &str) -> PyResult<Method> {
    match name {
        "explicit" => Ok(Method::Explicit),
        "implicit" => Ok(Method::Implicit),
        "implicit5" => Ok(Method::ImplicitFifth),
        other => Err(PyValueError::new_err(format!(
            "method: no method '{other}'; choose explicit, implicit or implicit5"
        ))),
    }
}

/// How an evolution is observed and integrated.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Plan {
    times: Vec<f64>,
    method: String,
    accuracy: Option<(f64, Vec<f64>)>,
}

impl Plan {
    /// Creates the model of dynamics with this number of observations at every time.
    fn model<D: Dynamics + Send + 'static>(self, dynamics: D) -> PyResult<ReadyModel> {
        let shape = vec![self.times.len(), dynamics.outputs()];
        let model = Evolution::new(dynamics, self.times)
            .map_err(raise)?
            .method(method(&self.method)?);
        let model = match self.accuracy {
            None => model,
            Some((relative, absolute)) => model.accuracy(relative, &absolute).map_err(raise)?,
        };
        Ok(ReadyModel::new(model, shape))
    }
}

/// Initial values, or None if they are parameters.
type Start = Option<Vec<f64>>;

/// Returns the dynamics with a given or an unknown start of N numbers.
fn started<D, const N: usize>(
    start: Start,
    given: impl Fn([f64; N]) -> Result<D>,
    unknown: impl Fn() -> D,
) -> PyResult<D> {
    let Some(values) = start else {
        return Ok(unknown());
    };
    let found = values.len();
    let Ok(values) = <[f64; N]>::try_from(values) else {
        let text = format!("start has {found} entries, but {N} are needed");
        return Err(PyValueError::new_err(text));
    };
    given(values).map_err(raise)
}

/// Creates dynamics by their name.
#[pyfunction]
pub(crate) fn evolution(name: &str, start: Start, plan: Plan) -> PyResult<ReadyModel> {
    match name {
        "lotka_volterra" => plan.model(started(
            start,
            LotkaVolterra::new,
            LotkaVolterra::unknown_start,
        )?),
        "fitzhugh_nagumo" => plan.model(started(
            start,
            FitzHughNagumo::new,
            FitzHughNagumo::unknown_start,
        )?),
        "robertson" => plan.model(started(start, Robertson::new, Robertson::unknown_start)?),
        "goodwin" => plan.model(started(start, Goodwin::new, Goodwin::unknown_start)?),
        "lorenz" => plan.model(started(start, Lorenz::new, Lorenz::unknown_start)?),
        "pendulum" => {
            let given = |[angle, velocity]: [f64; 2]| Pendulum::new(angle, velocity);
            plan.model(started(start, given, Pendulum::unknown_start)?)
        }
        "jak_stat" => plan.model(JakStat),
        other => Err(PyValueError::new_err(format!("no dynamics '{other}'"))),
    }
}

/// Creates an epidemic. Without a number of infectious people at the start, it is a parameter.
#[pyfunction]
pub(crate) fn epidemic(
    population: f64,
    infectious: Option<f64>,
    latent: bool,
    observe: &str,
    plan: Plan,
) -> PyResult<ReadyModel> {
    let create = match latent {
        true => Epidemic::seir,
        false => Epidemic::sir,
    };
    let mut epidemic = create(population, infectious.unwrap_or(0.0)).map_err(raise)?;
    if infectious.is_none() {
        epidemic = epidemic.unknown_start();
    }
    match observe {
        "compartments" => plan.model(epidemic),
        "prevalence" => plan.model(epidemic.prevalence()),
        "incidence" => plan.model(epidemic.incidence()),
        other => Err(PyValueError::new_err(format!(
            "observe: no quantity '{other}'; choose compartments, prevalence or incidence"
        ))),
    }
}
