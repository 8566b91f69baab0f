//! Algebraic equations among the rates, against closed forms.

use super::experiments::{check_transposes, distance, jacobian};
use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Evolution, Method};
use pullback::verify;

/// ẋ = −z with 0 = e^z − e^(θx²), which is ẋ = −θx² and x = 1/(1 + θt) from 1, with z = θx².
struct Hidden;

impl Dynamics for Hidden {
    fn dims(&self) -> (usize, usize) {
        (2, 1)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = -x[1];
        out[1] = x[1].exp() - (theta[0] * x[0] * x[0]).exp();
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
        out[1] = S::from(3.0);
    }

    fn is_algebraic(&self, i: usize) -> bool {
        i == 1
    }
}

#[test]
fn algebraic_equations_hold_at_all_times() {
    let times = [0.0, 0.5, 2.0, 7.0];
    let model = || {
        Evolution::new(Hidden, times.to_vec())
            .unwrap()
            .method(Method::Implicit)
    };
    let exact = |theta: f64| {
        let x = times.map(|t| 1.0 / (1.0 + theta * t));
        x.iter()
            .flat_map(|x| [*x, theta * x * x])
            .collect::<Vec<f64>>()
    };
    let theta = 0.8;
    let fine = model().accuracy(1e-11, &[1e-12]).unwrap();
    let rho = fine.predict(&[theta]).unwrap();
    assert!(distance(&rho, &exact(theta)) < 1e-9, "{rho:?}");
    let z = jacobian(&fine, &[theta]);
    let slopes: Vec<f64> = times
        .iter()
        .flat_map(|t| {
            let x = 1.0 / (1.0 + theta * t);
            [-t * x * x, x * x - 2.0 * theta * t * x * x * x]
        })
        .collect();
    assert!(distance(z.col_as_slice(0), &slopes) < 1e-9, "{z:?}");
    check_transposes(&fine, &[theta], 1e-13);
    let kept = fine.keep_steps(&[theta]).unwrap();
    assert!(verify::model(&kept, &[theta], 1).unwrap().passed());
    // The order of the method, in both components.
    let errors = [0.1, 0.05].map(|h| {
        let found = model().every(h).unwrap().predict(&[theta]).unwrap();
        distance(&found, &exact(theta))
    });
    let order = (errors[0] / errors[1]).log2();
    assert!((order - 4.0).abs() < 0.3, "{order}: {errors:?}");
}

/// 0 = z − θy with ẏ = −5z, the algebraic component first, from y = θ.
struct First;

impl Dynamics for First {
    fn dims(&self) -> (usize, usize) {
        (2, 1)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = x[0] - theta[0] * x[1];
        out[1] = x[0] * -5.0;
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = S::from(0.0);
        out[1] = theta[0];
    }

    fn is_algebraic(&self, i: usize) -> bool {
        i == 0
    }
}

#[test]
fn algebraic_components_may_come_first() {
    let times = [0.0, 0.001, 0.5];
    let model = Evolution::new(First, times.to_vec())
        .unwrap()
        .method(Method::Implicit);
    let model = model.accuracy(1e-11, &[1e-12]).unwrap();
    let q = 0.9;
    let z = jacobian(&model, &[q]);
    for (k, t) in times.into_iter().enumerate() {
        // y = θ e^(−5θt), z = θ y.
        let y = q * (-5.0 * q * t).exp();
        let slope = y / q - 5.0 * t * y;
        assert!((z[(2 * k + 1, 0)] - slope).abs() < 1e-9, "{z:?}");
        assert!((z[(2 * k, 0)] - (y + q * slope)).abs() < 1e-9, "{z:?}");
    }
    check_transposes(&model, &[q], 1e-13);
}
