//! A descent that runs into a fold, where one parameter loses its effect, must not come to rest beside it.

use crate::support::{Reaction, density};
use pullback::loss::L2Misfit;
use pullback::{Descent, Grid, Model, Operator};

/// The reaction with θ + θ²/5 in place of θ, which has a fold at θ = −2.5.
struct Folded(Reaction);

fn fold(theta: &[f64]) -> Vec<f64> {
    theta.iter().map(|t| t + 0.2 * t * t).collect()
}

impl Model for Folded {
    fn state_dim(&self) -> usize {
        self.0.state_dim()
    }
    fn param_dim(&self) -> usize {
        self.0.param_dim()
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        self.0.residual(rho, &fold(theta), out);
    }
    fn state_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.0.state_jacobian(rho, theta)
    }
    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let mut c = self.0.param_jacobian(rho, &fold(theta)).to_dense();
        for (j, t) in theta.iter().enumerate() {
            let column = c.col_as_slice_mut(j).iter_mut();
            column.for_each(|c| *c *= 1.0 + 0.4 * t);
        }
        Operator::dense(c)
    }
}

/// Damping in proportion to diag G leaves a parameter undamped where its column of Z vanishes: its steps grow
/// like 1/distance, no damping shortens them enough, and the other parameters stop with it. Moré (1978) damps
/// in proportion to the largest diag G met so far.
#[test]
fn a_descent_does_not_rest_beside_a_fold() {
    let grid = Grid::new(&[(0.0, 1.0, 15)]).unwrap();
    let loss = L2Misfit::new(&grid, density(&grid, 2)).unwrap();
    let (mut stuck, mut converged) = (Vec::new(), 0);
    for seed in 0..40 {
        let model = Folded(Reaction::new(15, 3, seed));
        let Ok(report) = Descent::new(&model, &loss).run(&[0.5, -0.5, 0.5], |_| ()) else {
            continue;
        };
        let gradients: Vec<f64> = report.history.iter().map(|it| it.gradient).collect();
        let ratio = gradients[gradients.len() - 1] / gradients[0];
        converged += usize::from(report.converged());
        if report.converged() && ratio > 1e-4 {
            stuck.push((seed, ratio, report.theta));
        }
    }
    assert!(stuck.is_empty(), "{stuck:#?}");
    assert!(converged >= 30, "only {converged} of 40 converged");
}
