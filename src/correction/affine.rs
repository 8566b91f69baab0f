//! Affine model, the form in which a regression takes the place of a model.

use faer::Mat;

use crate::error::Result;
use crate::linalg::{Backend, Operator};
use crate::model::Model;

/// Explicit model ρ = state + Z(θ − θ₀).
pub(super) struct Affine {
    pub(super) centre: Vec<f64>,
    pub(super) state: Vec<f64>,
    /// −Z = ∂g/∂θ of the equations g = ρ − state − Z(θ − θ₀).
    pub(super) jacobian: Mat<f64>,
}

impl Affine {
    /// Returns −Z(θ − θ₀) − state, so that g is its sum with ρ.
    fn rest(&self, theta: &[f64]) -> Vec<f64> {
        let shift = |(j, t): (usize, &f64)| t - self.centre[j];
        let shift: Vec<f64> = theta.iter().enumerate().map(shift).collect();
        let value = |(i, s): (usize, &f64)| {
            let row = self.jacobian.row(i);
            row.iter().zip(&shift).map(|(z, t)| z * t).sum::<f64>() - s
        };
        self.state.iter().enumerate().map(value).collect()
    }
}

impl Model for Affine {
    fn state_dim(&self) -> usize {
        self.state.len()
    }

    fn param_dim(&self) -> usize {
        self.centre.len()
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let pairs = rho.iter().zip(self.rest(theta));
        out.iter_mut().zip(pairs).for_each(|(g, (r, s))| *g = r + s);
    }

    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(self.state.len())
    }

    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(self.jacobian.clone())
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        let state = self.rest(theta);
        rho.iter_mut().zip(state).for_each(|(r, s)| *r = -s);
        Ok(())
    }
}
