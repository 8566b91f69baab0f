//! Ready models that end with a computation.

use std::sync::Arc;

use pullback::faer::Mat;
use pullback::model::Variation;
use pullback::model::adjoint::Sensitivity;
use pullback::{Backend, Model, Operator, Result};

use crate::watch::Watch;

/// Model that fails once the computation has to end. Models in time solve no linear systems, and do not ask the backend.
pub(crate) struct Stopping {
    pub(crate) model: Arc<dyn Model + Send + Sync>,
    pub(crate) watch: Arc<Watch>,
}

impl Model for Stopping {
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
        self.model.param_jacobian(rho, theta)
    }

    fn linearise<'a>(
        &'a self,
        rho: &'a [f64],
        theta: &'a [f64],
        backend: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        self.watch.proceed()?;
        self.model.linearise(rho, theta, backend)
    }

    fn second_derivative(
        &self,
        rho: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        self.model.second_derivative(rho, theta, along)
    }

    fn diagnose(&self, rho: &[f64], theta: &[f64]) -> Result<()> {
        self.model.diagnose(rho, theta)
    }

    fn guess(&self, theta: &[f64]) -> Vec<f64> {
        self.model.guess(theta)
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], backend: &dyn Backend) -> Result<()> {
        self.watch.proceed()?;
        self.model.solve(theta, rho, backend)
    }
}
