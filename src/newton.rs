//! Damped Newton for g(ρ, θ) = 0 at fixed θ.

use faer::{MatMut, MatRef};

use crate::backend::Backend;
use crate::check;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::operator::{Operator, Side};
use crate::vector::{largest, norm};

/// Newton's method on ρ ↦ g(ρ, θ), with steps halved until ‖g‖ falls.
///
/// It ends when ‖g‖∞ is `tolerance` times ‖|A||ρ|‖∞, the size of the terms that cancel in g: a test that
/// does not depend on the units of the equations and that a linear model passes after one step.
#[derive(Clone, Debug)]
pub struct Newton {
    /// Relative size of ‖g‖∞ at which the equations count as solved.
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

/// Where rounding stops all progress, the answer still counts when it is this good.
const ROUNDING: f64 = 1e-10;

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
        let failure = |iterations, residual, reason| Error::Newton {
            iterations,
            initial,
            residual,
            reason,
        };
        for iteration in 0..=self.iterations {
            if largest(&g) == 0.0 {
                return Ok(());
            }
            let a = model.state_jacobian(rho, theta);
            check::length("the rows of ∂g/∂ρ", a.nrows(), rho.len())?;
            check::length("the columns of ∂g/∂ρ", a.ncols(), rho.len())?;
            a.check_finite("∂g/∂ρ")?;
            let size = scale(&a, rho).unwrap_or(initial);
            // At the guess the size says nothing (a guess of zero has none), so it counts from the first step on.
            if iteration > 0 && largest(&g) <= self.tolerance * size {
                return Ok(());
            }
            if iteration == self.iterations {
                break;
            }
            let mut delta = g.clone();
            let batch = MatMut::from_column_major_slice_mut(&mut delta, rho.len(), 1);
            backend.factor(a)?.solve(Side::Plain, batch)?;
            let residual = |rho: &[f64], out: &mut [f64]| model.residual(rho, theta, out);
            if !self.advance(residual, rho, &mut g, &delta) {
                return if largest(&g) <= ROUNDING * size {
                    Ok(())
                } else {
                    Err(failure(
                        iteration,
                        largest(&g),
                        "no step along the Newton direction reduces it",
                    ))
                };
            }
        }
        Err(failure(
            self.iterations,
            largest(&g),
            "the iteration limit was reached",
        ))
    }

    /// Takes the longest of the steps 1, ½, ¼ … that reduces ‖g‖; false if none does.
    fn advance(
        &self,
        residual: impl Fn(&[f64], &mut [f64]),
        rho: &mut [f64],
        g: &mut [f64],
        delta: &[f64],
    ) -> bool {
        let before = norm(g);
        let mut trial_g = vec![0.0; g.len()];
        let mut t = 1.0;
        for _ in 0..=self.halvings {
            let trial: Vec<f64> = rho.iter().zip(delta).map(|(r, d)| r - t * d).collect();
            residual(&trial, &mut trial_g);
            // NaN compares false: a step out of the model's domain is halved too.
            if norm(&trial_g) < (1.0 - 1e-4 * t) * before {
                rho.copy_from_slice(&trial);
                g.copy_from_slice(&trial_g);
                return true;
            }
            t *= 0.5;
        }
        false
    }
}

/// ‖|A||ρ|‖∞, if the entries of A are known.
fn scale(a: &Operator<'_>, rho: &[f64]) -> Option<f64> {
    let n = rho.len();
    let mut size = vec![0.0; n];
    a.magnitude_into(
        Side::Plain,
        MatRef::from_column_major_slice(rho, n, 1),
        MatMut::from_column_major_slice_mut(&mut size, n, 1),
    );
    Some(largest(&size)).filter(|size| *size > 0.0)
}
