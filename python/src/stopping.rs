//! Ready models that end with a computation.

use std::sync::Arc;

use pullback::faer::Mat;
use pullback::model::adjoint::Sensitivity;
use pullback::model::{Clouds, Variation};
use pullback::{Backend, Error, Model, Operator, Result};

use crate::watch::Watch;

/// Model that fails once the computation has to end. Models in time solve no linear systems, and do not ask the backend.
pub(crate) struct Stopping {
    pub(crate) model: Arc<dyn Model + Send + Sync>,
    pub(crate) watch: Arc<Watch>,
    /// Whether every solve begins a new computation, which knows nothing of earlier exceptions.
    pub(crate) forgetful: bool,
}

impl Stopping {
    /// Begins a new computation, if every solve is one.
    fn begin(&self) {
        if self.forgetful {
            self.watch.take();
        }
    }

    /// Replaces a failure by the exception behind it, which nobody else looks for.
    fn explained<T>(&self, outcome: Result<T>) -> Result<T> {
        if !self.forgetful {
            return outcome;
        }
        outcome.map_err(|failure| match self.watch.take() {
            Some(exception) => Error::model(exception.to_string()),
            None => failure,
        })
    }
}

impl Model for Stopping {
    fn state_dim(&self) -> usize {
        self.model.state_dim()
    }

    fn param_dim(&self) -> usize {
        self.model.param_dim()
    }

    fn clouds(&self) -> Option<Clouds> {
        self.model.clouds()
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
        self.explained(self.model.linearise(rho, theta, backend))
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
        self.begin();
        self.watch.proceed()?;
        self.explained(self.model.solve(theta, rho, backend))
    }
}
