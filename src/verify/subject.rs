//! Model at its solution and at points a few percent away.

use super::probe::{DIRECTIONS, floored, moved, relative};
use crate::check;
use crate::error::Result;
use crate::linalg::Operator;
use crate::model::{Model, explained};
use crate::random;

/// Smallest perturbation scale of a state's entries, relative to the largest entry.
const SMALLEST: f64 = 1e-4;

/// Model at its solution and at points a few percent away.
pub(super) struct Subject<'a> {
    pub(super) model: &'a dyn Model,
    pub(super) theta: &'a [f64],
    /// State ρ(θ), the solution of the model.
    pub(super) rho: Vec<f64>,
    /// States a few percent away from ρ(θ).
    perturbed: Vec<Vec<f64>>,
    /// Size of each row of g at the perturbed states.
    pub(super) rows: Vec<f64>,
    pub(super) seed: u64,
}

impl<'a> Subject<'a> {
    /// Perturbs the solution ρ and evaluates g there. Fails if g is not finite near ρ.
    pub(super) fn new(
        model: &'a dyn Model,
        theta: &'a [f64],
        rho: Vec<f64>,
        seed: u64,
    ) -> Result<Self> {
        let mut subject = Self {
            model,
            theta,
            rows: vec![0.0; rho.len()],
            rho,
            perturbed: Vec::new(),
            seed,
        };
        for j in 0..DIRECTIONS as u64 {
            // At the solution every gᵢ consists of rounding errors, and gives no scale for the errors of its
            // derivative. A few percent away it has a few percent of the size of its terms. The largest of
            // three values avoids a row that is small by chance.
            let (state, g) = subject.perturb(j)?;
            let rows = subject.rows.iter_mut().zip(&g);
            rows.for_each(|(row, g)| *row = row.max(g.abs()));
            subject.perturbed.push(state);
        }
        Ok(subject)
    }

    /// Returns a perturbed state and g at this state.
    ///
    /// Every entry of ρ moves away from zero by 2.5 to 5 %, so that signs are kept. While g is not finite the
    /// perturbation is halved.
    fn perturb(&self, stream: u64) -> Result<(Vec<f64>, Vec<f64>)> {
        // The largest step 0.05 times a uniform number on [0.5, 1) is 2.5 to 5 %.
        let weights = self.state_sizes();
        let spread = random::uniform(self.rho.len(), (0.5, 1.0), self.seed.wrapping_add(stream));
        // An entry below the floor moves by more than a few percent, and only an outward move is sure to keep
        // its sign.
        let outward = self.rho.iter().zip(weights.iter().zip(&spread));
        let v: Vec<f64> = outward.map(|(r, (w, u))| r.signum() * w * u).collect();
        let mut step = 0.05;
        loop {
            let state = moved(&self.rho, step, &v);
            let g = self.equations(&state, self.theta);
            match check::finite("g(ρ, θ) near the solution", &g) {
                Ok(()) => return Ok((state, g)),
                Err(error) if step < 1e-6 => {
                    let states = [self.rho.as_slice(), &state];
                    return Err(explained(self.model, &states, self.theta, error));
                }
                Err(_) => step *= 0.5,
            }
        }
    }

    /// Returns g(ρ, θ), with NaN in entries that the model does not write.
    pub(super) fn equations(&self, rho: &[f64], theta: &[f64]) -> Vec<f64> {
        let mut out = vec![f64::NAN; rho.len()];
        self.model.residual(rho, theta, &mut out);
        out
    }

    /// Returns A = ∂g/∂ρ after checking that it has the right shape and is finite.
    pub(super) fn state_jacobian<'b>(&'b self, rho: &'b [f64]) -> Result<Operator<'b>> {
        let a = self.model.state_jacobian(rho, self.theta);
        check::length("the rows of ∂g/∂ρ", a.nrows(), self.rho.len())?;
        check::length("the columns of ∂g/∂ρ", a.ncols(), self.rho.len())?;
        match a.check_finite("∂g/∂ρ") {
            Ok(()) => Ok(a),
            Err(error) => Err(explained(self.model, &[rho], self.theta, error)),
        }
    }

    /// Returns C = ∂g/∂θ after checking that it has the right shape and is finite.
    pub(super) fn param_jacobian<'b>(&'b self, rho: &'b [f64]) -> Result<Operator<'b>> {
        let c = self.model.param_jacobian(rho, self.theta);
        check::length("the rows of ∂g/∂θ", c.nrows(), self.rho.len())?;
        check::length("the columns of ∂g/∂θ", c.ncols(), self.theta.len())?;
        match c.check_finite("∂g/∂θ") {
            Ok(()) => Ok(c),
            Err(error) => Err(explained(self.model, &[rho], self.theta, error)),
        }
    }

    /// Returns the sizes of the entries of ρ, raised to at least 10⁻⁴ of the largest size.
    pub(super) fn state_sizes(&self) -> Vec<f64> {
        floored(&self.rho, SMALLEST)
    }

    /// Returns the states at which Jacobians are compared, with the sizes of their entries.
    pub(super) fn points(&self) -> Vec<(&[f64], Vec<f64>)> {
        let mut points = vec![(self.rho.as_slice(), relative(&self.rho))];
        points.extend(
            self.perturbed
                .iter()
                .map(|rho| (rho.as_slice(), floored(rho, SMALLEST))),
        );
        points
    }
}
