//! Which starts lead to the truth.

use indicatif::ProgressBar;
use pullback::Result;
use pullback::plot::Field2;
use rayon::prelude::*;

use crate::output::REACHED;
use crate::problem::{Case, Geometry, LossKind, Problem};

/// Where a descent ended: 0 at the truth, 1 at the edge of the box, 2 nowhere in 150 steps.
fn fate(problem: &Problem, case: Case, geometry: Geometry, start: &[f64]) -> f64 {
    let Ok(report) = problem.descend(geometry, start, 150, |_| ()) else {
        return 2.0;
    };
    let at_edge = |(theta, name): (&f64, &&str)| Case::interval(name).contains(theta);
    let mut ends = report.theta.iter().zip(case.names());
    match (case.distance(&report.theta) < REACHED, ends.any(at_edge)) {
        (true, _) => 0.0,
        (false, true) => 1.0,
        (false, false) => 2.0,
    }
}

/// The fates of a grid of starts, `side`×`side` over the window, on a coarse grid of states.
pub fn map(
    case: Case,
    loss: LossKind,
    geometry: Geometry,
    side: usize,
    bar: &ProgressBar,
) -> Result<Field2> {
    let problem = Problem::new(case, loss, 28)?;
    let [x, y] = case.window();
    let mut field = Field2 {
        x,
        y,
        shape: [side, side],
        values: vec![0.0; side * side],
    };
    let starts: Vec<[f64; 2]> = (0..side * side)
        .map(|k| field.centre(k / side, k % side))
        .collect();
    field.values = starts
        .par_iter()
        .map(|start| {
            bar.inc(1);
            fate(&problem, case, geometry, start)
        })
        .collect();
    Ok(field)
}

/// The share of starts that reach the truth.
pub fn share(field: &Field2) -> f64 {
    let reached = field.values.iter().filter(|v| **v == 0.0).count();
    reached as f64 / field.values.len() as f64
}
