//! Which starts lead to the truth.

use indicatif::ProgressBar;
use pullback::plot::Field2;
use pullback::{Flow, Iterate, Result};
use rayon::prelude::*;

use crate::output::REACHED;
use crate::problem::{Case, Geometry, LossKind, Problem};

/// Where a descent ended: 0 at the truth, 1 elsewhere, 2 outside the window.
fn fate(problem: &Problem, case: Case, geometry: Geometry, start: &[f64]) -> f64 {
    let window = case.window();
    let escaped = |i: &Iterate| {
        let mut coordinates = i.theta.iter().zip(window);
        coordinates.any(|(t, [lower, upper])| {
            let margin = 0.5 * (upper - lower);
            *t < lower - margin || *t > upper + margin
        })
    };
    let mut outside = false;
    let report = problem.descend(geometry, start, 150, |i| {
        outside = escaped(i);
        if outside { Flow::Stop } else { Flow::Continue }
    });
    let Ok(report) = report else { return 1.0 };
    let pairs = report.theta.iter().zip(case.truth());
    let distance = pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
    match (outside, distance < REACHED) {
        (true, _) => 2.0,
        (false, true) => 0.0,
        (false, false) => 1.0,
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
