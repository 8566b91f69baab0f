//! A model at its solution, and at points a few percent off it.

use super::probe::{DIRECTIONS, floored, moved, relative};
use crate::check;
use crate::error::Result;
use crate::linalg::Operator;
use crate::model::Model;
use crate::random;

/// Empty entries of a state are probed at this fraction of the largest.
const SMALLEST: f64 = 1e-4;

/// A model at its solution and at points a few percent off.
pub(super) struct Subject<'a> {
    pub(super) model: &'a dyn Model,
    pub(super) theta: &'a [f64],
    /// The state ρ(θ).
    pub(super) rho: Vec<f64>,
    off: Vec<Vec<f64>>,
    /// The size of each row of g off the solution.
    pub(super) rows: Vec<f64>,
    pub(super) seed: u64,
}

impl<'a> Subject<'a> {
    /// Looks around the solution ρ.
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
            off: Vec::new(),
            seed,
        };
        for j in 0..DIRECTIONS as u64 {
            let (point, g) = subject.beside(j)?;
            let rows = subject.rows.iter_mut().zip(&g);
            rows.for_each(|(row, g)| *row = row.max(g.abs()));
            subject.off.push(point);
        }
        Ok(subject)
    }

    /// A point beside the solution, every entry farther from zero by 2.5 to 5 %, and g there; closer if g is
    /// not finite.
    fn beside(&self, stream: u64) -> Result<(Vec<f64>, Vec<f64>)> {
        let weights = self.state_sizes();
        let spread = random::uniform(self.rho.len(), (0.5, 1.0), self.seed.wrapping_add(stream));
        let outward = self.rho.iter().zip(weights.iter().zip(&spread));
        let v: Vec<f64> = outward.map(|(r, (w, u))| r.signum() * w * u).collect();
        let mut step = 0.05;
        loop {
            let point = moved(&self.rho, step, &v);
            let g = self.equations(&point, self.theta);
            match check::finite("g(ρ, θ) near the solution", &g) {
                Ok(()) => return Ok((point, g)),
                Err(error) if step < 1e-6 => return Err(error),
                Err(_) => step *= 0.5,
            }
        }
    }

    /// g(ρ, θ), NaN where the model leaves its output as it was.
    pub(super) fn equations(&self, rho: &[f64], theta: &[f64]) -> Vec<f64> {
        let mut out = vec![f64::NAN; rho.len()];
        self.model.residual(rho, theta, &mut out);
        out
    }

    /// A, of the right shape and finite.
    pub(super) fn state_jacobian<'b>(&'b self, rho: &'b [f64]) -> Result<Operator<'b>> {
        let a = self.model.state_jacobian(rho, self.theta);
        check::length("the rows of ∂g/∂ρ", a.nrows(), self.rho.len())?;
        check::length("the columns of ∂g/∂ρ", a.ncols(), self.rho.len())?;
        a.check_finite("∂g/∂ρ")?;
        Ok(a)
    }

    /// C, likewise.
    pub(super) fn param_jacobian<'b>(&'b self, rho: &'b [f64]) -> Result<Operator<'b>> {
        let c = self.model.param_jacobian(rho, self.theta);
        check::length("the rows of ∂g/∂θ", c.nrows(), self.rho.len())?;
        check::length("the columns of ∂g/∂θ", c.ncols(), self.theta.len())?;
        c.check_finite("∂g/∂θ")?;
        Ok(c)
    }

    /// The sizes of the entries of ρ, empty ones raised.
    pub(super) fn state_sizes(&self) -> Vec<f64> {
        floored(&self.rho, SMALLEST)
    }

    /// The points at which Jacobians are compared, with the sizes of their entries.
    pub(super) fn points(&self) -> Vec<(&[f64], Vec<f64>)> {
        let mut points = vec![(self.rho.as_slice(), relative(&self.rho))];
        points.extend(
            self.off
                .iter()
                .map(|rho| (rho.as_slice(), floored(rho, SMALLEST))),
        );
        points
    }
}
