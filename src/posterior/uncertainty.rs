//! The covariance of few parameters.

use std::fmt;

use faer::{Mat, MatRef};

use crate::linalg::{gram, right_singular};
use crate::vector::norm;

/// The covariance (G + C)⁻¹ of the parameters, C being the precision of the priors, and what the data and priors leave undetermined.
///
/// Singular values of the scaled rows below `1e-10` of the largest count as zero: their directions span the null space.
/// The covariance is that of the rest (the pseudo-inverse in scaled coordinates), and the standard error of a parameter
/// that the null space touches is infinite. See [`Report::covariance`](crate::Report::covariance).
#[derive(Clone, Debug)]
pub struct Uncertainty {
    /// Covariances; rows and columns of held parameters are zero.
    pub covariance: Mat<f64>,
    /// Square roots of its diagonal; infinite for parameters that are not determined.
    pub standard_errors: Vec<f64>,
    /// Directions in θ, of length 1, that change nothing: one a column.
    pub null_space: Mat<f64>,
    /// Parameters that a bound holds, whose standard error is given as 0.
    pub held: Vec<usize>,
}

/// Relative singular values below which nothing is determined.
const ROUNDING: f64 = 1e-10;

/// Shares of a null direction, in scaled coordinates, below which a parameter has no part in it.
const TOUCHED: f64 = 1e-6;

impl Uncertainty {
    /// From rows with HᵀH = G + C for the free parameters, where dθ = scale dξ.
    pub(crate) fn new(rows: MatRef<'_, f64>, free: &[usize], scale: &[f64]) -> Self {
        let total = scale.len();
        let lengths: Vec<f64> = (0..free.len()).map(|j| rows.col(j).norm_l2()).collect();
        let unit = |j: usize| {
            if lengths[j] > 0.0 {
                lengths[j].recip()
            } else {
                1.0
            }
        };
        let scaled = Mat::from_fn(rows.nrows().max(free.len()), free.len(), |i, j| {
            if i < rows.nrows() {
                rows[(i, j)] * unit(j)
            } else {
                0.0
            }
        });
        let (values, vectors) = right_singular(scaled.as_ref());
        let largest = values.first().copied().unwrap_or(0.0);
        let rank = values
            .iter()
            .take_while(|v| **v > ROUNDING * largest)
            .count();
        // From scaled coordinates to θ.
        let place = |j: usize, k: usize| vectors[(j, k)] * unit(j) * scale[free[j]];
        let mut known = Mat::zeros(rank, total);
        let mut unknown = Mat::zeros(total, values.len() - rank);
        for (j, &i) in free.iter().enumerate() {
            (0..rank).for_each(|k| known[(k, i)] = place(j, k) / values[k]);
            (rank..values.len()).for_each(|k| unknown[(i, k - rank)] = place(j, k));
        }
        let covariance = gram(known.as_ref());
        let mut standard_errors: Vec<f64> = (0..total).map(|i| covariance[(i, i)].sqrt()).collect();
        for k in 0..unknown.ncols() {
            let column = unknown.col_as_slice_mut(k);
            let length = norm(column);
            if length > 0.0 {
                column.iter_mut().for_each(|x| *x /= length);
            }
            // In θ itself a parameter of small numbers would seem to have no part in it.
            for (j, &i) in free.iter().enumerate() {
                let share = vectors[(j, rank + k)].abs();
                if share > TOUCHED {
                    standard_errors[i] = f64::INFINITY;
                }
                if share <= ROUNDING {
                    column[i] = 0.0;
                }
            }
        }
        Self {
            covariance,
            standard_errors,
            null_space: unknown,
            held: (0..total).filter(|i| !free.contains(i)).collect(),
        }
    }

    /// With the covariance multiplied by a variance: where the loss is a sum of squares ½‖ρ − q‖² of errors of unknown
    /// variance s², estimated by 2 f/(n − p) from n data, it is that.
    #[must_use]
    pub fn scaled(mut self, variance: f64) -> Self {
        for j in 0..self.covariance.ncols() {
            self.covariance
                .col_as_slice_mut(j)
                .iter_mut()
                .for_each(|c| *c *= variance);
        }
        self.standard_errors
            .iter_mut()
            .for_each(|s| *s *= variance.sqrt());
        self
    }

    /// The correlation of two parameters.
    pub fn correlation(&self, i: usize, j: usize) -> f64 {
        let c = &self.covariance;
        c[(i, j)] / (c[(i, i)] * c[(j, j)]).sqrt()
    }
}

impl fmt::Display for Uncertainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.standard_errors.iter().enumerate() {
            let held = if self.held.contains(&i) {
                " (held by its bound)"
            } else {
                ""
            };
            writeln!(f, "  θ{i}: standard error {error:.3e}{held}")?;
        }
        for k in 0..self.null_space.ncols() {
            let column = self.null_space.col_as_slice(k).iter().enumerate();
            let open = |i: usize| self.standard_errors[i].is_infinite();
            let terms = column.filter(|(i, x)| open(*i) && **x != 0.0);
            let terms: Vec<String> = terms.map(|(i, x)| format!("{x:+.3e} θ{i}")).collect();
            writeln!(f, "  not determined: {}", terms.join(" "))?;
        }
        Ok(())
    }
}
