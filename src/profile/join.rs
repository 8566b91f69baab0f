//! Profiles from their two sides.

use super::problem::Problem;
use super::result::{End, Identifiability, Point, Profile, Profiles};
use super::walk::Side;
use crate::descent::Counts;

/// Joins both sides of every profile.
pub(super) fn collect(
    problem: &Problem<'_>,
    sides: Vec<Side<'_>>,
    names: Vec<String>,
    level: f64,
) -> Profiles {
    let mut counts = Counts::default();
    sides.iter().for_each(|side| counts += side.held.counts);
    let found = sides.iter().filter_map(|side| side.held.lowest.clone());
    let better = found.reduce(|a, b| if b.objective < a.objective { b } else { a });
    let mut profiles = Vec::new();
    let mut sides = sides.into_iter();
    while let (Some(below), Some(above)) = (sides.next(), sides.next()) {
        profiles.push(join(problem, below, above));
    }
    Profiles {
        names,
        theta: problem.theta.to_vec(),
        objective: problem.objective,
        threshold: problem.threshold,
        quantile: problem.quantile,
        level,
        profiles,
        better,
        counts,
    }
}

/// Joins the two sides of a profile at the fit.
fn join(problem: &Problem<'_>, below: Side<'_>, above: Side<'_>) -> Profile {
    let (parameter, fit) = (below.held.parameter, below.minima.len() - 1);
    let points: Vec<Point> = below.minima.into_iter().rev().map(|m| m.point).collect();
    let rest = above.minima.into_iter().skip(1).map(|m| m.point);
    let points: Vec<Point> = points.into_iter().chain(rest).collect();
    let ends = [below.end, above.end];
    let change = |point: &Point| (point.objective - problem.objective).abs();
    let constant = points.iter().all(|p| change(p) <= problem.negligible());
    let rejected = [below.held.rejected, above.held.rejected].concat();
    Profile {
        parameter,
        identifiability: match points.len() == 1 && ends.iter().all(|end| *end == End::Bound) {
            true => Identifiability::Fixed,
            false => Identifiability::of(&ends, constant),
        },
        points,
        fit,
        interval: (below.value, above.value),
        ends,
        wald: problem.wald.as_ref().map(|wald| wald[parameter]),
        rejected,
    }
}
