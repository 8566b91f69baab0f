//! The fit, and the options that all profiles share.

use super::Progress;
use super::axis::Fitted;
use super::result::Point;
use crate::coordinates::Transform;
use crate::descent::Descent;
use crate::posterior::Uncertainty;

/// Difference of two objectives, relative to the threshold and to the objective, that is no difference.
const NEGLIGIBLE: f64 = 1e-6;
const ROUNDING: f64 = 1e-12;

/// Fit and options that all profiles share.
pub(super) struct Problem<'p> {
    pub(super) descent: &'p Descent<'p>,
    pub(super) theta: &'p [f64],
    pub(super) rho: &'p [f64],
    pub(super) objective: f64,
    pub(super) threshold: f64,
    pub(super) quantile: f64,
    pub(super) uncertainty: Option<&'p Uncertainty>,
    pub(super) wald: Option<Vec<(f64, f64)>>,
    pub(super) reach: f64,
    pub(super) observer: &'p (dyn Fn(Progress<'_>) + Sync),
}

impl Problem<'_> {
    /// Returns a point of the profile of a parameter.
    pub(super) fn point(&self, parameter: usize, objective: f64, theta: &[f64]) -> Point {
        let (value, fit) = (theta[parameter], self.theta[parameter]);
        let increase = (objective - self.objective).max(0.0);
        let size = self.quantile * (increase / self.threshold).sqrt();
        Point {
            value,
            objective,
            zeta: if value < fit { -size } else { size },
            theta: theta.to_vec(),
        }
    }

    /// Returns the difference of the objective below that of the fit which does not count.
    pub(super) fn negligible(&self) -> f64 {
        (NEGLIGIBLE * self.threshold).max(ROUNDING * self.objective.abs())
    }

    /// Returns a parameter at the fit, with its transform, bounds and Wald half-width.
    pub(super) fn fitted(&self, j: usize) -> Fitted {
        let (bounds, transforms) = self.descent.domain();
        let width = self
            .wald
            .as_ref()
            .map_or(0.0, |wald| 0.5 * (wald[j].1 - wald[j].0));
        Fitted {
            value: self.theta[j],
            transform: transforms.map_or(Transform::Identity, |t| t[j]),
            bounds: match bounds {
                None => [f64::NEG_INFINITY, f64::INFINITY],
                Some(bounds) => [bounds.lower()[j], bounds.upper()[j]],
            },
            width: if width.is_finite() { width } else { 0.0 },
        }
    }
}
