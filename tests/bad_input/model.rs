//! Models that break their contract lead to errors that name what is wrong.

use crate::support::bad::{check, row};
use pullback::faer::{Mat, mat};
use pullback::loss::L2Misfit;
use pullback::model::Newton;
use pullback::{Backend, Descent, Grid, Model, Operator, Result};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// What a model may get wrong.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Residual,
    StateEntries,
    StateShape,
    ParamEntries,
    ParamShape,
    State,
    Singular,
    NoRoot,
}

/// 2ρ = θ with one fault.
struct Faulty(Fault);

impl Model for Faulty {
    fn state_dim(&self) -> usize {
        4
    }
    fn param_dim(&self) -> usize {
        4
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = match self.0 {
                Fault::Residual => NAN,
                Fault::NoRoot => rho[i] * rho[i] + 1.0,
                Fault::Singular => theta[i],
                _ => 2.0 * rho[i] - theta[i],
            };
        }
    }
    fn state_jacobian<'a>(&'a self, rho: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        let entry = |r: &f64| match self.0 {
            Fault::StateEntries => NAN,
            Fault::NoRoot => 2.0 * r,
            Fault::Singular => 0.0,
            _ => 2.0,
        };
        let entries: Vec<f64> = rho.iter().map(entry).collect();
        match self.0 {
            Fault::StateShape => Operator::dense(Mat::zeros(3, 4)),
            _ => Operator::diagonal(entries),
        }
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        match self.0 {
            Fault::ParamEntries => Operator::diagonal(vec![INF; 4]),
            Fault::ParamShape => Operator::dense(Mat::zeros(4, 3)),
            _ => Operator::diagonal(vec![-1.0; 4]),
        }
    }
    fn guess(&self, _: &[f64]) -> Vec<f64> {
        vec![0.7; 4]
    }
    fn solve(&self, theta: &[f64], rho: &mut [f64], backend: &dyn Backend) -> Result<()> {
        if self.0 == Fault::State {
            rho.fill(NAN);
            return Ok(());
        }
        rho.copy_from_slice(&self.guess(theta));
        Newton::default().solve(self, theta, rho, backend)
    }
}

fn misfit() -> L2Misfit {
    L2Misfit::new(&Grid::new(&[(0.0, 1.0, 4)]).unwrap(), vec![1.0; 4]).unwrap()
}

#[test]
fn models() {
    let run = |fault| Descent::new(&Faulty(fault), &misfit()).run(&[1.0; 4], |_| ());
    check(vec![
        row("g", "NotFinite", "the residual g(ρ, θ)", move || {
            run(Fault::Residual)
        }),
        row("A", "NotFinite", "∂g/∂ρ", move || {
            run(Fault::StateEntries)
        }),
        row("A shape", "Dimension", "∂g/∂ρ", move || {
            run(Fault::StateShape)
        }),
        row("C", "NotFinite", "∂g/∂θ", move || {
            run(Fault::ParamEntries)
        }),
        row("C shape", "Dimension", "∂g/∂θ", move || {
            run(Fault::ParamShape)
        }),
        row("ρ", "NotFinite", "the state ρ(θ)", move || {
            run(Fault::State)
        }),
        row("no inverse", "SingularJacobian", "`guess`", move || {
            run(Fault::Singular)
        }),
        row("no root", "Newton", "`verify::model`", move || {
            run(Fault::NoRoot)
        }),
    ]);
}

/// The guess of a model with the default `solve`.
struct ShortGuess;

impl Model for ShortGuess {
    fn state_dim(&self) -> usize {
        2
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        (0..2).for_each(|i| out[i] = rho[i] - theta[0]);
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::diagonal(vec![1.0; 2])
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(mat![[-1.0], [-1.0]])
    }
    fn guess(&self, _: &[f64]) -> Vec<f64> {
        vec![1.0]
    }
}

#[test]
fn a_guess_of_the_wrong_length() {
    let loss = L2Misfit::new(&Grid::new(&[(0.0, 1.0, 2)]).unwrap(), vec![1.0; 2]).unwrap();
    check(vec![row("guess", "Dimension", "guess", || {
        Descent::new(&ShortGuess, &loss).run(&[1.0], |_| ())
    })]);
}
