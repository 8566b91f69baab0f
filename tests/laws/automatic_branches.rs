//! Automatic derivatives at branches: never silently those of another branch.
//!
//! Every row is a function that once had a wrong derivative without an error.

use std::sync::atomic::{AtomicUsize, Ordering};

use pullback::automatic::{Automatic, Curve, Equation, Error, Formula, Scalar, Variable};
use pullback::loss::L2Misfit;
use pullback::{Cpu, Descent, Linearisation, Model, Side, random};
use rayon::prelude::*;

/// Function of θ in one place, generic over the scalar.
macro_rules! formula {
    ($name:ident, $k:expr, $p:expr, |$t:ident, $out:ident| $body:block) => {
        struct $name;
        impl Formula for $name {
            fn dims(&self) -> (usize, usize) {
                ($k, $p)
            }
            fn values<S: Scalar>(&self, $t: &[S], $out: &mut [S]) $body
        }
    };
}

/// Evaluates ∂F/∂θ at all points in turn with one model, and returns the last.
fn last_slopes<F: Formula>(formula: F, points: &[&[f64]]) -> pullback::Result<Vec<Vec<f64>>> {
    let curve = Curve::new(formula);
    let mut last = Vec::new();
    for theta in points {
        let rho = curve.predict(theta)?;
        let z = Linearisation::new(&curve, &rho, theta, Cpu::shared())?;
        let z = z.matrix()?.clone();
        last = (0..z.nrows())
            .map(|i| (0..z.ncols()).map(|j| z[(i, j)]).collect())
            .collect();
    }
    Ok(last)
}

fn error<F: Formula>(formula: F, points: &[&[f64]]) -> Error {
    let failure = last_slopes(formula, points).unwrap_err();
    failure
        .of::<Error>()
        .unwrap_or_else(|| panic!("{failure}"))
        .clone()
}

formula!(Reverse, 1, 101, |t, o| {
    o[0] = t[..50].iter().map(|x| *x * *x).sum::<S>() * 0.01 + 3.0;
    if t[100] > 1.0 {
        o[0] += t[50..100]
            .iter()
            .map(|x| (*x - 1.0) * (*x - 1.0))
            .sum::<S>()
            * 0.01;
    }
});

#[test]
fn a_full_row_grows_behind_a_branch() {
    let slopes = last_slopes(Reverse, &[&[0.5; 101], &[2.0; 101]]).unwrap();
    for (j, slope) in slopes[0].iter().enumerate() {
        let exact = [0.04, 0.02, 0.0][j / 50];
        assert!((slope - exact).abs() < 1e-15, "θ[{j}]: {slope}");
    }
}

/// g = ρ − θ, with Σρ = θ₀ in the first row where θ₀ > 1.
struct Arrow;

impl Equation for Arrow {
    fn dims(&self) -> (usize, usize) {
        (200, 1)
    }

    fn residual<S: Scalar>(&self, rho: &[S], theta: &[S], g: &mut [S]) {
        for (g, r) in g.iter_mut().zip(rho) {
            *g = *r - theta[0];
        }
        g[0] = rho[..60].iter().sum::<S>() - theta[0];
        if theta[0] > 1.0 {
            g[0] = rho.iter().sum::<S>() - theta[0];
        }
    }
}

#[test]
fn a_full_row_among_sparse_ones_grows() {
    let model = Automatic::new(Arrow);
    let rho = random::normal(200, 1, 1);
    for theta in [[0.5], [2.0]] {
        let a = model.state_jacobian(&rho, &theta);
        let sums = a.apply_to(Side::Plain, &vec![1.0; 200]).unwrap();
        assert_eq!(sums[0], if theta[0] > 1.0 { 200.0 } else { 60.0 });
    }
}

formula!(Inner, 1, 2, |t, o| {
    o[0] = (t[0] * t[1]).exp() + t[1];
});

formula!(Outer, 3, 3, |t, o| {
    let (a, inner) = (t[0] * t[1], Curve::new(Inner));
    // The slope of an inner Jacobian, taken while the outer tape is being recorded.
    let b = a.lookup(|x| {
        let at = [x, 1.0];
        let c = inner.param_jacobian(&[0.0], &at);
        let slope = -c
            .apply_to(Side::Plain, &[1.0, 0.0])
            .map_or(f64::NAN, |s| s[0]);
        [x.exp() + 1.0, slope, slope]
    });
    o[0] = b;
    o[1] = t[2] + a;
    o[2] = t[1];
});

