//! Runs with a wrong ∂g/∂θ come to rest where their gradient vanishes and the true one does not. They must not pass for
//! converged unnoticed, and runs with right derivatives must not be suspected.

use crate::support::{Reaction, density};
use pullback::loss::L2Misfit;
use pullback::{Descent, Grid, Model, Operator, Report};

/// The reaction with some entries of ∂g/∂θ multiplied by a factor.
struct Mistaken {
    model: Reaction,
    factor: f64,
}

impl Model for Mistaken {
    fn state_dim(&self) -> usize {
        self.model.state_dim()
    }
    fn param_dim(&self) -> usize {
        self.model.param_dim()
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        self.model.residual(rho, theta, out);
    }
    fn state_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.model.state_jacobian(rho, theta)
    }
    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let mut c = self.model.param_jacobian(rho, theta).to_dense();
        for j in 0..c.ncols() {
            let column = c.col_as_slice_mut(j).iter_mut();
            column.skip(j).step_by(3).for_each(|c| *c *= self.factor);
        }
        Operator::dense(c)
    }
}

fn run(seed: u64, factor: f64) -> Report {
    let grid = Grid::new(&[(0.0, 1.0, 15)]).unwrap();
    let loss = L2Misfit::new(&grid, density(&grid, seed + 100)).unwrap();
    let model = Mistaken {
        model: Reaction::new(15, 3, seed),
        factor,
    };
    let descent = Descent::new(&model, &loss);
    descent.run(&[0.5, -0.5, 0.5], |_| ()).unwrap()
}

fn is_suspected(report: &Report) -> bool {
    report
        .remarks
        .iter()
        .any(|r| r.text.contains("verify::gradient"))
}

#[test]
fn wrong_derivatives_do_not_converge_unnoticed() {
    let (mut claimed, mut noticed) = (0, 0);
    for factor in [0.0, 0.5, -1.0, 0.9, 0.99, 0.999, 1.01, 2.0] {
        for seed in 0..40 {
            let report = run(seed, factor);
            claimed += usize::from(report.converged());
            noticed += usize::from(report.converged() && is_suspected(&report));
        }
    }
    assert!(
        claimed == noticed && claimed <= 10,
        "{claimed} of 320 runs claim to have converged, {noticed} are suspected"
    );
}

#[test]
fn right_derivatives_are_not_suspected() {
    for seed in 0..100 {
        let report = run(seed, 1.0);
        assert!(
            report.converged() && !is_suspected(&report),
            "{seed}: {report}"
        );
    }
}
