//! Damped Newton for g(ρ, θ) = 0 at fixed θ.

mod sizes;

use faer::MatMut;

use self::sizes::{Sizes, scaled_norm};
use super::Model;
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Factor, Operator, Side};
use crate::vector::largest;

/// Newton's method on ρ ↦ g(ρ, θ), with steps halved until the equations are better satisfied.
///
/// Every equation is measured by its own size, (|A||ρ|)ᵢ, that of the terms which cancel in gᵢ. The iteration ends when
/// each |gᵢ| is `tolerance` times that: a test that depends on the units of neither equations nor unknowns, and in which a
/// large unknown hides no error of a small one. A linear model passes it after one step; and one step is always taken, so
/// that the state follows every change of θ.
#[derive(Clone, Debug)]
pub struct Newton {
    /// Largest relative |gᵢ| at which the equations count as solved.
    pub tolerance: f64,
    /// Iterations before giving up.
    pub iterations: usize,
    /// Halvings of one step before giving up.
    pub halvings: usize,
}

impl Default for Newton {
    fn default() -> Self {
        Self {
            tolerance: 1e-13,
            iterations: 50,
            halvings: 20,
        }
    }
}

/// Where rounding stops all progress, the answer still counts when its unknowns are this good.
const ROUNDING: f64 = 1e-10;

/// Relative |gᵢ| that are the rounding of a few terms.
const POLISHED: f64 = 2e-15;

/// A step that leaves more than this of the residual brings no digits.
const SLOW: f64 = 0.1;

const STUCK: &str = "no step along the Newton direction reduces it, so that ∂g/∂ρ may be wrong (see `verify::model`) or \
                     the iteration is far from a solution";

/// What became of a step.
enum Progress {
    /// The equations are solved.
    Solved,
    /// They are better satisfied than before.
    Better,
    /// No step along the Newton direction improves them.
    Stuck,
}

/// Where an iteration stands.
struct Iteration<'m, M: ?Sized> {
    model: &'m M,
    theta: &'m [f64],
    rho: &'m mut [f64],
    g: Vec<f64>,
    /// ‖g‖∞ at the guess.
    initial: f64,
}

impl Newton {
    /// Improves `rho` until g(ρ, θ) = 0.
    ///
    /// # Errors
    /// [`Error::Newton`] when it does not get there, and what the linear solves report.
    pub fn solve<M: Model + ?Sized>(
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
            match self.improve(&mut state, backend)? {
                Progress::Solved => return Ok(()),
                Progress::Better => {}
                Progress::Stuck => return Err(failure(iteration, &state.g, STUCK)),
            }
        }
        Err(failure(
            self.iterations,
            &state.g,
            "the iteration limit was reached",
        ))
    }

    /// One step.
    fn improve<M: Model + ?Sized>(
        &self,
        state: &mut Iteration<'_, M>,
        backend: &dyn Backend,
    ) -> Result<Progress> {
        if largest(&state.g) == 0.0 {
            return Ok(Progress::Solved);
        }
        let rho = state.rho.to_vec();
        let a = state.jacobian(&rho)?;
        let sizes = Sizes::new(a.clone(), state.initial);
        let before = sizes.relative(&state.g, &rho);
        let factor = backend.factor(a)?;
        let mut delta = state.g.clone();
        let batch = MatMut::from_column_major_slice_mut(&mut delta, rho.len(), 1);
        factor.solve(Side::Plain, None, batch)?;
        let step = self.advance(state, &sizes, &delta);
        let after = sizes.relative(&state.g, state.rho);
        // ∂g/∂ρ is that of the start of the step: had it changed much on the way, so small a residual would not be left.
        if step == Some(1.0) && after <= self.tolerance {
            return state.polish(factor.as_ref(), after, |g, rho| sizes.relative(g, rho));
        }
        // Where a step brings hardly a digit, either rounding is reached or the iteration is far from a solution.
        let halted = step.is_none_or(|t| t == 1.0 && after > SLOW * before);
        let end = (state.g.as_slice(), &*state.rho);
        if halted && sizes.is_rounding(factor.as_ref(), end, ROUNDING)? {
            return Ok(Progress::Solved);
        }
        Ok(match step {
            Some(_) => Progress::Better,
            None => Progress::Stuck,
        })
    }

    /// Takes the longest of the steps 1, ½, ¼ … that reduces ‖g‖, every equation divided by its size, and returns it;
    /// None if none does.
    fn advance<M: Model + ?Sized>(
        &self,
        state: &mut Iteration<'_, M>,
        sizes: &Sizes<'_>,
        delta: &[f64],
    ) -> Option<f64> {
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
            // NaN compares false: a step out of the model's domain is halved too.
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
    /// One more step with the last factor, unless rounding is reached: it makes the state as smooth a function of θ as
    /// rounding allows, and line searches can tell apart objectives that differ by less than the tolerance.
    fn polish(
        &mut self,
        factor: &dyn Factor,
        after: f64,
        relative: impl Fn(&[f64], &[f64]) -> f64,
    ) -> Result<Progress> {
        if after <= POLISHED {
            return Ok(Progress::Solved);
        }
        let mut trial = self.g.clone();
        let batch = MatMut::from_column_major_slice_mut(&mut trial, self.g.len(), 1);
        factor.solve(Side::Plain, None, batch)?;
        let moves = trial.iter_mut().zip(self.rho.iter());
        moves.for_each(|(delta, r)| *delta = r - *delta);
        let mut g = vec![0.0; trial.len()];
        self.model.residual(&trial, self.theta, &mut g);
        if relative(&g, &trial) < after {
            self.rho.copy_from_slice(&trial);
            self.g = g;
        }
        Ok(Progress::Solved)
    }

    /// A = ∂g/∂ρ at this ρ, with its shape and numbers checked.
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
