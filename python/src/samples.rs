//! Models of clouds of points, whose functions were traced in Python: maps of random draws, and stochastic differential equations.

use pullback::automatic::Scalar;
use pullback::models::{Diffusion, Draws, Map, Paths, PushForward, Scheme};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::raise;
use crate::objective::unknown;
use crate::program::Program;
use crate::ready::ReadyModel;

/// How particles are drawn.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Drawing {
    count: usize,
    seed: u64,
    antithetic: bool,
    whitened: bool,
    /// Draws that are given instead, or starts of paths, one after the other.
    given: Option<Vec<f64>>,
}

impl Drawing {
    /// Returns draws of this length. `white` makes those that are whitened, in pairs if its last argument is true.
    fn draws(
        self,
        latent: usize,
        white: impl FnOnce(usize, u64, bool) -> pullback::Result<Draws>,
    ) -> PyResult<Draws> {
        let draws = match (self.given, self.antithetic || self.whitened) {
            (Some(values), _) => Draws::given(latent, values),
            (None, true) => white(self.count, self.seed, self.antithetic),
            (None, false) => Draws::raw(self.count, latent, self.seed),
        };
        draws.map_err(raise)
    }
}

/// Returns the error of programs that do not fit their dimensions.
fn unfit() -> PyErr {
    PyValueError::new_err("a traced function does not fit the dimensions of the model")
}

/// Map x = T(z; θ) that is a program, with z in place of the state.
struct Image {
    dims: (usize, usize, usize),
    map: Program,
}

impl Map for Image {
    fn dims(&self) -> (usize, usize, usize) {
        self.dims
    }

    fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
        let z: Vec<S> = z.iter().map(|z| S::from(*z)).collect();
        self.map.evaluate(0.0, &z, theta, x);
    }
}

/// Creates the model of a map with draws and parameters of these lengths.
#[pyfunction]
pub(crate) fn push_forward(
    py: Python<'_>,
    dims: (usize, usize),
    map: Program,
    drawing: Drawing,
) -> PyResult<ReadyModel> {
    let (latent, parameters) = dims;
    if !map.fits(latent, parameters) {
        return Err(unfit());
    }
    let space = map.outputs();
    let dims = (latent, space, parameters);
    py.detach(|| {
        let draws = drawing.draws(latent, |count, seed, pairs| match pairs {
            true => Draws::antithetic(count, latent, seed),
            false => Draws::normal(count, latent, seed),
        })?;
        let shape = vec![draws.count(), space];
        let model = PushForward::new(Image { dims, map }, draws).map_err(raise)?;
        Ok(ReadyModel::new(model, shape))
    })
}

/// Stochastic differential equation whose functions are programs.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Equation {
    /// Lengths of x, of the noise, and of θ.
    dims: (usize, usize, usize),
    /// Number of normal numbers of the start.
    random: usize,
    start: Program,
    drift: Program,
    /// Noise, d entries for each.
    noise: Program,
}

impl Equation {
    fn check(&self) -> PyResult<()> {
        let (d, m, p) = self.dims;
        let sound = |program: &Program, values: usize, states: usize| {
            program.outputs() == values && program.fits(states, p)
        };
        let fits = sound(&self.start, d, self.random)
            && sound(&self.drift, d, d)
            && sound(&self.noise, d * m, d);
        fits.then_some(()).ok_or_else(unfit)
    }
}

impl Diffusion for Equation {
    fn dims(&self) -> (usize, usize, usize) {
        self.dims
    }

    fn start_dim(&self) -> usize {
        self.random
    }

    fn start<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
        let z: Vec<S> = z.iter().map(|z| S::from(*z)).collect();
        self.start.evaluate(0.0, &z, theta, x);
    }

    fn drift<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        self.drift.evaluate(t, x, theta, out);
    }

    fn noise<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        self.noise.evaluate(t, x, theta, out);
    }
}

/// Times of observation, length of the steps, and name of the method.
type Observed = (Vec<f64>, f64, String);

/// Creates the model of an ensemble of paths of an equation.
#[pyfunction]
pub(crate) fn diffusion(
    py: Python<'_>,
    equation: Equation,
    observed: Observed,
    drawing: Drawing,
) -> PyResult<ReadyModel> {
    equation.check()?;
    let (times, step, scheme) = observed;
    let scheme = match scheme.as_str() {
        "euler_maruyama" => Scheme::EulerMaruyama,
        "milstein" => Scheme::Milstein,
        other => return Err(unknown("scheme", other, "euler_maruyama or milstein")),
    };
    py.detach(|| {
        let space = equation.dims.0;
        let paths = Paths::new(equation, &times, step).map_err(raise)?;
        let paths = paths.scheme(scheme);
        let (latent, ..) = paths.dims();
        let draws = match &drawing.given {
            Some(starts) => paths.draws_from(starts, drawing.seed).map_err(raise)?,
            None => drawing.draws(latent, |count, seed, pairs| match pairs {
                true => paths.antithetic(count, seed),
                false => paths.draws(count, seed),
            })?,
        };
        let shape = vec![times.len(), draws.count(), space];
        let model = PushForward::new(paths, draws).map_err(raise)?;
        Ok(ReadyModel::new(model, shape))
    })
}
