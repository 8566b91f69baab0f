//! Models: states ρ(θ) defined by equations g(ρ, θ) = 0.

pub mod adjoint;
mod clouds;
mod equations;
mod newton;
mod singular;
mod variation;

pub use self::adjoint::Linearisation;
use self::adjoint::{Implicit, Sensitivity};
pub use self::clouds::Clouds;
pub use self::equations::Equations;
pub use self::newton::Newton;
pub use self::singular::{Flaw, SingularJacobian};
pub use self::variation::Variation;

use faer::Mat;

use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Operator};

/// Model that defines a state ρ(θ) ∈ ℝᵏ implicitly by g(ρ, θ) = 0, for parameters θ ∈ ℝᵖ.
///
/// An explicit map ρ = F(θ) is the case g = ρ − F(θ): return the identity from [`state_jacobian`](Model::state_jacobian), and
/// no linear system is solved.
///
/// ```
/// use pullback::{Cpu, Model, Operator, faer::mat};
/// /// Square root: ρ² = θ.
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
    /// Returns k, the length of ρ.
    fn state_dim(&self) -> usize;

    /// Returns p, the length of θ.
    fn param_dim(&self) -> usize;

    /// Returns which clouds of points the state holds, or None if it holds something else.
    fn clouds(&self) -> Option<Clouds> {
        None
    }

    /// Writes the k entries of g(ρ, θ) to `out`.
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]);

    /// Returns A = ∂g/∂ρ, k × k.
    fn state_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a>;

    /// Returns C = ∂g/∂θ, k × p.
    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a>;

    /// Prepares products with Z = ∂ρ/∂θ at a solution. The default solves with ∂g/∂ρ ([`Implicit`]).
    ///
    /// # Errors
    /// Fails if a Jacobian has the wrong shape or non-finite entries, or if a factorisation fails.
    fn linearise<'a>(
        &'a self,
        rho: &'a [f64],
        theta: &'a [f64],
        backend: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        let jacobians = [
            self.state_jacobian(rho, theta),
            self.param_jacobian(rho, theta),
        ];
        implicit(self, jacobians, (rho, theta), backend)
    }

    /// Returns the derivatives of Aᵀλ and Cᵀλ along every column of a [`Variation`] at (ρ, θ), a k × m and a p × m matrix,
    /// or None if the model has no second derivatives.
    ///
    /// With the columns (δρ, δθ) of the variation and φ = Σ λᵢgᵢ(ρ, θ), the columns of the result are
    ///
    /// ```text
    /// ∂²φ/∂ρ² δρ + ∂²φ/∂ρ∂θ δθ   and   ∂²φ/∂θ∂ρ δρ + ∂²φ/∂θ² δθ.
    /// ```
    ///
    /// [`direction::Newton`](crate::direction::Newton) needs them. Models written with [`automatic`](crate::automatic) and the
    /// ready [`models`](crate::models) have them. The method is called without columns (m = 0) to ask whether there are second
    /// derivatives.
    ///
    /// ```
    /// use pullback::model::{Equations, Model, Variation};
    /// use pullback::{Operator, faer::mat};
    /// // ρ² = θ: φ = λ (ρ² − θ) has only ∂²φ/∂ρ² = 2λ.
    /// let model = Equations::new(
    ///     (1, 1),
    ///     |rho, theta, g| g[0] = rho[0] * rho[0] - theta[0],
    ///     |rho, _| Operator::diagonal(vec![2.0 * rho[0]]),
    ///     |_, _| Operator::dense(mat![[-1.0]]),
    /// )
    /// .second_derivative(|_, _, along| [2.0 * along.lambda[0] * along.rho, 0.0 * along.theta]);
    /// let (rho, theta, lambda) = ([3.0], [9.0], [0.5]);
    /// let (d_rho, d_theta) = (mat![[1.0]], mat![[6.0]]);
    /// let along = Variation { lambda: &lambda, rho: d_rho.as_ref(), theta: d_theta.as_ref() };
    /// let [by_state, _] = Model::second_derivative(&model, &rho, &theta, &along).unwrap();
    /// assert_eq!(by_state, mat![[1.0]]);
    /// ```
    fn second_derivative(
        &self,
        rho: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        let _ = (rho, theta, along);
        None
    }

    /// Looks for a fault of the equations at (ρ, θ) that their values and Jacobians cannot report, such as the reason why an
    /// entry is NaN.
    ///
    /// Newton's method, the default [`linearise`](Model::linearise) and [`verify::model`](crate::verify::model) call this
    /// method after a failure, and return its error in place of their own. The default finds no fault.
    ///
    /// # Errors
    /// Fails with a description of the fault, if there is one.
    fn diagnose(&self, rho: &[f64], theta: &[f64]) -> Result<()> {
        let _ = (rho, theta);
        Ok(())
    }

    /// Returns the initial guess of [`solve`](Model::solve) for ρ(θ). The default is zero.
    fn guess(&self, theta: &[f64]) -> Vec<f64> {
        let _ = theta;
        vec![0.0; self.state_dim()]
    }

    /// Solves g(ρ, θ) = 0 and writes the solution to `rho`.
    ///
    /// On entry `rho` contains a warm start: the state at a similar θ, such as the last iterate of a descent, or zeros if there
    /// is none. The default is the damped Newton method from this warm start and, if that fails or there is none, from
    /// [`guess`](Model::guess).
    ///
    /// # Errors
    /// Fails with [`Error::Newton`] if the equations are not solved. An implementation by another method wraps its
    /// failures in [`Error::Model`].
    fn solve(&self, theta: &[f64], rho: &mut [f64], backend: &dyn Backend) -> Result<()> {
        solve_by_newton(self, theta, rho, backend)
    }
}