#[test]
fn a_model_inside_a_model_has_a_tape_of_its_own() {
    let slopes = last_slopes(Outer, &[&[0.5, 2.0, 3.0]]).unwrap();
    let e = 1.0_f64.exp();
    let exact = [[2.0 * e, 0.5 * e, 0.0], [2.0, 0.5, 1.0], [0.0, 1.0, 0.0]];
    for (row, exact) in slopes.iter().zip(exact) {
        assert!(
            row.iter().zip(exact).all(|(s, x)| (s - x).abs() < 1e-14),
            "{slopes:?}"
        );
    }
}

formula!(Threads, 40, 2, |t, o| {
    o.par_iter_mut()
        .enumerate()
        .for_each(|(i, o)| *o = t[1] * i as f64);
});

#[test]
fn other_threads_are_an_error() {
    assert!(matches!(
        error(Threads, &[&[1.0, 2.0]]),
        Error::Foreign { .. }
    ));
}

formula!(Tiny, 3, 3, |t, o| {
    o[0] = t[0];
    if t[0] > 1.0 {
        o[0] += t[1];
    }
    o[1] = t[1] + t[0];
    o[2] = t[2];
});

#[test]
fn an_entry_of_a_tiny_variable_is_found() {
    let slopes = last_slopes(Tiny, &[&[0.5, 1e-10, 1.0], &[2.0, 1e-10, 1.0]]).unwrap();
    assert_eq!(slopes[0], [1.0, 1.0, 0.0]);
}

formula!(Rare, 2, 4, |t, o| {
    o[0] = t[0] * t[1] * t[2] * t[3];
    o[1] = t[0] + t[1];
});

#[test]
fn products_that_underflow_are_no_disagreement() {
    // The product is a multiple of the smallest number, as are its changes in the units of θ: no digit of them is right.
    let slopes = last_slopes(Rare, &[&[3e-81; 4]]).unwrap();
    assert!(slopes[0].iter().all(|s| (s / 2.7e-242 - 1.0).abs() < 1e-12));
    assert_eq!(slopes[1], [1.0, 1.0, 0.0, 0.0]);
}

formula!(LateValue, 1, 1, |t, o| {
    o[0] = if t[0] < 1.0 {
        t[0]
    } else {
        S::from(t[0].value().powi(2))
    };
});
formula!(Share, 1, 2, |t, o| {
    o[0] = t[0] * 200.0 + S::from(t[1].value().sin());
});
formula!(Late, 5, 2, |t, o| {
    for (i, o) in o.iter_mut().enumerate() {
        let s = if t[1] < 2.0 {
            t[1]
        } else {
            S::from(t[1].value())
        };
        *o = t[0] * (i as f64 + 1.0) * s + t[1];
    }
});
formula!(OnePoint, 1, 2, |t, o| {
    o[0] = if t[0] == 0.0 {
        S::from(0.0)
    } else {
        t[0] * t[1]
    };
});
formula!(Iteration, 3, 1, |t, o| {
    let mut x = S::from(1.0);
    while (x * x - t[0]).abs() > 1e-10 {
        x = (x + t[0] / x) * 0.5;
    }
    for (i, o) in o.iter_mut().enumerate() {
        *o = x * (i as f64 + 1.0);
    }
});

#[test]
fn a_lost_derivative_is_an_error_wherever_it_appears() {
    let lost = |row, j| Error::Lost {
        row,
        variable: Variable::Parameter(j),
    };
    assert_eq!(error(LateValue, &[&[0.5], &[2.0]]), lost(0, 0));
    assert_eq!(error(Share, &[&[1.0, 1.0]]), lost(0, 1));
    assert_eq!(error(Late, &[&[2.0, 1.5], &[1.0, 3.0]]), lost(0, 1));
    let off = |row, j| Error::OffBranch {
        row,
        variable: Variable::Parameter(j),
    };
    assert_eq!(error(OnePoint, &[&[0.0, 3.0]]), off(0, 0));
    assert_eq!(error(Iteration, &[&[1.0]]), off(0, 0));
    // Elsewhere the same functions are differentiated exactly.
    assert_eq!(last_slopes(LateValue, &[&[0.5], &[0.7]]).unwrap(), [[1.0]]);
    assert_eq!(last_slopes(OnePoint, &[&[2.0, 3.0]]).unwrap(), [[3.0, 2.0]]);
    let slopes = last_slopes(Iteration, &[&[4.0]]).unwrap();
    assert!((slopes[2][0] - 0.75).abs() < 1e-9);
}

/// A descent does not claim to have converged where an iteration that has converged cuts the derivative.
#[test]
fn a_descent_names_the_branch() {
    let curve = Curve::new(Iteration);
    let loss = L2Misfit::euclidean(vec![2.0, 4.0, 6.0]).unwrap();
    let failure = Descent::new(&curve, &loss).run(&[1.0], |_| ()).unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("branch that is taken at this point only"),
        "{failure}"
    );
}

