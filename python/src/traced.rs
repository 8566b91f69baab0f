//! Models whose functions were traced in Python: dynamics, equations and formulas.

use std::sync::Arc;

use pullback::automatic::{Automatic, Curve, Equation, Formula, Scalar};
use pullback::evolution::{Dynamics, Evolution, Experiment};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::dynamics::method;
use crate::error::raise;
use crate::program::Program;
use crate::ready::ReadyModel;

/// Dynamics whose functions are programs.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Traced {
    dims: (usize, usize),
    rate: Program,
    initial: Program,
    observe: Option<Program>,
    /// Functions of events, and the states after their jumps.
    events: Vec<(Program, Program)>,
    algebraic: Vec<bool>,
}

impl Traced {
    /// Checks that every function has as many values, and uses as many arguments, as the dimensions say.
    fn check(&self) -> PyResult<()> {
        let (n, p) = self.dims;
        let events = self.events.iter();
        let mut sized = events.flat_map(|(event, jump)| [(event, 1), (jump, n)]);
        let sound = |program: &Program, values: usize, states: usize| {
            program.outputs() == values && program.fits(states, p)
        };
        let observed = self.observe.as_ref().is_none_or(|o| o.fits(n, p));
        let fits = sound(&self.rate, n, n)
            && sound(&self.initial, n, 0)
            && self.algebraic.len() == n
            && sized.all(|(program, values)| sound(program, values, n));
        match observed && fits {
            true => Ok(()),
            false => Err(PyValueError::new_err(
                "a traced function does not fit the dimensions of the dynamics",
            )),
        }
    }
}

impl Dynamics for Traced {
    fn dims(&self) -> (usize, usize) {
        self.dims
    }

    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        self.rate.evaluate(t, x, theta, out);
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        self.initial.evaluate(0.0, &[], theta, out);
    }

    fn outputs(&self) -> usize {
        self.observe.as_ref().map_or(self.dims.0, Program::outputs)
    }

    fn observe<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        match &self.observe {
            Some(program) => program.evaluate(t, x, theta, out),
            None => out.copy_from_slice(x),
        }
    }

    fn is_algebraic(&self, i: usize) -> bool {
        self.algebraic[i]
    }

    fn events(&self) -> usize {
        self.events.len()
    }

    fn event<S: Scalar>(&self, index: usize, t: f64, x: &[S], theta: &[S]) -> S {
        let mut value = [S::from(f64::NAN)];
        self.events[index].0.evaluate(t, x, theta, &mut value);
        value[0]
    }

    fn jump<S: Scalar>(&self, index: usize, t: f64, x: &mut [S], theta: &[S]) {
        let before = x.to_vec();
        self.events[index].1.evaluate(t, &before, theta, x);
    }
}

/// Values of entries of the parameters.
type Inputs = Vec<(usize, f64)>;

/// Experiment as Python describes it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Described {
    name: String,
    start: f64,
    times: Vec<f64>,
    given: Inputs,
    own: Vec<(usize, usize)>,
    changes: Vec<(f64, Inputs)>,
    rested: Option<Inputs>,
}

impl From<Described> for Experiment {
    fn from(described: Described) -> Self {
        let experiment = Experiment::new(described.times).named(&described.name);
        let mut experiment = experiment.start(described.start);
        for (entry, parameter) in described.own {
            experiment = experiment.own(entry, parameter);
        }
        for (entry, value) in described.given {
            experiment = experiment.given(entry, value);
        }
        for (t, inputs) in described.changes {
            experiment = experiment.from(t, &inputs);
        }
        match described.rested {
            Some(inputs) => experiment.rested(&inputs),
            None => experiment,
        }
    }
}

/// How steps are taken.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Steps {
    method: String,
    accuracy: Option<(f64, Vec<f64>)>,
    most: Option<usize>,
    every: Option<f64>,
    memory: Option<usize>,
    /// Parameters at which the steps are chosen for good.
    kept: Option<Vec<f64>>,
}

impl Steps {
    fn applied(self, mut model: Evolution<Traced>) -> PyResult<Evolution<Traced>> {
        model = model.method(method(&self.method)?);
        if let Some((relative, absolute)) = self.accuracy {
            model = model.accuracy(relative, &absolute).map_err(raise)?;
        }
        if let Some(most) = self.most {
            model = model.most_steps(most);
        }
        if let Some(bytes) = self.memory {
            model = model.memory(bytes);
        }
        if let Some(length) = self.every {
            model = model.every(length).map_err(raise)?;
        }
        match self.kept {
            Some(theta) => model.keep_steps(&theta).map_err(raise),
            None => Ok(model),
        }
    }
}

/// Evolution of traced dynamics.
#[pyclass(frozen, module = "pullback")]
pub(crate) struct TracedEvolution(pub(crate) Arc<Evolution<Traced>>);

#[pymethods]
impl TracedEvolution {
    #[new]
    fn new(
        py: Python<'_>,
        dynamics: Traced,
        experiments: Vec<Described>,
        steps: Steps,
    ) -> PyResult<Self> {
        dynamics.check()?;
        let experiments = experiments.into_iter().map(Into::into).collect();
        py.detach(|| {
            let model = Evolution::over(dynamics, experiments).map_err(raise)?;
            Ok(Self(Arc::new(steps.applied(model)?)))
        })
    }

    /// Returns the model, whose state has this shape.
    fn model(&self, shape: Vec<usize>) -> ReadyModel {
        ReadyModel::shared(Arc::clone(&self.0) as _, shape)
    }
}

/// Equations g(ρ, θ) = 0 whose residual is a program, with a guess for ρ.
struct Residual {
    dims: (usize, usize),
    residual: Program,
    guess: Program,
}

impl Equation for Residual {
    fn dims(&self) -> (usize, usize) {
        self.dims
    }

    fn residual<S: Scalar>(&self, rho: &[S], theta: &[S], out: &mut [S]) {
        self.residual.evaluate(0.0, rho, theta, out);
    }

    fn guess(&self, theta: &[f64]) -> Vec<f64> {
        let mut guess = vec![0.0; self.dims.0];
        self.guess.evaluate(0.0, &[], theta, &mut guess);
        guess
    }
}

/// Formula ρ = F(θ) that is a program.
struct Values {
    parameters: usize,
    values: Program,
}

impl Formula for Values {
    fn dims(&self) -> (usize, usize) {
        (self.values.outputs(), self.parameters)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        self.values.evaluate(0.0, &[], theta, out);
    }
}

/// Creates the model of equations for the state and parameters of these numbers.
#[pyfunction]
pub(crate) fn traced_equations(
    dims: (usize, usize),
    residual: Program,
    guess: Program,
    shape: Vec<usize>,
) -> PyResult<ReadyModel> {
    let (k, p) = dims;
    let sized = residual.outputs() == k && guess.outputs() == k;
    if !(sized && residual.fits(k, p) && guess.fits(0, p)) {
        let text = "a traced function does not fit the numbers of unknowns and parameters";
        return Err(PyValueError::new_err(text));
    }
    let equation = Residual {
        dims,
        residual,
        guess,
    };
    Ok(ReadyModel::new(Automatic::new(equation), shape))
}

/// Creates the model of a formula of this number of parameters.
#[pyfunction]
pub(crate) fn traced_formula(
    parameters: usize,
    values: Program,
    shape: Vec<usize>,
) -> PyResult<ReadyModel> {
    if !values.fits(0, parameters) {
        let text = "a traced formula uses more parameters than there are";
        return Err(PyValueError::new_err(text));
    }
    let formula = Values { parameters, values };
    Ok(ReadyModel::new(Curve::new(formula), shape))
}
