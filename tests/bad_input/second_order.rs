//! Newton's method without second derivatives, or with wrong ones.

use crate::support::{Explicit, Reaction, identity};
use pullback::direction::{HessianError, Newton};
use pullback::faer::Mat;
use pullback::loss::L2Misfit;
use pullback::model::{Equations, Variation};
use pullback::{Descent, Error, Loss, Model, Operator};

fn failure(model: &dyn Model, loss: &dyn Loss, theta: &[f64]) -> Error {
    let newton = Newton::default();
    let descent = Descent::new(model, loss).direction(&newton);
    descent.run(theta, |_| ()).unwrap_err()
}

#[test]
fn a_model_without_second_derivatives_is_named_with_the_remedies() {
    let loss = L2Misfit::euclidean(vec![1.0; 3]).unwrap();
    let error = failure(&Explicit(identity(3)), &loss, &[0.0; 3]);
    assert!(matches!(error.of(), Some(HessianError::Model)), "{error}");
    let text = error.to_string();
    for remedy in ["Model::second_derivative", "automatic", "LeastSquares"] {
        assert!(text.contains(remedy), "{text}");
    }
}

struct Fourth;

impl Loss for Fourth {
    fn value(&self, rho: &[f64]) -> f64 {
        rho.iter().map(|r| (r - 2.0).powi(4)).sum()
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        out.iter_mut()
            .zip(rho)
            .for_each(|(o, r)| *o = 4.0 * (r - 2.0).powi(3));
    }
}

#[test]
fn a_loss_without_a_second_derivative_is_named_with_the_remedies() {
    let error = failure(&Reaction::new(6, 2, 3), &Fourth, &[0.1; 2]);
    assert!(matches!(error.of(), Some(HessianError::Loss)), "{error}");
    assert!(error.to_string().contains("Loss::hessian"), "{error}");
}

/// ρ = θ², with second derivatives of these entries and this number of rows.
fn square(second: f64, rows: usize) -> impl Model {
    Equations::new(
        (1, 1),
        |r, t, g| g[0] = r[0] - t[0] * t[0],
        |_, _| Operator::identity(1),
        |_, t| Operator::dense(Mat::from_fn(1, 1, |_, _| -2.0 * t[0])),
    )
    .second_derivative(move |_: &[f64], _: &[f64], along: &Variation<'_>| {
        let columns = along.theta.ncols();
        let by_param = Mat::from_fn(rows, columns, |_, _| second);
        [0.0 * along.rho, by_param]
    })
}

#[test]
fn second_derivatives_of_wrong_shape_or_not_finite_are_refused() {
    let loss = L2Misfit::euclidean(vec![4.0]).unwrap();
    let error = failure(&square(1.0, 2), &loss, &[1.0]);
    assert!(matches!(error, Error::Dimension { .. }), "{error}");
    assert!(error.to_string().contains("second derivative"), "{error}");
    let error = failure(&square(f64::NAN, 1), &loss, &[1.0]);
    assert!(matches!(error, Error::NotFinite { .. }), "{error}");
    assert!(error.to_string().contains("second derivative"), "{error}");
}

#[test]
fn options_out_of_range_are_refused() {
    let loss = L2Misfit::euclidean(vec![4.0]).unwrap();
    let newton = Newton {
        iterations: 0,
        ..Newton::default()
    };
    let model = square(1.0, 1);
    let descent = Descent::new(&model, &loss).direction(&newton);
    let error = descent.run(&[1.0], |_| ()).unwrap_err();
    assert!(matches!(error, Error::Option { .. }), "{error}");
}
