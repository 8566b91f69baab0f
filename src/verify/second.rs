//! Verification of second derivatives against first ones.

use faer::Mat;

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
        if let Some(check) = self.undefined(&claim, &along) {
            return Ok(Some(check));
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

    /// Returns a failed check that names the first entry that is not finite, and its equation, if there is one.
    fn undefined(&self, claim: &[Mat<f64>; 2], along: &Variation<'_>) -> Option<Check> {
        let first = |[by_state, by_param]: &[Mat<f64>; 2]| {
            let at = |x: &Mat<f64>| x.col_as_slice(0).iter().position(|x| !x.is_finite());
            let state = at(by_state).map(|i| (format!("ρ[{i}]"), by_state[(i, 0)]));
            state.or_else(|| at(by_param).map(|i| (format!("θ[{i}]"), by_param[(i, 0)])))
        };
        let (variable, value) = first(claim)?;
        // Halves the equations that have a weight, as long as those with one show the fault.
        let (mut low, mut high) = (0, along.lambda.len());
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            let mut lambda = vec![0.0; along.lambda.len()];
            lambda[low..middle].copy_from_slice(&along.lambda[low..middle]);
            let part = Variation {
                lambda: &lambda,
                ..*along
            };
            let claim = self.model.second_derivative(&self.rho, self.theta, &part)?;
            match first(&claim) {
                Some(_) => high = middle,
                None => low = middle,
            }
        }
        let mut check = Check::new(SECOND, f64::NAN, PLATEAU);
        check.note = Some(format!(
            "the derivative of ∂g/∂{variable} is {value} in equation {low}; avoid points where the equations are not twice \
             differentiable, such as √0, or use no direction that needs second derivatives (`direction::Newton`)"
        ));
        Some(check)
    }
}
