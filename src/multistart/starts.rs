//! Starting points: given, drawn in a box, or scattered around a point.

use crate::check;
use crate::coordinates::{Bounds, Transform};
use crate::descent::Descent;
use crate::error::{Error, Result};
use crate::random;

/// Group of starting points.
#[derive(Clone)]
pub(super) enum Group {
    Given(Vec<Vec<f64>>),
    Within(Bounds, usize),
    Around {
        centre: Vec<f64>,
        spread: Vec<f64>,
        count: usize,
    },
}

impl Group {
    /// Returns the points of the group, valid starts of the descent.
    pub(super) fn points(&self, descent: &Descent<'_>, seed: u64) -> Result<Vec<Vec<f64>>> {
        let count = match self {
            Self::Given(points) => points.len(),
            Self::Within(_, count) | Self::Around { count, .. } => *count,
        };
        check::option(
            "the number of starting points",
            count as f64,
            count > 0,
            "ask for at least one",
        )?;
        let points = match self {
            Self::Given(points) => points.clone(),
            Self::Within(bounds, _) => within(descent, bounds, (count, seed))?,
            Self::Around { centre, spread, .. } => around(descent, (centre, spread), count, seed)?,
        };
        points.iter().try_for_each(|point| descent.check(point))?;
        Ok(points)
    }
}

/// Returns points of a Latin hypercube between the ends of a box, in the coordinates of the descent.
fn within(
    descent: &Descent<'_>,
    bounds: &Bounds,
    (count, seed): (usize, u64),
) -> Result<Vec<Vec<f64>>> {
    let (lower, upper) = (bounds.lower(), bounds.upper());
    let what = "the box of starting points";
    check::length(what, lower.len(), descent.param_dim())?;
    for (index, (&lower, &upper)) in lower.iter().zip(upper).enumerate() {
        if !lower.is_finite() || !upper.is_finite() {
            return Err(Error::Bounds {
                what,
                index,
                lower,
                upper,
            });
        }
    }
    descent.check_domain("the lower corner of the box of starting points", lower)?;
    descent.check_domain("the upper corner of the box of starting points", upper)?;
    let transforms = transforms(descent);
    let place = |shares: Vec<f64>| {
        let coordinate = |(j, share): (usize, f64)| {
            let [from, to] = [lower[j], upper[j]].map(|end| transforms[j].inverse(end));
            // The difference of the ends could overflow.
            transforms[j].forward(from * (1.0 - share) + to * share)
        };
        let mut point: Vec<f64> = shares.into_iter().enumerate().map(coordinate).collect();
        bounds.clamp(&mut point);
        point
    };
    let shares = random::latin_hypercube(count, lower.len(), seed);
    Ok(shares.into_iter().map(place).collect())
}

/// Returns points with normal displacements from `centre`, in the coordinates of the descent.
fn around(
    descent: &Descent<'_>,
    (centre, spread): (&[f64], &[f64]),
    count: usize,
    seed: u64,
) -> Result<Vec<Vec<f64>>> {
    let what = "the centre of the starting points";
    check::length(what, centre.len(), descent.param_dim())?;
    check::finite(what, centre)?;
    descent.check_domain(what, centre)?;
    let what = "the spread of the starting points";
    check::length(what, spread.len(), centre.len())?;
    check::finite(what, spread)?;
    let least = spread.iter().copied().fold(0.0, f64::min);
    let remedy = "give standard deviations that are not negative";
    check::option(what, least, least >= 0.0, remedy)?;
    let (bounds, transforms) = (descent.domain().0, transforms(descent));
    let place = |k: usize| {
        let displacements = random::normal(centre.len(), seed, k as u64 + 1);
        let coordinate = |(j, d): (usize, f64)| {
            let transform = transforms[j];
            match spread[j] > 0.0 {
                true => transform.forward(transform.inverse(centre[j]) + spread[j] * d),
                false => centre[j],
            }
        };
        let mut point: Vec<f64> = displacements
            .into_iter()
            .enumerate()
            .map(coordinate)
            .collect();
        if let Some(bounds) = bounds {
            bounds.clamp(&mut point);
        }
        point
    };
    Ok((0..count).map(place).collect())
}

/// Returns the transforms of all parameters.
fn transforms(descent: &Descent<'_>) -> Vec<Transform> {
    let identity = || vec![Transform::Identity; descent.param_dim()];
    descent
        .domain()
        .1
        .map_or_else(identity, <[Transform]>::to_vec)
}
