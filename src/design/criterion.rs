//! Measures of information.

use faer::{Mat, MatRef};

use crate::linalg::{Side, lower_cholesky, solve_triangular, symmetric_eigen};

/// Measure of the information M about the parameters, whose inverse is their covariance.
///
/// D does not depend on the units of the parameters. A and E do: see [`Candidates::units`](super::Candidates::units).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// Largest ln det M: the confidence ellipsoid has the least volume.
    D,
    /// Least trace of M⁻¹, the sum of the variances.
    A,
    /// Largest smallest eigenvalue of M: the longest axis of the confidence ellipsoid is the shortest.
    E,
}

impl Criterion {
    /// Returns the value of the criterion: ln det M, the trace of M⁻¹, or the smallest eigenvalue of M. A singular M has the
    /// values −∞, ∞ and 0.
    pub fn value(self, information: MatRef<'_, f64>) -> f64 {
        let quality = self.quality(information);
        match self {
            Self::D => quality,
            Self::A => -quality,
            Self::E => quality.max(0.0),
        }
    }

    /// Returns the concave function of M that is to be as large as possible, or −∞ if M is singular.
    pub(super) fn quality(self, information: MatRef<'_, f64>) -> f64 {
        let p = information.nrows();
        if self == Self::E {
            return symmetric_eigen(information)
                .0
                .last()
                .copied()
                .unwrap_or(f64::NEG_INFINITY);
        }
        let Some(l) = root(information) else {
            return f64::NEG_INFINITY;
        };
        if self == Self::D {
            return (0..p).map(|i| 2.0 * l[(i, i)].ln()).sum();
        }
        // M⁻¹ = L⁻ᵀL⁻¹ has the trace ‖L⁻¹‖².
        let mut inverse = Mat::identity(p, p);
        solve_triangular(l.as_ref(), Side::Plain, inverse.as_mut());
        -inverse.squared_norm_l2()
    }

    /// Returns the share in the best quality that `quality` reaches, for the criterion as a mean variance or a mean precision.
    pub(super) fn efficiency(self, quality: f64, best: f64, parameters: usize) -> f64 {
        let share = match self {
            Self::D => ((quality - best) / parameters as f64).exp(),
            Self::A => best / quality,
            Self::E => quality / best,
        };
        share.min(1.0)
    }
}

/// Returns the lower Cholesky factor of M, or None if M is not positive definite.
pub(super) fn root(m: MatRef<'_, f64>) -> Option<Mat<f64>> {
    let l = lower_cholesky(m, "the information").ok()?;
    let sound = |i| l[(i, i)] > 0.0 && l[(i, i)].is_finite();
    (0..m.nrows()).all(sound).then_some(l)
}
