//! Verification of second derivatives against first ones.

use super::PLATEAU;
use super::probe::{column, direction, largest, moved, reciprocals, relative};
use super::report::Check;
use super::scan::{Scan, samples};
use super::subject::Subject;
use crate::check;
use crate::error::Result;
use crate::linalg::Side;
use crate::model::Variation;

const SECOND: &str = "Σ λᵢ∂²gᵢ (v, w) = difference of (Aᵀλ, Cᵀλ)";

/// Size of (Aᵀλ, Cᵀλ) relative to which errors of its derivative count, where the derivative itself is smaller.
const FLOOR: f64 = 1e-3;

impl Subject<'_> {
    /// Compares second derivatives with differences of Aᵀλ and Cᵀλ in ρ and θ. Returns None if the model has none.
    pub(super) fn second_derivative(&self) -> Result<Option<Check>> {
        let (k, p) = (self.rho.len(), self.theta.len());
        // With these sizes of λ and of the directions, all terms of λᵀg and of its derivatives are comparable.
        let lambda = direction(&reciprocals(&self.rows), self.seed, 80);
        let sizes = [self.state_sizes(), relative(self.theta)].concat();
        let v = direction(&sizes, self.seed, 81);
        let along = Variation {
            lambda: &lambda,
            rho: column(&v[..k]),
            theta: column(&v[k..]),
        };
        let Some(claim) = self.model.second_derivative(&self.rho, self.theta, &along) else {
            return Ok(None);
        };
        for (part, rows) in claim.iter().zip([k, p]) {
            check::length("the rows of a second derivative", part.nrows(), rows)?;
            check::length("the columns of a second derivative", part.ncols(), 1)?;
        }
        let in_units =
            |x: Vec<f64>| -> Vec<f64> { x.iter().zip(&sizes).map(|(x, s)| x * s).collect() };
        let gradient = |x: &[f64]| {
            let (rho, theta) = x.split_at(k);
            let jacobians = [
                self.model.state_jacobian(rho, theta),
                self.model.param_jacobian(rho, theta),
            ];
            let [by_state, by_param] = jacobians.map(|j| j.apply_to(Side::Transpose, &lambda).ok());
            Some(in_units([by_state?, by_param?].concat()))
        };
        let point = [self.rho.as_slice(), self.theta].concat();
        let samples = samples(|h| gradient(&moved(&point, h, &v)));
        let size = gradient(&point).map_or(0.0, |g| FLOOR * largest(&g));
        let claim = in_units([claim[0].col_as_slice(0), claim[1].col_as_slice(0)].concat());
        let scan = Scan::new(&claim, &vec![size; k + p], &samples);
        Ok(Some(scan.check(SECOND, PLATEAU)))
    }
}
