//! Coordinate of a profiled parameter: its limits, and how far a profile is followed.

use crate::coordinates::{Bounds, Transform};

/// Fraction of the threshold's root that a step shall add.
pub(super) const AIM: f64 = 0.125;

/// Number of Wald half-widths up to which a profile is followed at least.
const WIDTHS: f64 = 10.0;

/// First step in a coordinate without a Wald interval, relative to the size of the parameter.
const GUESS: f64 = 0.05;

/// Half-line of a parameter on one side of the fit, with steps in its coordinate ξ of the descent.
pub(super) struct Axis {
    transform: Transform,
    /// Parameter θⱼ and coordinate ξⱼ of the fit.
    fit: [f64; 2],
    /// Direction of increasing distance, ±1.
    pub(super) sign: f64,
    /// End of the domain in θⱼ: the bound, or the end of the interval of the transform, or ±∞.
    pub(super) limit: f64,
    /// Distance of the limit in ξ, or ∞ if a descent cannot be held there.
    pub(super) length: f64,
    /// Distance in ξ from the fit up to which the profile is followed.
    pub(super) reach: f64,
    /// First step in ξ.
    pub(super) first: f64,
}

/// Profiled parameter at the fit.
#[derive(Clone, Copy)]
pub(super) struct Fitted {
    pub(super) value: f64,
    pub(super) transform: Transform,
    /// Lower and upper bound.
    pub(super) bounds: [f64; 2],
    /// Half of the Wald interval, or 0 if it is unknown or infinite.
    pub(super) width: f64,
}

impl Axis {
    /// Creates the half-line in the direction `sign`. `reach` is the factor of the parameter up to which its profile is
    /// followed.
    pub(super) fn new(fit: Fitted, sign: f64, reach: f64) -> Self {
        let (transform, side) = (fit.transform, usize::from(sign > 0.0));
        let ends = match transform {
            Transform::Identity => [f64::NEG_INFINITY, f64::INFINITY],
            Transform::Log => [0.0, f64::INFINITY],
            Transform::Logit { lower, upper } => [lower, upper],
        };
        // A transform excludes its ends, bounds include theirs.
        let inside = sign * fit.bounds[side] < sign * ends[side];
        let limit = if inside { fit.bounds[side] } else { ends[side] };
        let start = transform.inverse(fit.value);
        let length = match inside {
            true => sign * (transform.inverse(limit) - start),
            false => f64::INFINITY,
        };
        let width = fit.width / transform.slope(fit.value);
        // Equal steps in ξ are equal factors of θ for a logarithm, and equal factors of the odds for a logit.
        let (size, far) = match transform {
            Transform::Identity => match fit.value {
                0.0 if width > 0.0 => (width, 0.0),
                0.0 if length.is_finite() => (length, length),
                0.0 => (1.0, reach),
                value => (value.abs(), reach * value.abs()),
            },
            _ => (1.0, reach.ln()),
        };
        Self {
            transform,
            fit: [fit.value, start],
            sign,
            limit,
            length,
            reach: far.max(WIDTHS * width),
            first: match width > 0.0 {
                true => AIM * width,
                false => GUESS * size,
            },
        }
    }

    /// Returns the parameter at this distance in ξ from the fit.
    pub(super) fn value(&self, distance: f64) -> f64 {
        if distance >= self.length {
            return self.limit;
        }
        let value = self.transform.forward(self.fit[1] + self.sign * distance);
        // Rounding must not lead back beyond the fit, or out of the bounds.
        match self.sign > 0.0 {
            true => value.max(self.fit[0]).min(self.limit),
            false => value.min(self.fit[0]).max(self.limit),
        }
    }

    /// Returns the distance of the next point after a `step`. Returns None at the end of the domain, and beyond the reach of a
    /// profile that no longer `rises`.
    pub(super) fn next(&self, distance: f64, step: f64, rises: bool) -> Option<f64> {
        if distance >= self.length {
            return None;
        }
        let far = distance >= self.reach;
        if far && !rises {
            // A bound beyond the reach is tried at once: the profile may exceed its threshold there.
            return self.length.is_finite().then_some(self.length);
        }
        let end = if far {
            self.length
        } else {
            self.length.min(self.reach)
        };
        let next = distance + step;
        // The last step is not much shorter than the one before.
        Some(if next + 0.1 * step >= end { end } else { next })
    }
}

/// Coordinates of the other parameters: transforms, and bounds into which starting points are moved.
pub(super) struct Others<'a> {
    pub(super) transforms: Option<&'a [Transform]>,
    pub(super) bounds: Option<&'a Bounds>,
}

impl Others<'_> {
    fn transform(&self, i: usize) -> Transform {
        self.transforms.map_or(Transform::Identity, |t| t[i])
    }

    /// Returns the parameters on the line through two points at `ratio`, which is 0 at the first and 1 at the second. The
    /// line is straight in the coordinates of the descent.
    pub(super) fn line(&self, from: &[f64], to: &[f64], ratio: f64) -> Vec<f64> {
        let xi = |i: usize, theta: f64| self.transform(i).inverse(theta);
        let moved = |i: usize| {
            let (a, b) = (xi(i, from[i]), xi(i, to[i]));
            // Both ends are kept to the bit where they agree.
            match a == b {
                true => from[i],
                false => self.transform(i).forward(a + ratio * (b - a)),
            }
        };
        self.inside((0..from.len()).map(moved).collect())
    }

    /// Returns θ after a step whose entries are changes of θ to first order.
    pub(super) fn after(&self, theta: &[f64], change: &[f64]) -> Vec<f64> {
        let moved = |i: usize| {
            let transform = self.transform(i);
            match change[i] == 0.0 {
                true => theta[i],
                false => {
                    let xi = transform.inverse(theta[i]) + change[i] / transform.slope(theta[i]);
                    transform.forward(xi)
                }
            }
        };
        self.inside((0..theta.len()).map(moved).collect())
    }

    fn inside(&self, mut theta: Vec<f64>) -> Vec<f64> {
        if let Some(bounds) = self.bounds {
            bounds.clamp(&mut theta);
        }
        theta
    }
}
