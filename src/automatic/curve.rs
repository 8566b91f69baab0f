//! Models that are explicit functions of the parameters, as in curve fitting.

use faer::{Mat, MatRef};

use super::bend::Bend;
use super::cache::Jacobian;
use super::equation::or_nan;
use super::error::{Error, Variable};
use super::jacobian::Map;
use super::outputs::check_outputs;
use super::scalar::Scalar;
use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Operator};
use crate::model::adjoint::Sensitivity;
use crate::model::{Model, Variation, implicit};

/// Explicit function ρ = F(θ), written once for all scalars.
///
/// The page of the [module](super) has an example.
pub trait Formula: Sync {
    /// Returns (k, p), the numbers of values and of parameters, which are the lengths of `out` and of θ in
    /// [`values`](Self::values).
    fn dims(&self) -> (usize, usize);

    /// Writes F(θ) to `out`, all k entries.
    ///
    /// `out` is not zero on entry: assign an entry before adding to it. Compute on the calling thread, without rayon or
    /// other threads, because operations are recorded per thread.
    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]);
}

impl<F: Formula> Formula for &F {
    fn dims(&self) -> (usize, usize) {
        (**self).dims()
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        (**self).values(theta, out);
    }
}

/// Model of a [`Formula`], the explicit equations g = ρ − F(θ), with derivatives by automatic differentiation.
pub struct Curve<F> {
    formula: F,
    jacobian: Jacobian,
}

impl<F: Formula> Curve<F> {
    /// Creates the model of a formula.
    pub fn new(formula: F) -> Self {
        Self {
            formula,
            jacobian: Jacobian::new(Variable::Parameter),
        }
    }

    /// Returns the formula.
    pub fn formula(&self) -> &F {
        &self.formula
    }

    /// Returns F(θ).
    ///
    /// # Errors
    /// Fails if θ has the wrong length, or if a value is not finite.
    pub fn predict(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let (k, p) = self.formula.dims();
        check::length("θ", theta.len(), p)?;
        let mut out = vec![f64::NAN; k];
        self.formula.values(theta, &mut out);
        match check::finite("a value of the formula", &out) {
            Ok(()) => Ok(out),
            // Of a value that is not finite, the failure says more than its derivative.
            Err(failure) => Err(self.trace(theta).err().unwrap_or(failure)),
        }
    }

    /// Checks that the formula writes all values and loses no derivative. Derivatives that are not finite at θ pass.
    ///
    /// # Errors
    /// Fails if the formula is not a differentiable function of θ alone.
    pub(crate) fn trace(&self, theta: &[f64]) -> Result<()> {
        check_outputs(&self.map(), theta)?;
        match self.jacobian.check(&self.map(), theta) {
            Ok(_) | Err(Error::NotFinite { .. }) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }

    fn map(&self) -> Values<'_, F> {
        Values(&self.formula)
    }
}

/// Returns ∇²(Σ λᵢFᵢ) V of a formula F at θ.
pub(crate) fn second_derivative<F: Formula>(
    formula: &F,
    theta: &[f64],
    lambda: &[f64],
    v: MatRef<'_, f64>,
) -> Mat<f64> {
    let bend = Bend {
        map: &Values(formula),
        x: theta,
        lambda,
        v,
    };
    bend.product()
}

/// Formula as a map.
pub(super) struct Values<'a, F>(pub(super) &'a F);

impl<F: Formula> Map for Values<'_, F> {
    fn rows(&self) -> usize {
        self.0.dims().0
    }

    #[inline(always)]
    fn at<S: Scalar>(&self, x: &[S], out: &mut [S]) {
        self.0.values(x, out);
    }
}

impl<F: Formula> Model for Curve<F> {
    fn state_dim(&self) -> usize {
        self.formula.dims().0
    }

    fn param_dim(&self) -> usize {
        self.formula.dims().1
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        out.fill(f64::NAN);
        self.formula.values(theta, out);
        out.iter_mut().zip(rho).for_each(|(g, r)| *g = r - *g);
    }

    fn state_jacobian<'a>(&'a self, rho: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(rho.len())
    }

    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let jacobian = self.jacobian.operator(&self.map(), theta, -1.0);
        or_nan(jacobian, (rho.len(), theta.len()))
    }

    fn linearise<'a>(
        &'a self,
        rho: &'a [f64],
        theta: &'a [f64],
        backend: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        let c = self.jacobian.operator(&self.map(), theta, -1.0)?;
        let jacobians = [Operator::identity(rho.len()), c];
        implicit(self, jacobians, (rho, theta), backend)
    }

    fn second_derivative(
        &self,
        rho: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        let product = second_derivative(&self.formula, theta, along.lambda, along.theta);
        // g = ρ − F(θ) depends on ρ linearly, and on θ as −F does.
        let in_state = Mat::zeros(rho.len(), along.theta.ncols());
        Some([in_state, -product])
    }

    fn diagnose(&self, _: &[f64], theta: &[f64]) -> Result<()> {
        self.predict(theta)?;
        self.jacobian.check(&self.map(), theta)?;
        Ok(())
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        let values = self.predict(theta)?;
        check::length("the state ρ", rho.len(), values.len())?;
        rho.copy_from_slice(&values);
        Ok(())
    }
}
