//! Information of weighted candidates.

use std::ops::Range;

use faer::{Mat, MatRef};

use super::error::Error;
use crate::error::Result;
use crate::linalg::{symmetric_eigen, symmetric_product};
use crate::vector::norm;

/// Candidates in the units of the criterion.
pub(super) struct Problem {
    /// The rows Jᵢ/σᵢ of all candidates, one after the other, as columns.
    pub(super) columns: Mat<f64>,
    /// First column of every candidate, and the number of columns.
    pub(super) firsts: Vec<usize>,
    pub(super) prior: Mat<f64>,
}

/// Smallest eigenvalue of the information, scaled to a diagonal of 1, that rounding leaves.
const LEAST: f64 = 1e-13;

impl Problem {
    pub(super) fn parameters(&self) -> usize {
        self.columns.nrows()
    }

    pub(super) fn count(&self) -> usize {
        self.firsts.len() - 1
    }

    /// Returns the columns of a candidate.
    pub(super) fn members(&self, candidate: usize) -> Range<usize> {
        self.firsts[candidate]..self.firsts[candidate + 1]
    }

    /// Returns the information Σ wᵢ JᵢᵀJᵢ/σᵢ² + C with the precision C of the prior.
    pub(super) fn information(&self, weights: &[f64]) -> Mat<f64> {
        let (p, mut weighted) = (self.parameters(), self.columns.clone());
        for (candidate, weight) in weights.iter().enumerate() {
            for column in self.members(candidate) {
                let column = weighted.col_as_slice_mut(column);
                column.iter_mut().for_each(|x| *x *= weight);
            }
        }
        let data = symmetric_product(self.columns.transpose(), weighted.transpose());
        Mat::from_fn(p, p, |i, j| data[(i, j)] + self.prior[(i, j)])
    }

    /// Adds the information of a candidate to M.
    pub(super) fn add(&self, m: &mut Mat<f64>, candidate: usize) {
        for member in self.members(candidate) {
            let row = self.columns.col_as_slice(member);
            for (j, &x) in row.iter().enumerate() {
                let column = m.col_as_slice_mut(j).iter_mut();
                column.zip(row).for_each(|(m, y)| *m += x * y);
            }
        }
    }

    /// Returns Σ ‖bᵢ‖² over the columns of every candidate, for a matrix with one column b per column of the candidates.
    pub(super) fn squares(&self, b: MatRef<'_, f64>) -> Vec<f64> {
        let square = |column| (0..b.nrows()).map(|i| b[(i, column)].powi(2)).sum::<f64>();
        let of = |candidate| self.members(candidate).map(square).sum();
        (0..self.count()).map(of).collect()
    }

    /// Checks that all candidates together determine the parameters.
    ///
    /// # Errors
    /// Fails if they do not, and names a combination of parameters without effect.
    pub(super) fn check(&self) -> Result<()> {
        let all = self.information(&vec![1.0 / self.count() as f64; self.count()]);
        match Self::hidden(&all) {
            Some(combination) => Err(Error::Undetermined { combination }.into()),
            None => Ok(()),
        }
    }

    /// Returns a combination of parameters about which M tells nothing, if there is one.
    pub(super) fn hidden(m: &Mat<f64>) -> Option<Vec<(usize, f64)>> {
        let p = m.nrows();
        // Scaled to a diagonal of 1: units do not matter.
        let scale: Vec<f64> = (0..p).map(|i| m[(i, i)].sqrt()).collect();
        if let Some(index) = scale.iter().position(|s| s.is_nan() || *s == 0.0) {
            return Some(vec![(index, 1.0)]);
        }
        let scaled = Mat::from_fn(p, p, |i, j| m[(i, j)] / (scale[i] * scale[j]));
        let (values, vectors) = symmetric_eigen(scaled.as_ref());
        if values.last().is_some_and(|least| *least > LEAST) {
            return None;
        }
        let last: Vec<f64> = (0..p).map(|i| vectors[(i, p - 1)] / scale[i]).collect();
        let length = norm(&last);
        let shares = last.iter().map(|x| x / length).enumerate();
        Some(shares.filter(|(_, x)| x.abs() > 1e-6).collect())
    }
}