/// Returns the sensitivity of equations with these Jacobians ∂g/∂ρ and ∂g/∂θ, and with the second derivatives of the model.
pub(crate) fn implicit<'a, M: Model + ?Sized>(
    model: &'a M,
    [a, c]: [Operator<'a>; 2],
    (rho, theta): (&'a [f64], &'a [f64]),
    backend: &'a dyn Backend,
) -> Result<Box<dyn Sensitivity + 'a>> {
    check::length("the rows of ∂g/∂ρ", a.nrows(), model.state_dim())?;
    check::length("the columns of ∂g/∂θ", c.ncols(), model.param_dim())?;
    let second = move |along: &Variation<'_>| model.second_derivative(rho, theta, along);
    let sensitivity =
        Implicit::new(a, c, backend).map_err(|failure| explained(model, &[rho], theta, failure))?;
    Ok(Box::new(sensitivity.with_second_derivative(second)))
}

/// Solves g(ρ, θ) = 0 by Newton's method, from the warm start in `rho` and, if that fails or is zero, from the guess of the
/// model. This is the default of [`Model::solve`], for models that have a method of their own for some θ only.
///
/// # Errors
/// Fails as [`Newton::solve`] does.
pub fn solve_by_newton<M: Model + ?Sized>(
    model: &M,
    theta: &[f64],
    rho: &mut [f64],
    backend: &dyn Backend,
) -> Result<()> {
    check::length("θ", theta.len(), model.param_dim())?;
    let newton = Newton::default();
    if rho.iter().any(|r| *r != 0.0) {
        match newton.attempt(model, theta, rho, backend) {
            // A warm start far from the solution may fail where the guess of the model succeeds.
            Err(failure) if is_of_start(&failure) => {}
            done => return done,
        }
    }
    // A failed iteration leaves its last iterate in `rho`, which may be far off or not finite.
    let guess = model.guess(theta);
    check::length("the guess for ρ", guess.len(), rho.len())?;
    rho.copy_from_slice(&guess);
    newton.solve(model, theta, rho, backend)
}

/// Returns whether Newton's method may succeed from another start.
fn is_of_start(failure: &Error) -> bool {
    let newton = matches!(
        failure,
        Error::Newton { .. }
            | Error::NotFinite { .. }
            | Error::NotPositiveDefinite { .. }
            | Error::Stagnation { .. }
    );
    newton || failure.of::<SingularJacobian>().is_some()
}

/// Returns the fault that the model finds at one of these states, or else the failure itself.
pub(crate) fn explained<M: Model + ?Sized>(
    model: &M,
    states: &[&[f64]],
    theta: &[f64],
    failure: Error,
) -> Error {
    if theta.len() != model.param_dim() {
        return failure;
    }
    let states = states.iter().filter(|rho| rho.len() == model.state_dim());
    let mut faults = states.filter_map(|rho| model.diagnose(rho, theta).err());
    faults.next().unwrap_or(failure)
}

/// Computes ρ(θ) without a warm start, and checks that θ and the state are finite.
pub(crate) fn solve_checked(
    model: &dyn Model,
    theta: &[f64],
    backend: &dyn Backend,
) -> Result<Vec<f64>> {
    solve_from(model, theta, vec![0.0; model.state_dim()], backend)
}

/// Computes ρ(θ) with the warm start `rho`, and checks that θ and the state are finite.
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
