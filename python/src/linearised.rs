//! Equations whose model computes the products with Z = ∂ρ/∂θ itself.

use faer::{Mat, MatRef};
use pullback::faer;
use pullback::linalg::Batch;
use pullback::model::adjoint::Sensitivity;
use pullback::{Backend, Model, Operator, Result, Side};

use crate::convert::Form;
use crate::own_model::{Equations, Methods};

/// Equations g(ρ, θ) = 0 with a method `sensitivity(rho, theta)` besides, which returns Z by its products.
pub(crate) struct Linearised(pub(crate) Equations);

/// Products with Z and Zᵀ.
struct Products<'a> {
    z: Operator<'static>,
    methods: &'a Methods,
}

impl Products<'_> {
    /// Multiplies, and fails if the method raised an exception.
    fn product(&self, side: Side, x: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let product = self.z.apply(side, x)?;
        self.methods.fault().map(|()| product)
    }
}

impl Sensitivity for Products<'_> {
    fn state_dim(&self) -> usize {
        self.z.nrows()
    }

    fn param_dim(&self) -> usize {
        self.z.ncols()
    }

    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.product(Side::Plain, v)
    }

    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        self.product(Side::Transpose, w.fetch()?.as_ref())
    }
}

impl Model for Linearised {
    fn linearise<'a>(
        &'a self,
        rho: &'a [f64],
        theta: &'a [f64],
        _: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        let methods = &self.0.methods;
        let form = Form {
            shape: methods.dims,
            factor: 1.0,
        };
        let z = methods.operator("sensitivity", &[rho, theta], &form)?;
        Ok(Box::new(Products { z, methods }))
    }

    fn state_dim(&self) -> usize {
        self.0.state_dim()
    }

    fn param_dim(&self) -> usize {
        self.0.param_dim()
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        self.0.residual(rho, theta, out);
    }

    fn state_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.0.state_jacobian(rho, theta)
    }

    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.0.param_jacobian(rho, theta)
    }

    fn diagnose(&self, rho: &[f64], theta: &[f64]) -> Result<()> {
        self.0.diagnose(rho, theta)
    }

    fn guess(&self, theta: &[f64]) -> Vec<f64> {
        self.0.guess(theta)
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], backend: &dyn Backend) -> Result<()> {
        self.0.solve(theta, rho, backend)
    }
}
