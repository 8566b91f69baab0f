//! The largest task that the documentation names, a density and its three sensitivities, takes no more than it must.

use crate::allocator::{alone, peak};
use pullback::linalg::StencilSolver;
use pullback::models::InvariantMeasure;
use pullback::models::flow::Lorenz;
use pullback::{Cpu, Grid, Linearisation, random};
use rayon::ThreadPoolBuilder;

const CELLS: usize = 40;

/// Numbers a cell: the stencil 7; of its hierarchy 8 ⅐ and a reciprocal; ∂g/∂θ 3, its copy with a probe 4, the density 1;
/// for four columns side by side six vectors of BiCGSTAB and one of its preconditioner, and two on coarser levels.
const NUMBERS: f64 = 7.0 + 8.0 / 7.0 + 1.0 + 3.0 + 4.0 + 1.0 + 4.0 * (6.0 + 1.0 + 2.0 / 7.0);

#[test]
fn a_density_and_its_sensitivities_take_what_their_vectors_take() {
    let _alone = alone();
    let axes = Lorenz::BOX.map(|(a, b)| (a, b, CELLS));
    let model = InvariantMeasure::new(&Grid::new(&axes).unwrap(), Lorenz).unwrap();
    // As on grids that are too large for a factorisation.
    let mut cpu = Cpu::default();
    cpu.stencils = StencilSolver::Multigrid;
    let task = || {
        let rho = model.density(&Lorenz::CLASSIC, &cpu).unwrap();
        let z = Linearisation::new(&model, &rho, &Lorenz::CLASSIC, &cpu).unwrap();
        assert!(z.matrix().unwrap().norm_l2() > 0.0);
    };
    for threads in [1, 2] {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        // What dense products keep for every thread is not part of any task.
        pool.broadcast(|_| {
            drop(random::normal_matrix(300, 300, 1) * random::normal_matrix(300, 300, 2))
        });
        let (taken, ()) = pool.install(|| peak(task));
        let numbers = taken as f64 / (CELLS.pow(3) * size_of::<f64>()) as f64;
        println!("{threads} threads: {numbers:.1} numbers a cell, {NUMBERS:.1} accounted for");
        assert!(numbers < 1.03 * NUMBERS, "{numbers} numbers a cell");
    }
}
