//! Short descents on a small nonlinear problem.

use pullback::descent::Tolerances;
use pullback::loss::L2Misfit;
use pullback::{Descent, Grid, Report};

use super::{Reaction, density};

pub(crate) fn line(cells: usize) -> Grid {
    Grid::new(&[(0.0, 1.0, cells)]).unwrap()
}

/// Only the iteration limit stops.
pub(crate) fn only(iterations: usize) -> Tolerances {
    Tolerances {
        gradient: 0.0,
        decrease: 0.0,
        step: 0.0,
        loss: 0.0,
        target: None,
        iterations,
    }
}

/// A nonlinear problem whose data no parameter explains.
pub(crate) fn misfit() -> (Reaction, L2Misfit, [f64; 3]) {
    let grid = line(15);
    let loss = L2Misfit::new(&grid, density(&grid, 2)).unwrap();
    (Reaction::new(15, 3, 1), loss, [0.5, -0.5, 0.5])
}

pub(crate) fn run(tolerances: Tolerances) -> Report {
    let (model, loss, start) = misfit();
    let descent = Descent::new(&model, &loss).tolerances(tolerances);
    descent.run(&start, |_| ()).unwrap()
}
