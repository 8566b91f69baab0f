//! Models that are explicit functions of the parameters, as in curve fitting.

use faer::{Mat, MatRef};

use super::bend::Bend;
use super::blocks;
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

    /// Writes the values from Fᵢ(θ) with i = `first` on, as many as `out` has, and returns true. The default returns false. `out` is
    /// empty where only the answer is asked for.
    ///
    /// A formula that can compute some values without the others, as a curve at many points can, implements this method, and lets
    /// [`values`](Self::values) call it with `first` = 0. Many values are then computed by blocks, on all threads.
    ///
    /// ```
    /// use pullback::automatic::{Formula, Scalar};
    /// /// y = a exp(−b t), at as many times t as there are.
    /// struct Decay(Vec<f64>);
    /// impl Formula for Decay {
    ///     fn dims(&self) -> (usize, usize) {
    ///         (self.0.len(), 2)
    ///     }
    ///     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
    ///         self.rows(theta, 0, out);
    ///     }
    ///     fn rows<S: Scalar>(&self, theta: &[S], first: usize, out: &mut [S]) -> bool {
    ///         for (y, t) in out.iter_mut().zip(&self.0[first..]) {
    ///             *y = theta[0] * (theta[1] * -t).exp();
    ///         }
    ///         true
    ///     }
    /// }
    /// ```
    fn rows<S: Scalar>(&self, theta: &[S], first: usize, out: &mut [S]) -> bool {
        let _ = (theta, first, out);
        false
    }
}

impl<F: Formula> Formula for &F {
    fn dims(&self) -> (usize, usize) {
        (**self).dims()
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        (**self).values(theta, out);
    }

    fn rows<S: Scalar>(&self, theta: &[S], first: usize, out: &mut [S]) -> bool {
        (**self).rows(theta, first, out)
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
        let mut out = vec![0.0; self.formula.dims().0];
        self.write(theta, &mut out)?;
        Ok(out)
    }

    /// Writes F(θ) to `out`.
    fn write(&self, theta: &[f64], out: &mut [f64]) -> Result<()> {
        check::length("θ", theta.len(), self.formula.dims().1)?;
        out.fill(f64::NAN);
        evaluate(&self.formula, theta, out);
        // Of a value that is not finite, the failure says more than its derivative.
        check::finite("a value of the formula", out)
            .map_err(|failure| self.trace(theta).err().unwrap_or(failure))
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

/// Writes F(θ) to `out`, on all threads if the formula has many values and computes them by [rows](Formula::rows).
pub(crate) fn evaluate<F: Formula>(formula: &F, theta: &[f64], out: &mut [f64]) {
    blocks::values(&Values(formula), theta, out);
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

    #[inline(always)]
    fn block<S: Scalar>(&self, x: &[S], first: usize, out: &mut [S]) -> bool {
        self.0.rows(x, first, out)
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
        evaluate(&self.formula, theta, out);
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
        check::length("the state ρ", rho.len(), self.formula.dims().0)?;
        self.write(theta, rho)
    }
}
