//! The laws of solves on a device, with the processor as the oracle.

use pullback::backend::{Precision, StencilSolver};
use pullback::faer::{Mat, MatRef};
use pullback::{Backend, Cpu, Cuda, Operator, Side, SolveStats, random};

use crate::support::stencils::{Case, KINDS, Kind, SIDES, cases, cpu};
use crate::support::{matrix_gap, reference_solve};

/// The device, or none where there is none and none is required.
fn device() -> Option<Cuda> {
    match Cuda::new(0) {
        Ok(cuda) => Some(cuda),
        Err(e) if std::env::var_os("PULLBACK_REQUIRE_GPU").is_none() => {
            println!("skipped: {e}");
            None
        }
        Err(e) => panic!("{e}"),
    }
}

fn solve(
    backend: &dyn Backend,
    a: Operator<'static>,
    side: Side,
    b: &Mat<f64>,
) -> (Mat<f64>, SolveStats) {
    let mut x = b.clone();
    let stats = backend.factor(a).unwrap().solve(side, x.as_mut()).unwrap();
    (x, stats)
}

fn side_of(case: &Case, side: Side) -> MatRef<'_, f64> {
    match side {
        Side::Plain => case.dense.as_ref(),
        Side::Transpose => case.dense.transpose(),
    }
}

#[test]
fn solutions_agree_with_the_processor_and_with_another_library() {
    let Some(cuda) = device() else { return };
    let oracle = cpu(StencilSolver::Multigrid);
    for case in cases() {
        for side in SIDES {
            let b = random::normal_matrix(case.dense.nrows(), 5, 6);
            let (x, stats) = solve(&cuda, case.operator(), side, &b);
            let (y, expected) = solve(&oracle, case.operator(), side, &b);
            let reference = reference_solve(side_of(&case, side), b.as_ref());
            let place = format!("{} {side:?}", case.name);
            let off = matrix_gap(x.as_ref(), reference.as_ref());
            let theirs = matrix_gap(y.as_ref(), reference.as_ref());
            assert!(
                off <= f64::max(1e-7, 10.0 * theirs),
                "{place}: off by {off:e}"
            );
            let apart = stats.iterations.abs_diff(expected.iterations);
            println!(
                "{place}: {} {} off {off:e} {theirs:e}",
                stats.iterations, expected.iterations
            );
            assert!(
                apart <= 9,
                "{place}: {} iterations, not {}",
                stats.iterations,
                expected.iterations
            );
        }
    }
}
