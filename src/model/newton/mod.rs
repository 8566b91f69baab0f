//! Damped Newton method for g(ρ, θ) = 0 at fixed θ.

mod sizes;

use faer::MatMut;

use self::sizes::{Sizes, scaled_norm};
use super::singular::{Flaw, SingularJacobian};
use super::{Model, explained};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Factor, Operator, Side};
use crate::vector::largest;

/// Newton's method for ρ ↦ g(ρ, θ), with steps that are halved until the residual decreases.
///
/// Equation i is scaled by (|A||ρ|)ᵢ, the size of the terms that cancel in gᵢ. The iteration stops when every
/// |gᵢ| is at
/// most `tolerance` times this size. The test does not depend on the units of the equations or of the unknowns, and a large
/// unknown cannot hide the error of a small one. A linear model passes the test after one step. At least one step is
/// taken unless g = 0, so that the state follows every change of θ.
#[derive(Clone, Debug)]
pub struct Newton {
    /// Largest scaled residual |gᵢ|/(|A||ρ|)ᵢ at which the equations count as solved.
    pub tolerance: f64,
    /// Largest number of iterations.
    pub iterations: usize,
    /// Largest number of halvings of one step.
    pub halvings: usize,
}

impl Default for Newton {
    fn default() -> Self {
        Self {
            // Convergence is quadratic at the end: a looser tolerance would save one step at most, and a
            // tighter one meets rounding.
            tolerance: 1e-13,
            iterations: 50,
            halvings: 20,
        }
    }
}

/// Relative error of the unknowns that is accepted where rounding prevents further progress.
const ROUNDING: f64 = 1e-10;

/// Scaled residual |gᵢ|/(|A||ρ|)ᵢ at which only the rounding of a few terms remains: about ten times the
/// machine precision 2.2e-16.
const POLISHED: f64 = 2e-15;

/// Ratio of the residual after a Newton step to the residual before, above which the step counts as slow: it
/// gains less than one digit.
const SLOW: f64 = 0.1;

const NO_DECREASE: &str = "no step along the Newton direction reduces ‖g‖";

/// Outcome of a Newton step.
enum Progress {
    /// The equations are solved.
    Solved,
    /// The residual decreased.
    Reduced,
    /// No step along the Newton direction reduces the residual.
    Stalled,
}

/// State of Newton's iteration.
struct Iteration<'m, M: ?Sized> {
    model: &'m M,
    theta: &'m [f64],
    rho: &'m mut [f64],
    g: Vec<f64>,
    /// Norm ‖g‖∞ of the residual at the initial guess.
    initial: f64,
}

impl Newton {
    /// Solves g(ρ, θ) = 0, with the contents of `rho` as initial guess.
    ///
    /// # Errors
    /// Fails with [`Error::Newton`] if the iteration does not converge, with [`SingularJacobian`] if ∂g/∂ρ is singular at an
    /// iterate, and if a linear solve fails otherwise. A fault that [`Model::diagnose`] finds takes the place of these errors.
    pub fn solve<M: Model + ?Sized>(
        &self,
        model: &M,
        theta: &[f64],
        rho: &mut [f64],
        backend: &dyn Backend,
    ) -> Result<()> {
        let start = rho.to_vec();
        // At special values such as 0, a fault may be hidden that the last iterate shows.
        self.attempt(model, theta, rho, backend)
            .map_err(|failure| explained(model, &[rho, &start], theta, failure))
    }

    /// Solves as [`solve`](Self::solve) does, without a diagnosis of failures.
    pub(super) fn attempt<M: Model + ?Sized>(
        &self,
        model: &M,
        theta: &[f64],
        rho: &mut [f64],
        backend: &dyn Backend,
    ) -> Result<()> {
        check::length("the guess for ρ", rho.len(), model.state_dim())?;
        let mut g = vec![0.0; rho.len()];
        model.residual(rho, theta, &mut g);
        check::finite("the residual g(ρ, θ) at the guess", &g)?;
        let initial = largest(&g);
        let mut state = Iteration {
            model,
            theta,
            rho,
            g,
            initial,
        };
        let failure = |iterations, g: &[f64], reason| Error::Newton {
            iterations,
            initial,
            residual: largest(g),
            reason,
        };
        for iteration in 0..self.iterations {
            let progress = self.iterate(&mut state, backend);
            match progress.map_err(|failure| state.located(failure, iteration))? {
                Progress::Solved => return Ok(()),
                Progress::Reduced => {}
                Progress::Stalled => return Err(failure(iteration, &state.g, NO_DECREASE)),
            }
        }
        Err(failure(
            self.iterations,
            &state.g,
            "the iteration limit was reached",
        ))
    }

