//! Evolutions in time for the laws: experiments, rest and a steady state, an algebraic equation, and a field.

use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Evolution, Experiment, Method};
use pullback::models::dynamics::Pendulum;
use pullback::models::{End, fields::Heat};
use pullback::{Grid, Model, random};

/// An amount x₀ that is infused, converted to x₁ by an enzyme, and cleared. θ holds speed and constant of the enzyme, clearance,
/// and the rate of infusion.
pub(crate) struct Conversion;

impl Dynamics for Conversion {
    fn dims(&self) -> (usize, usize) {
        (2, 4)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let converted = theta[0] * x[0] / (theta[1] + x[0]);
        out[0] = theta[3] - converted;
        out[1] = converted - theta[2] * x[1];
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[1] * 2.0;
        out[1] = S::from(0.3);
    }
}

/// Two experiments with an input that changes. The second has a clearance of its own.
fn infusions() -> Vec<Experiment> {
    let times = || (1..=6).map(|i| 0.5 * f64::from(i)).collect();
    vec![
        Experiment::new(times())
            .given(3, 0.7)
            .from(1.2, &[(3, 0.0)]),
        Experiment::new(times()).given(3, 0.2).own(2, 3).start(-0.5),
    ]
}

/// An experiment that starts at rest and is observed until it is at rest again.
fn rest() -> Vec<Experiment> {
    let times = vec![0.5, 1.0, 2.0, f64::INFINITY];
    vec![Experiment::new(times).rested(&[(3, 0.2)]).given(3, 0.6)]
}

/// A model with kept steps, its parameters, and their number.
pub(crate) type Row = (&'static str, Box<dyn Model>, Vec<f64>);

fn row<D: Dynamics + 'static>(
    name: &'static str,
    model: Evolution<D>,
    theta: Vec<f64>,
    memory: Option<usize>,
) -> Row {
    let model = match memory {
        Some(bytes) => model.memory(bytes),
        None => model,
    };
    let model = model.keep_steps(&theta).unwrap();
    (name, Box::new(model), theta)
}

/// Evolutions with kept steps, whose records may take so many bytes.
pub(crate) fn evolutions(memory: Option<usize>) -> Vec<Row> {
    let theta = vec![1.3, 0.8, 0.9, 0.5];
    let infused = Evolution::over(Conversion, infusions()).unwrap();
    let rested = Evolution::over(Conversion, rest()).unwrap();
    let rested = rested.method(Method::ImplicitFifth);
    let times = (1..=5).map(|i| 0.3 * f64::from(i)).collect();
    let pendulum = Evolution::new(Pendulum::unknown_start(), times).unwrap();
    let pendulum = pendulum.method(Method::Implicit);
    let grid = Grid::new(&[(0.0, 1.0, 12)]).unwrap();
    let bar = Heat::new(&grid, vec![0.2; 12]).unwrap();
    let bar = bar.fixed(0, End::Lower, 1.0).unwrap();
    let heat = Evolution::new(bar, vec![0.02, 0.1, 0.4]).unwrap();
    let heat = heat.method(Method::Implicit).accuracy(1e-6, &[1e-6]);
    vec![
        row("experiments", infused, theta.clone(), memory),
        row("rest", rested, theta[..3].to_vec(), memory),
        row("algebraic", pendulum, vec![9.8, 1.2, 0.5, 0.3], memory),
        row("heat", heat.unwrap(), random::normal(12, 1, 0), memory),
    ]
}

/// Evolutions with events, whose second derivatives are unknown.
pub(crate) fn eventful(memory: Option<usize>) -> Vec<Row> {
    let times = vec![0.3, 1.1, 2.4, 3.0];
    let explicit = Evolution::new(Doses, times.clone()).unwrap();
    let implicit = Evolution::new(Doses, times).unwrap();
    let implicit = implicit.method(Method::Implicit);
    let theta = [0.9, 1.4, 0.7, 0.5];
    vec![
        row("explicit events", explicit, theta.to_vec(), memory),
        row("implicit events", implicit, theta.to_vec(), memory),
    ]
}

/// A drug that is cleared at a rate θ₀ that changes with time. A dose θ₁ is given at time θ₂, and whenever the level falls to θ₃.
struct Doses;

impl Dynamics for Doses {
    fn dims(&self) -> (usize, usize) {
        (2, 4)
    }

    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = -theta[0] * x[0] * (1.0 + 0.3 * t.sin());
        out[1] = theta[0] * x[0] - x[1] * x[1];
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[1];
        out[1] = S::from(0.1);
    }

    fn events(&self) -> usize {
        2
    }

    fn event<S: Scalar>(&self, index: usize, t: f64, x: &[S], theta: &[S]) -> S {
        match index {
            0 => -theta[2] + t,
            _ => theta[3] - x[0],
        }
    }

    fn jump<S: Scalar>(&self, _: usize, _: f64, x: &mut [S], theta: &[S]) {
        x[0] += theta[1];
    }
}