formula!(Cube, 1, 1, |t, o| {
    o[0] = t[0].powi(3).cbrt();
});
formula!(Norm, 2, 2, |t, o| {
    o[0] = (t[0] * t[0] + t[1] * t[1]).sqrt();
    o[1] = t[1];
});
formula!(Clipped, 2, 2, |t, o| {
    o[0] = t[0].max(S::from(0.0)).sqrt() + t[1];
    o[1] = S::from(0.0).sqrt() * t[0] + t[0];
});

formula!(Helix, 2, 2, |t, o| {
    let turn = if t[0].value() < 0.0 { 0.5 } else { 0.0 };
    o[0] = t[1] / t[0] + turn;
    o[1] = ((t[0] * t[0] + t[1] * t[1]).sqrt() - 1.0) * 10.0;
});

/// A value that vanishes as the difference of larger terms has their rounding, beside which a tiny derivative is not seen.
#[test]
fn a_tiny_derivative_of_a_cancelling_value_is_not_lost() {
    let slopes = last_slopes(Helix, &[&[-1.0, 1e-9]]).unwrap();
    assert!((slopes[1][1] / 1e-8 - 1.0).abs() < 1e-6, "{slopes:?}");
}

#[test]
fn an_undefined_derivative_is_no_zero() {
    for (found, row) in [
        (error(Cube, &[&[0.0]]), 0),
        (error(Norm, &[&[0.0, 0.0]]), 0),
    ] {
        assert!(
            matches!(found, Error::NotFinite { row: r, derivative, .. } if r == row && derivative.is_nan()),
            "{found}"
        );
    }
    // The derivative of a clipped root is 0 where it is clipped, forward, in reverse and to second order.
    assert_eq!(
        last_slopes(Clipped, &[&[-1.0, 2.0]]).unwrap(),
        [[0.0, 1.0], [1.0, 0.0]]
    );
    let checks = pullback::verify::model(&Curve::new(Clipped), &[-1.0, 2.0], 1).unwrap();
    assert!(checks.passed(), "{checks}");
}

/// g = ρ − θ + |ρ|: a kink where a descent may well start.
struct Kinks;

impl Equation for Kinks {
    fn dims(&self) -> (usize, usize) {
        (30, 1)
    }

    fn residual<S: Scalar>(&self, rho: &[S], theta: &[S], g: &mut [S]) {
        for i in 0..rho.len() {
            // Upwind differences with the velocity ρ − 0.1, and a kink at ρ = 0.
            let left = if i > 0 { rho[i - 1] } else { S::from(0.0) };
            let right = if i + 1 < rho.len() {
                rho[i + 1]
            } else {
                S::from(0.0)
            };
            let v = rho[i] * 0.1;
            let flux = if v > 0.0 {
                v * (rho[i] - left)
            } else {
                v * (right - rho[i])
            };
            g[i] = rho[i] * 2.0 + flux + if rho[i] < 0.0 { -rho[i] } else { rho[i] }
                - theta[0] * (i as f64 - 15.0);
        }
    }
}

#[test]
fn kinks_are_no_errors() {
    let model = Automatic::new(Kinks);
    let mut rho = vec![0.0; 30];
    model.solve(&[0.3], &mut rho, Cpu::shared()).unwrap();
    assert!(rho[0] < 0.0 && rho[15] == 0.0 && rho[29] > 0.0);
    assert!(Linearisation::new(&model, &rho, &[0.3], Cpu::shared()).is_ok());
}

/// (10¹⁰ + x) − 10¹⁰ …, whose tangents cancel by nine digits.
struct Cancelling(AtomicUsize);

impl Formula for Cancelling {
    fn dims(&self) -> (usize, usize) {
        (40, 40)
    }

    fn values<S: Scalar>(&self, t: &[S], o: &mut [S]) {
        self.0.fetch_add(1, Ordering::Relaxed);
        for (i, o) in o.iter_mut().enumerate() {
            let large = t[(i + 1) % 40] * 1e8;
            *o = (large + t[i]) - large;
        }
    }
}

#[test]
fn rounding_does_not_cost_a_tape_every_time() {
    let curve = Curve::new(Cancelling(AtomicUsize::new(0)));
    let theta = random::uniform(40, (0.5, 2.0), 1);
    let mut calls = Vec::new();
    for _ in 0..3 {
        let before = curve.formula().0.load(Ordering::Relaxed);
        drop(curve.param_jacobian(&[0.0; 40], &theta));
        calls.push(curve.formula().0.load(Ordering::Relaxed) - before);
    }
    assert_eq!(calls[1..], [1, 1], "{calls:?}");
}
