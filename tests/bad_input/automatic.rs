//! Residuals that cannot be differentiated say which entry and which variable, and what to do.

use crate::support::bad::{check, row};
use pullback::automatic::{self, Automatic, Curve, Equation, Formula, Scalar, Variable};
use pullback::faer::mat;
use pullback::loss::{L2Misfit, Observations, Penalty, Robust};
use pullback::{Cpu, Descent, Model, Noise, Operator, Result};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Equation g = ρ − θ with a fault.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Unwritten,
    Random,
    ReadsValue,
    ReadsValueInABranch,
    InfiniteSlope,
    WithoutUnknown,
    UnknownNowhere,
    NanValue,
}

struct Faulty(Fault, AtomicUsize);

impl Equation for Faulty {
    fn dims(&self) -> (usize, usize) {
        (3, 2)
    }

    fn residual<S: Scalar>(&self, rho: &[S], theta: &[S], g: &mut [S]) {
        for (g, r) in g.iter_mut().zip(rho) {
            *g = *r + r.powi(3) - theta[0];
        }
        match self.0 {
            Fault::None => {}
            Fault::Unwritten => g[2] = S::from(f64::NAN),
            Fault::Random => g[1] += rho[0] * self.1.fetch_add(1, Ordering::Relaxed) as f64,
            Fault::ReadsValue => g[1] += S::from(rho[2].value().sin()) * theta[1],
            Fault::ReadsValueInABranch if rho[0].value() > 0.2 => g[1] += rho[2],
            Fault::ReadsValueInABranch => {}
            Fault::InfiniteSlope => g[2] = (theta[1] - 1.0).sqrt() + rho[2] - theta[0],
            Fault::WithoutUnknown => g[1] = theta[1] - 1.0,
            Fault::UnknownNowhere => g[1] = rho[0] - theta[0],
            Fault::NanValue => g[1] = rho[1] - theta[1].ln(),
        }
    }
}

fn solved(fault: Fault, theta: [f64; 2]) -> Result<Vec<f64>> {
    let model = Automatic::new(Faulty(fault, AtomicUsize::new(0)));
    let mut rho = vec![0.0; 3];
    model.solve(&theta, &mut rho, &Cpu::default())?;
    model.linearise(&rho, &theta, &Cpu::default())?;
    Ok(rho)
}

fn cause(outcome: Result<Vec<f64>>) -> automatic::Error {
    let error = outcome.expect_err("a fault was accepted");
    let cause = error.of::<automatic::Error>();
    cause.unwrap_or_else(|| panic!("{error}")).clone()
}

#[test]
fn faults_of_a_residual_are_named() {
    let at = |fault| cause(solved(fault, [0.5, 1.0]));
    assert_eq!(
        at(Fault::ReadsValue),
        automatic::Error::Lost {
            row: 1,
            variable: Variable::State(2)
        }
    );
    assert!(matches!(
        at(Fault::Random),
        automatic::Error::Unsteady { row: 1 }
    ));
    assert!(matches!(
        at(Fault::InfiniteSlope),
        automatic::Error::NotFinite {
            row: 2,
            variable: Variable::Parameter(1),
            ..
        }
    ));
    assert_eq!(
        at(Fault::WithoutUnknown),
        automatic::Error::WithoutUnknowns { row: 1 }
    );
    assert_eq!(
        at(Fault::UnknownNowhere),
        automatic::Error::Undetermined { index: 1 }
    );
    assert!(solved(Fault::None, [0.5, 1.0]).is_ok());
    assert!(solved(Fault::ReadsValueInABranch, [0.5, 1.0]).is_ok());
}

/// An entry that is not written has no derivative either, which would otherwise look like a constant.
struct Short;

impl Formula for Short {
    fn dims(&self) -> (usize, usize) {
        (3, 1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0];
        out[2] = theta[0] * 2.0;
    }
}

#[test]
fn entries_that_are_not_written_are_named() {
    let error = Curve::new(Short).predict(&[1.0]).unwrap_err();
    let expected = automatic::Error::Unwritten { row: 1 };
    assert_eq!(error.of(), Some(&expected), "{error}");
    assert!(error.to_string().contains("entry 1"));
}

#[test]
fn values_outside_the_domain_are_named() {
    let error = solved(Fault::NanValue, [0.5, -1.0]).unwrap_err();
    assert_eq!(error.kind(), "NotFinite", "{error}");
    let error = solved(Fault::Unwritten, [0.5, 1.0]).unwrap_err();
    assert!(error.to_string().contains("residual"), "{error}");
}

/// A table read by its index, and the same table by `lookup`.
struct Table {
    values: Vec<f64>,
    by_lookup: bool,
}

impl Formula for Table {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        let linear = |x: f64| {
            let i = x as usize;
            let slope = self.values[i + 1] - self.values[i];
            [self.values[i] + slope * (x - i as f64), slope, 0.0]
        };
        out[0] = match self.by_lookup {
            true => theta[0].lookup(linear),
            false => S::from(linear(theta[0].value())[0]),
        };
    }
}

#[test]
fn tables_read_by_value_say_what_to_do() {
    let table = |by_lookup| {
        Curve::new(Table {
            values: vec![1.0, 3.0, 2.0],
            by_lookup,
        })
    };
    let loss = L2Misfit::euclidean(vec![2.0]).unwrap();
    let error = Descent::new(&table(false), &loss)
        .run(&[0.2], |_| ())
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("θ[0]") && text.contains("lookup"), "{text}");
    let report = Descent::new(&table(true), &loss)
        .run(&[0.2], |_| ())
        .unwrap();
    assert!((report.theta[0] - 0.5).abs() < 1e-12, "{report}");
}

#[test]
fn outliers_and_gaps_that_make_no_sense_are_named() {
    let noise = || Noise::uniform(2, 0.1).unwrap();
    let observed = |noise| Observations::new(Operator::identity(2), vec![1.0, 2.0], noise);
    let correlated = || Noise::full(mat![[1.0, 0.5], [0.5, 1.0]]).unwrap();
    let robust = || Robust::new(observed(noise())?, Penalty::Huber);
    check(vec![
        row("correlated", "Option", "correlated data", || {
            Robust::new(observed(correlated())?, Penalty::Huber)
        }),
        row("no scale", "NotPositive", "the scale", || {
            robust()?.scale(0.0)
        }),
        row("a scale of NaN", "NotFinite", "the scale", || {
            robust()?.scale(f64::NAN)
        }),
        row("no data", "Option", "the number of data", || {
            Observations::present(&[f64::NAN; 2], &noise())
        }),
        row("infinite", "NotFinite", "the data", || {
            Observations::present(&[f64::INFINITY, 1.0], &noise())
        }),
        row("too much noise", "Dimension", "the noise", || {
            Observations::present(&[1.0], &noise())
        }),
    ]);
}
