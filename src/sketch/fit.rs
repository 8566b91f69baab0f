//! Weighted least squares with leave-one-out solutions.
//!
//! Let A have the rows aⱼ = √ωⱼ sⱼ, G = AᵀA, and η = argmin ‖A η + b‖² = −G⁻¹Aᵀb. Without row j the matrix is
//! G − aⱼaⱼᵀ. With hⱼ = aⱼᵀG⁻¹aⱼ (the diagonal of the hat matrix), Sherman and Morrison give
//!
//! ```text
//! (G − aⱼaⱼᵀ)⁻¹ = G⁻¹ + G⁻¹aⱼaⱼᵀG⁻¹/(1 − hⱼ),
//! η₍ⱼ₎ = η + G⁻¹aⱼ (aⱼᵀη + bⱼ)/(1 − hⱼ),     −(G − aⱼaⱼᵀ)⁻¹g = ξ + G⁻¹aⱼ (aⱼᵀξ)/(1 − hⱼ) for ξ = −G⁻¹g,
//! ```
//!
//! so that no system is solved again. If one of n random rows is left out, the others have the weight 1/(n−1). A then
//! contains this weight from the start, and the formulas hold unchanged. With A = QR, columns scaled to unit length,
//! G⁻¹aⱼ = R⁺uⱼ and hⱼ = ‖uⱼ‖² for uⱼ = R⁺ᵀaⱼ. For a deficient rank all this holds on the row space, as long as
//! hⱼ < 1: otherwise row j alone determines a direction.

use faer::{Mat, MatRef};

use super::product;
use crate::linalg::{TriangularForm, minimum_norm, minimum_norms};
use crate::vector::dot;

/// Relative size below which a pivot counts as zero, as for the exact direction.
const RANK: f64 = 1e-12;

/// Largest leverage of a row that can be left out.
//
// The step below is divided by 1 − h, which has a rounding error of a few ε. At 1 − h = 1e-10 about five
// digits of the step remain correct.
const REMOVABLE: f64 = 1.0 - 1e-10;

pub(super) struct Fit {
    /// Pseudo-inverse R⁺, for columns of unit length.
    inverse: Mat<f64>,
    /// Rows aⱼ, stored as columns, in the same scaling.
    rows: Mat<f64>,
    rhs: Vec<f64>,
    scale: Vec<f64>,
    minimiser: Vec<f64>,
    pub(super) rank: usize,
}

impl Fit {
    /// Minimises Σ ωⱼ (sⱼᵀη + bⱼ)², with sⱼ the columns of `s`.
    pub(super) fn new(s: MatRef<'_, f64>, weights: &[f64], b: &[f64]) -> Self {
        let (p, m) = s.shape();
        let roots: Vec<f64> = weights.iter().map(|w| w.sqrt()).collect();
        let mut rows = Mat::from_fn(p, m, |i, j| roots[j] * s[(i, j)]);
        let rhs: Vec<f64> = b.iter().zip(&roots).map(|(b, r)| b * r).collect();
        // One QR of [A | b] gives R and Qᵀb.
        // The normal matrix AᵀA is avoided, because its condition number is the square of that of A.
        let augmented = |j: usize, i: usize| if i < p { rows[(i, j)] } else { rhs[j] };
        let mut form = TriangularForm::of(Mat::from_fn(m, p + 1, augmented));
        let unit = |n: &f64| if n.is_normal() { n.recip() } else { 1.0 };
        let scale: Vec<f64> = form.column_norms().iter().map(unit).collect();
        form.scale_columns(&scale);
        for j in 0..m {
            let row = rows.col_as_slice_mut(j).iter_mut().zip(&scale);
            row.for_each(|(a, s)| *a *= s);
        }
        let (minimiser, rank) = minimum_norm(form.r.as_ref(), &form.c, RANK);
        // argmin ‖R X + I‖ = −R⁺.
        let (negative, _) = minimum_norms(form.r.as_ref(), Mat::identity(p, p).as_ref(), RANK);
        Self {
            inverse: -negative,
            rows,
            rhs,
            minimiser: times(&minimiser, &scale),
            scale,
            rank,
        }
    }

    /// Returns the minimiser η, of least norm in the scaling of the columns.
    pub(super) fn minimiser(&self) -> &[f64] {
        &self.minimiser
    }

    /// Returns the direction −G⁺g.
    pub(super) fn direction(&self, g: &[f64]) -> Vec<f64> {
        // G⁺ = R⁺R⁺ᵀ in scaled coordinates.
        let g = times(g, &self.scale);
        let half = product(self.inverse.transpose(), column(&g));
        let x = product(self.inverse.as_ref(), half.as_ref());
        let x: Vec<f64> = x.col_as_slice(0).iter().map(|x| -x).collect();
        times(&x, &self.scale)
    }

    /// Returns the leave-one-out versions of `base` (η or ξ) for each row from `first` on, or None if one of these
    /// rows alone determines a direction. For ξ the fit must have b = 0.
    pub(super) fn leave_one_out(&self, first: usize, base: &[f64]) -> Option<Mat<f64>> {
        let (p, m) = self.rows.shape();
        let unscaled: Vec<f64> = base.iter().zip(&self.scale).map(|(x, s)| x / s).collect();
        let random = self.rows.subcols(first, m - first);
        // All replicates together take O(m p²) operations, as many as one QR, and no solve.
        let u = product(self.inverse.transpose(), random);
        let steps = product(self.inverse.as_ref(), u.as_ref());
        let mut out = Mat::zeros(p, m - first);
        for j in 0..m - first {
            // x₍ⱼ₎ = x + R⁺uⱼ (aⱼᵀx + bⱼ)/(1 − hⱼ), as derived in the module documentation.
            let leverage = dot(u.col_as_slice(j), u.col_as_slice(j));
            if leverage > REMOVABLE {
                return None;
            }
            let residual = dot(self.rows.col_as_slice(first + j), &unscaled) + self.rhs[first + j];
            let length = residual / (1.0 - leverage);
            for i in 0..p {
                out[(i, j)] = base[i] + self.scale[i] * steps[(i, j)] * length;
            }
        }
        Some(out)
    }
}

fn times(x: &[f64], scale: &[f64]) -> Vec<f64> {
    x.iter().zip(scale).map(|(x, s)| x * s).collect()
}

pub(super) fn column(x: &[f64]) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(x, x.len(), 1)
}