    /// Takes one Newton step.
    fn iterate<M: Model + ?Sized>(
        &self,
        state: &mut Iteration<'_, M>,
        backend: &dyn Backend,
    ) -> Result<Progress> {
        if largest(&state.g) == 0.0 {
            return Ok(Progress::Solved);
        }
        let rho = state.rho.to_vec();
        // A step costs one factorisation and one solve. The last step may cost one more solve, for polishing.
        // A slow step costs two more, in one batch, to test whether the residual consists of rounding errors.
        let a = state.jacobian(&rho)?;
        let sizes = Sizes::new(a.clone(), state.initial);
        let before = sizes.relative(&state.g, &rho);
        let factor = backend.factor(a)?;
        let mut delta = state.g.clone();
        let batch = MatMut::from_column_major_slice_mut(&mut delta, rho.len(), 1);
        factor.solve(Side::Plain, None, batch)?;
        let step = self.advance(state, &sizes, &delta);
        let after = sizes.relative(&state.g, state.rho);
        // The row scales come from ∂g/∂ρ before the step. After a full step the residual is the second-order
        // term of g along the step. A residual within the tolerance therefore shows that ∂g/∂ρ has hardly
        // changed and that the scales still hold.
        if step == Some(1.0) && after <= self.tolerance {
            return state.polish(factor.as_ref(), after, |g, rho| sizes.relative(g, rho));
        }
        // A step that gains less than one digit is either limited by rounding or far from the solution.
        let slow = step.is_none_or(|t| t == 1.0 && after > SLOW * before);
        let last = (state.g.as_slice(), &*state.rho);
        if slow && sizes.is_rounding(factor.as_ref(), last, ROUNDING)? {
            return Ok(Progress::Solved);
        }
        Ok(match step {
            Some(_) => Progress::Reduced,
            None => Progress::Stalled,
        })
    }

    /// Takes the longest of the steps t = 1, ½, ¼, … that sufficiently reduces the scaled residual norm.
    /// Returns t, or None if no step does.
    fn advance<M: Model + ?Sized>(
        &self,
        state: &mut Iteration<'_, M>,
        sizes: &Sizes<'_>,
        delta: &[f64],
    ) -> Option<f64> {
        // The scales |A|(|ρ| + |δ|) hold on the whole segment from ρ to ρ − δ, so that all trials are
        // compared in the same norm.
        let reach: Vec<f64> = (state.rho.iter().zip(delta))
            .map(|(r, d)| r.abs() + d.abs())
            .collect();
        let sizes = sizes.of(&reach);
        let before = scaled_norm(&state.g, &sizes);
        let mut trial_g = vec![0.0; state.g.len()];
        let mut t = 1.0;
        for _ in 0..=self.halvings {
            let moves = state.rho.iter().zip(delta);
            let trial: Vec<f64> = moves.map(|(r, d)| r - t * d).collect();
            state.model.residual(&trial, state.theta, &mut trial_g);
            // The linearisation predicts ‖g‖(1 − t) after a step t. A fraction 1e-4 of this decrease is
            // required, as usual (Dennis & Schnabel 1983). A NaN residual fails the test, so that a step out
            // of the model's domain is halved too.
            if scaled_norm(&trial_g, &sizes) < (1.0 - 1e-4 * t) * before {
                state.rho.copy_from_slice(&trial);
                state.g.copy_from_slice(&trial_g);
                return Some(t);
            }
            t *= 0.5;
        }
        None
    }
}

impl<'m, M: Model + ?Sized> Iteration<'m, M> {
    /// Takes one more step with the factorisation of the last step, unless rounding is reached.
    ///
    /// The step makes the state as smooth a function of θ as rounding allows. Line searches can then compare objectives that
    /// differ by less than the tolerance.
    fn polish(
        &mut self,
        factor: &dyn Factor,
        after: f64,
        relative: impl Fn(&[f64], &[f64]) -> f64,
    ) -> Result<Progress> {
        if after <= POLISHED {
            return Ok(Progress::Solved);
        }
        // The factor is that of A₀ at the start of the last step δ. A further step with it multiplies the
        // error by I − A₀⁻¹A = O(‖δ‖). This already reaches rounding, so that a new factorisation would gain
        // nothing.
        let mut trial = self.g.clone();
        let batch = MatMut::from_column_major_slice_mut(&mut trial, self.g.len(), 1);
        factor.solve(Side::Plain, None, batch)?;
        let moves = trial.iter_mut().zip(self.rho.iter());
        moves.for_each(|(delta, r)| *delta = r - *delta);
        let mut g = vec![0.0; trial.len()];
        self.model.residual(&trial, self.theta, &mut g);
        // At rounding level the step is noise and may increase g. It is then discarded.
        if relative(&g, &trial) < after {
            self.rho.copy_from_slice(&trial);
            self.g = g;
        }
        Ok(Progress::Solved)
    }

    /// Adds the iterate and what is known about its ∂g/∂ρ to the failure of a solve with a singular matrix.
    fn located(&self, failure: Error, iterations: usize) -> Error {
        if !matches!(failure, Error::Singular { .. }) {
            return failure;
        }
        let flaw = Flaw::of(&self.model.state_jacobian(self.rho, self.theta));
        let rho = self.rho.to_vec();
        Error::from(SingularJacobian {
            iterations,
            rho,
            flaw,
        })
    }

    /// Returns A = ∂g/∂ρ at this ρ, with its shape and entries checked.
    fn jacobian<'a>(&self, rho: &'a [f64]) -> Result<Operator<'a>>
    where
        'm: 'a,
    {
        let a = self.model.state_jacobian(rho, self.theta);
        check::length("the rows of ∂g/∂ρ", a.nrows(), rho.len())?;
        check::length("the columns of ∂g/∂ρ", a.ncols(), rho.len())?;
        a.check_finite("∂g/∂ρ")?;
        Ok(a)
    }
}
