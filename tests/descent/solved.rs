//! Fits near their end, where only errors of solves are left.

use pullback::faer::{Mat, MatRef};
use pullback::linalg::Batch;
use pullback::loss::Observations;
use pullback::model::adjoint::Sensitivity;
use pullback::{Backend, Descent, Model, Noise, Operator, Result};

/// State (θ, 10⁻⁷), with an adjoint that has the error of an iterative solve: 10⁻¹² times the norm of the covector.
struct Solved;

impl Model for Solved {
    fn state_dim(&self) -> usize {
        2
    }

    fn param_dim(&self) -> usize {
        1
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        out.copy_from_slice(&[rho[0] - theta[0], rho[1] - 1e-7]);
    }

    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(2)
    }

    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(Mat::from_fn(2, 1, |i, _| [-1.0, 0.0][i]))
    }

    fn linearise<'a>(
        &'a self,
        _: &'a [f64],
        _: &'a [f64],
        _: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        Ok(Box::new(Products))
    }
}

struct Products;

impl Sensitivity for Products {
    fn state_dim(&self) -> usize {
        2
    }

    fn param_dim(&self) -> usize {
        1
    }

    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        Ok(Mat::from_fn(2, v.ncols(), |i, j| [v[(0, j)], 0.0][i]))
    }

    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        let w = w.fetch()?;
        let error = |j: usize| 1e-12 * w.col(j).norm_l2();
        Ok(Mat::from_fn(1, w.ncols(), |_, j| w[(0, j)] + error(j)))
    }
}

/// What is left of the misfit is an error of the state in an entry of large weight. It hardly touches the objective, but its
/// covector is so large that the error of its adjoint is a third of the gradient.
#[test]
fn errors_of_solves_are_not_mistaken_for_a_wrong_adjoint() {
    let deviations = Noise::deviations(vec![1.0, 5.8e-10]).unwrap();
    let data = vec![0.0, 1e-7 + 1e-16];
    let loss = Observations::new(Operator::identity(2), data, deviations).unwrap();
    let report = Descent::new(&Solved, &loss).run(&[1e-9], |_| ()).unwrap();
    assert!(report.theta[0].abs() <= 1e-9, "{report}");
}
