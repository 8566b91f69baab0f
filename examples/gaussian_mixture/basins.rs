//! Maps of the initial parameters from which a descent finds the truth.

use indicatif::ProgressBar;
use pullback::Result;
use pullback::plot::Field2;

use crate::output::REACHED;
use crate::pictures::sample;
use crate::problem::{Case, Problem};
use crate::support::geometry::{Geometry, LossKind};

/// Number of cells along each axis of the densities.
pub const CELLS: usize = 20;

/// Classifies the end of a descent: 0 at the truth, 1 away from it at a bound, 2 elsewhere, within 150 steps.
fn outcome(problem: &Problem, case: Case, geometry: Geometry, start: &[f64]) -> f64 {
    let Ok(report) = problem.descend(geometry, start, 150, |_| ()) else {
        return 2.0;
    };
    let at_bound = |(theta, (lower, upper)): (&f64, (f64, f64))| [lower, upper].contains(theta);
    let mut ends = report.theta.iter().zip(case.intervals());
    match (case.distance(&report.theta) < REACHED, ends.any(at_bound)) {
        (true, _) => 0.0,
        (false, true) => 1.0,
        (false, false) => 2.0,
    }
}

/// Classifies descents from `side`×`side` starts in the window, with densities on a coarse grid.
pub fn map(
    case: Case,
    loss: LossKind,
    geometry: Geometry,
    side: usize,
    bar: &ProgressBar,
) -> Result<Field2> {
    let problem = Problem::new(case, loss, CELLS)?;
    Ok(sample(case.window(), side, |start| {
        bar.inc(1);
        outcome(&problem, case, geometry, &start)
    }))
}

/// Fraction of the starts from which the truth is found.
pub fn share(field: &Field2) -> f64 {
    let reached = field.values.iter().filter(|v| **v == 0.0).count();
    reached as f64 / field.values.len() as f64
}
