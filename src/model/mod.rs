//! A state ρ(θ) given by equations g(ρ, θ) = 0.

pub mod adjoint;
mod equations;
mod newton;

pub use self::adjoint::Linearisation;
use self::adjoint::{Implicit, Sensitivity};
pub use self::equations::Equations;
pub use self::newton::Newton;

use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Operator};

/// A state ρ(θ) ∈ ℝᵏ defined implicitly by g(ρ, θ) = 0 for parameters θ ∈ ℝᵖ.
///
/// An explicit map ρ = F(θ) is the case g = ρ − F(θ): let [`state_jacobian`](Model::state_jacobian) be the
/// identity, and nothing will ever be solved.
///
/// ```
/// use pullback::{Cpu, Model, Operator, faer::mat};
/// /// ρ² = θ, the square root.
/// struct Root;
/// impl Model for Root {
///     fn state_dim(&self) -> usize { 1 }
///     fn param_dim(&self) -> usize { 1 }
///     fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
///         out[0] = rho[0] * rho[0] - theta[0];
///     }
///     fn state_jacobian<'a>(&'a self, rho: &'a [f64], _: &'a [f64]) -> Operator<'a> {
///         Operator::diagonal(vec![2.0 * rho[0]])
///     }
///     fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
///         Operator::dense(mat![[-1.0]])
///     }
///     fn guess(&self, _: &[f64]) -> Vec<f64> { vec![1.0] }
/// }
/// let mut rho = [0.0];
/// Root.solve(&[2.0], &mut rho, &Cpu::default())?;
/// assert!((rho[0] - 2.0_f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Model: Sync {
    /// k, the length of ρ.
    fn state_dim(&self) -> usize;

    /// p, the length of θ.
    fn param_dim(&self) -> usize;

    /// out ← g(ρ, θ), k numbers.
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]);

    /// A = ∂g/∂ρ, k×k.
    fn state_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a>;

    /// C = ∂g/∂θ, k×p.
    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a>;

    /// Prepares products with Z = ∂ρ/∂θ at a solution: by solves with ∂g/∂ρ unless overridden ([`Implicit`]).
    ///
    /// # Errors
    /// Jacobians of the wrong shape or with entries that are not finite, and failing factorisations.
    fn linearise<'a>(
        &'a self,
        rho: &'a [f64],
        theta: &'a [f64],
        backend: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        let (a, c) = (
            self.state_jacobian(rho, theta),
            self.param_jacobian(rho, theta),
        );
        check::length("the rows of ∂g/∂ρ", a.nrows(), self.state_dim())?;
        check::length("the columns of ∂g/∂θ", c.ncols(), self.param_dim())?;
        Ok(Box::new(Implicit::new(a, c, backend)?))
    }

    /// Where [`solve`](Model::solve) starts; zero unless overridden.
    fn guess(&self, theta: &[f64]) -> Vec<f64> {
        let _ = theta;
        vec![0.0; self.state_dim()]
    }

    /// rho ← the solution of g(ρ, θ) = 0; by damped Newton unless overridden, from what `rho` holds and, where that leads
    /// nowhere, from [`guess`](Model::guess).
    ///
    /// At the call `rho` holds the state at a θ near by, as along a descent, or zeros where there is none: an iteration of
    /// your own may start there.
    ///
    /// # Errors
    /// [`Error::Newton`] when the equations are not met; a model's own failure belongs
    /// in [`Error::Model`].
    fn solve(&self, theta: &[f64], rho: &mut [f64], backend: &dyn Backend) -> Result<()> {
        check::length("θ", theta.len(), self.param_dim())?;
        let newton = Newton::default();
        if rho.iter().any(|r| *r != 0.0) {
            match newton.solve(self, theta, rho, backend) {
                // From anything but a solution near by, the guess of the model is the better start.
                Err(
                    Error::Newton { .. }
                    | Error::NotFinite { .. }
                    | Error::Singular { .. }
                    | Error::NotPositiveDefinite { .. }
                    | Error::Stagnation { .. },
                ) => {}
                done => return done,
            }
        }
        let guess = self.guess(theta);
        check::length("the guess for ρ", guess.len(), rho.len())?;
        rho.copy_from_slice(&guess);
        newton.solve(self, theta, rho, backend)
    }
}

/// ρ(θ), with the checks that a model's own `solve` may leave out.
pub(crate) fn solve_checked(
    model: &dyn Model,
    theta: &[f64],
    backend: &dyn Backend,
) -> Result<Vec<f64>> {
    solve_from(model, theta, vec![0.0; model.state_dim()], backend)
}

/// ρ(θ) with these checks, from a state near by.
pub(crate) fn solve_from(
    model: &dyn Model,
    theta: &[f64],
    mut rho: Vec<f64>,
    backend: &dyn Backend,
) -> Result<Vec<f64>> {
    check::length("θ", theta.len(), model.param_dim())?;
    check::finite("θ", theta)?;
    model.solve(theta, &mut rho, backend)?;
    check::finite("the state ρ(θ)", &rho)?;
    Ok(rho)
}
