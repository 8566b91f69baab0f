//! Combinations of parameters that rows determine, and covariances in their span.

use faer::{Mat, MatRef};

use super::error::CovarianceError;
use crate::error::Result;
use crate::linalg::{gram, product, right_singular, symmetric_eigen, symmetric_product};

/// Relative singular value below which a direction is undetermined.
pub(super) const ROUNDING: f64 = 1e-10;

/// Curvature H of an objective, and rows R whose Gram matrix RᵀR estimates the variance of its gradient.
pub(crate) struct Scores {
    pub(crate) curvature: Mat<f64>,
    pub(crate) rows: Mat<f64>,
}

/// Decomposition of rows into determined and undetermined combinations of their columns.
pub(super) struct Resolved {
    /// Root W of the pseudo-inverse (rowsᵀrows)⁺ = WᵀW in scaled coordinates.
    pub(super) root: Mat<f64>,
    /// Undetermined combinations as columns, in coordinates in which the columns of the rows have unit length.
    pub(super) null: Mat<f64>,
    /// Factors that scale the columns of the rows to unit length.
    pub(super) unit: Vec<f64>,
}

impl Resolved {
    pub(super) fn new(rows: MatRef<'_, f64>) -> Self {
        let columns = rows.ncols();
        let lengths = (0..columns).map(|j| rows.col(j).norm_l2());
        let unit: Vec<f64> = lengths
            .map(|length| if length > 0.0 { length.recip() } else { 1.0 })
            .collect();
        // With D = diag(unit) and H D = UΣVᵀ, (HᵀH)⁻¹ = D V Σ⁻² VᵀD. HᵀH, which squares the condition number,
        // is never formed. A wide H is padded with rows of zeros, because its decomposition would otherwise
        // lack vectors of the null space.
        let padded = rows.nrows().max(columns);
        let scaled = Mat::from_fn(padded, columns, |i, j| match i < rows.nrows() {
            true => rows[(i, j)] * unit[j],
            false => 0.0,
        });
        let (values, vectors) = right_singular(scaled.as_ref());
        let largest = values.first().copied().unwrap_or(0.0);
        let kept = values.iter().take_while(|v| **v > ROUNDING * largest);
        let rank = kept.count();
        Self {
            root: Mat::from_fn(rank, columns, |k, j| vectors[(j, k)] * unit[j] / values[k]),
            null: Mat::from_fn(columns, values.len() - rank, |j, k| vectors[(j, rank + k)]),
            unit,
        }
    }

    /// Returns a root of H⁻¹BH⁻¹ with B = RᵀR, in the span of the determined combinations.
    ///
    /// # Errors
    /// Fails with [`CovarianceError::Indefinite`] if H is not positive definite there.
    pub(super) fn sandwich(&self, scores: &Scores) -> Result<Mat<f64>> {
        // In coordinates x with ξ = Wᵀx, where the metric is I, H becomes K = WHWᵀ and R becomes RWᵀ. A root of the
        // covariance is RWᵀK⁻¹W.
        let curved = product(scores.curvature.as_ref(), self.root.transpose());
        let k = symmetric_product(self.root.transpose(), curved.as_ref());
        let (values, vectors) = symmetric_eigen(k.as_ref());
        let eigenvalue = values.iter().copied().fold(f64::INFINITY, f64::min);
        if eigenvalue <= ROUNDING {
            return Err(CovarianceError::Indefinite { eigenvalue }.into());
        }
        let mut turned = product(vectors.transpose(), self.root.as_ref());
        for column in turned.col_iter_mut() {
            column.iter_mut().zip(&values).for_each(|(x, v)| *x /= v);
        }
        let inverse = product(vectors.as_ref(), turned.as_ref());
        let spread = product(scores.rows.as_ref(), self.root.transpose());
        Ok(product(spread.as_ref(), inverse.as_ref()))
    }

    /// Returns the covariance WᵀW in θ of a root W, with zeros for parameters that are not free, where dθ = scale dξ.
    pub(super) fn covariance(root: MatRef<'_, f64>, free: &[usize], scale: &[f64]) -> Mat<f64> {
        let mut in_theta = Mat::zeros(root.nrows(), scale.len());
        for (j, &i) in free.iter().enumerate() {
            (0..root.nrows()).for_each(|k| in_theta[(k, i)] = root[(k, j)] * scale[i]);
        }
        gram(in_theta.as_ref())
    }
}
