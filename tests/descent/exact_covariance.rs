//! Covariances from the exact Hessian, against dense Hessians by differences.

use crate::newton::{Paraboloid, START, far_off, tight};
use crate::support::{Explicit, gap, identity, matrix_gap, reference_solve};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::direction::{HessianError, LeastSquares, Newton};
use pullback::faer::Mat;
use pullback::loss::L2Misfit;
use pullback::prior::Tikhonov;
use pullback::{Bounds, Descent, Noise, Transform};

/// The data of `far_off`.
const DATA: [f64; 3] = [0.2, -0.1, -0.45];

/// Gradient of ½ ‖(θ₀, θ₁, θ₀² + θ₁²) − data‖².
fn gradient(t: &[f64]) -> [f64; 2] {
    let off = t[0] * t[0] + t[1] * t[1] - DATA[2];
    [0, 1].map(|i| t[i] - DATA[i] + 2.0 * t[i] * off)
}

/// Hessian by central differences of the gradient.
fn hessian(theta: &[f64]) -> Mat<f64> {
    let h = 1e-5;
    Mat::from_fn(2, 2, |i, j| {
        let at = |h: f64| {
            let mut t = theta.to_vec();
            t[j] += h;
            gradient(&t)[i]
        };
        (at(h) - at(-h)) / (2.0 * h)
    })
}

fn inverse(a: &Mat<f64>) -> Mat<f64> {
    reference_solve(a.as_ref(), identity(a.nrows()).as_ref())
}

#[test]
fn with_a_large_residual_it_is_the_inverse_of_the_hessian_and_not_that_of_gauss_newton() {
    let (curve, loss, newton) = (Curve::new(Paraboloid), far_off(), Newton::default());
    let prior = Tikhonov::new(vec![0.1; 2], Noise::uniform(2, 0.7).unwrap()).unwrap();
    let transforms = [
        Transform::Log,
        Transform::Logit {
            lower: -1.0,
            upper: 1.0,
        },
    ];
    let plain = || Descent::new(&curve, &loss).direction(&newton);
    for (descent, precision) in [
        (plain(), 0.0),
        (plain().prior(&prior), 0.7_f64.powi(-2)),
        (plain().transforms(&transforms), 0.0),
    ] {
        let mut run = descent.begin(&START).unwrap();
        while run.step().unwrap().is_none() {}
        let report = run.report();
        assert!(report.converged(), "{report}");
        let mut dense = hessian(&report.theta);
        (0..2).for_each(|i| dense[(i, i)] += precision);
        let expected = inverse(&dense);
        let found = report.exact_covariance(&descent).unwrap();
        let error = matrix_gap(found.covariance.as_ref(), expected.as_ref());
        assert!(error < 1e-8, "{error:.1e}");
        let errors = [0, 1].map(|i| expected[(i, i)].sqrt());
        assert!(gap(&found.standard_errors, &errors) < 1e-8);
        let by_run = run.exact_covariance().unwrap();
        assert_eq!(by_run.covariance, found.covariance);
        let gauss_newton = report.covariance(&descent).unwrap();
        let off = matrix_gap(gauss_newton.covariance.as_ref(), expected.as_ref());
        assert!(off > 0.1, "{off}");
    }
}

/// Also where the gradient does not vanish.
#[test]
fn transforms_do_not_change_it() {
    let (curve, loss) = (Curve::new(Paraboloid), far_off());
    let transforms = [Transform::Log, Transform::Log];
    let plain = || Descent::new(&curve, &loss).tolerances(tight(0));
    let expected = inverse(&hessian(&START));
    for descent in [plain(), plain().transforms(&transforms)] {
        let report = descent.run(&START, |_| ()).unwrap();
        assert_eq!(report.theta, START);
        let found = report.exact_covariance(&descent).unwrap();
        let error = matrix_gap(found.covariance.as_ref(), expected.as_ref());
        assert!(error < 1e-8, "{error:.1e}");
    }
}

#[test]
fn a_parameter_at_its_bound_is_held() {
    let (curve, loss, newton) = (Curve::new(Paraboloid), far_off(), Newton::default());
    let bounds = Bounds::new(vec![-1.0, 0.3], vec![1.0, 1.0]).unwrap();
    let descent = Descent::new(&curve, &loss)
        .direction(&newton)
        .bounds(&bounds);
    let report = descent.run(&START, |_| ()).unwrap();
    let found = report.exact_covariance(&descent).unwrap();
    assert_eq!((report.theta[1], found.held.as_slice()), (0.3, &[1][..]));
    let expected = hessian(&report.theta)[(0, 0)].recip();
    assert!((found.covariance[(0, 0)] / expected - 1.0).abs() < 1e-8);
    assert_eq!(found.standard_errors[1], 0.0);
}

/// At (0, 0) data above the vertex of the paraboloid bend the objective downwards.
#[test]
fn an_indefinite_hessian_is_refused_with_its_eigenvalue() {
    let (curve, loss) = (
        Curve::new(Paraboloid),
        L2Misfit::euclidean(vec![0.0, 0.0, 1.0]).unwrap(),
    );
    let least_squares = LeastSquares::default();
    let descent = Descent::new(&curve, &loss).direction(&least_squares);
    // H = I + 2 (0 − 1) I = −I.
    let report = descent.run(&[0.0, 0.0], |_| ()).unwrap();
    assert!(report.converged() && report.covariance(&descent).is_ok());
    let error = report.exact_covariance(&descent).unwrap_err();
    match error.of() {
        Some(HessianError::NoMinimum { eigenvalue }) => {
            assert!((eigenvalue + 1.0).abs() < 1e-12, "{eigenvalue}");
        }
        other => panic!("{other:?}"),
    }
    let text = error.to_string();
    assert!(
        text.contains("-1") && text.contains("at a minimum"),
        "{text}"
    );
}

#[test]
fn a_model_without_second_derivatives_is_named() {
    let loss = L2Misfit::euclidean(vec![1.0; 3]).unwrap();
    let model = Explicit(identity(3));
    let descent = Descent::new(&model, &loss);
    let report = descent.run(&[0.0; 3], |_| ()).unwrap();
    let error = report.exact_covariance(&descent).unwrap_err();
    assert!(matches!(error.of(), Some(HessianError::Model)), "{error}");
}

/// Only θ₀ + 10⁶ θ₁ has an effect.
struct Sum;

impl Formula for Sum {
    fn dims(&self) -> (usize, usize) {
        (2, 2)
    }

    fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
        let sum = t[0] + t[1] * 1e6;
        out[0] = sum.sin();
        out[1] = sum * 2.0;
    }
}

#[test]
fn parameters_that_enter_as_a_sum_are_not_determined() {
    let (curve, loss) = (
        Curve::new(Sum),
        L2Misfit::euclidean(vec![0.5, 0.7]).unwrap(),
    );
    let descent = Descent::new(&curve, &loss);
    let report = descent.run(&[0.1, 1e-7], |_| ()).unwrap();
    assert!(report.converged(), "{report}");
    let found = report.exact_covariance(&descent).unwrap();
    assert!(
        found.standard_errors.iter().all(|s| s.is_infinite()),
        "{found}"
    );
    assert_eq!(found.null_space.ncols(), 1);
}
