//! Solves with red-black sweeps: numbers of iterations, hard matrices, and what follows a failure.

use pullback::faer::Mat;
use pullback::linalg::{Stencil, SweepOrder};
use pullback::{Backend, Operator, Side, random};

use super::oracle::{System, iterations};
use super::{device, side_of, solve};
use crate::support::lorenz::Problem;
use crate::support::stencils::{Kind, SIDES, assemble, cases, operator, stencil};
use crate::support::{matrix_gap, reference_solve};

/// A system with its side and whether it is positive definite.
struct Posed {
    name: &'static str,
    stencil: Stencil,
    side: Side,
    definite: bool,
    b: Mat<f64>,
}

/// The stationary density of the Lorenz equations, adjoints, and the Laplacian weighted by the density, which spans
/// eight decades.
fn posed(n: usize) -> [Posed; 3] {
    let problem = Problem::new(n).unwrap();
    let (rho, _) = problem.stationary(pullback::Cpu::shared()).unwrap();
    let general = |name, side, b| Posed {
        name,
        stencil: problem.generator.clone(),
        side,
        definite: false,
        b,
    };
    let ones = Mat::from_fn(rho.len(), 1, |_, _| 1.0);
    [
        general("density", Side::Plain, ones),
        general("adjoint", Side::Transpose, problem.adjoint_sides(&rho, 1)),
        Posed {
            name: "Laplacian",
            stencil: problem.laplacian(&rho),
            side: Side::Plain,
            definite: true,
            b: problem.potential_sides(&rho, 1),
        },
    ]
}

#[test]
fn few_columns_take_as_many_iterations_as_red_black_multigrid_entry_by_entry() {
    let Some(mut cuda) = device() else { return };
    cuda.cpu.krylov_tolerance = 1e-8;
    for (n, posed) in [16, 32].into_iter().flat_map(|n| posed(n).map(|p| (n, p))) {
        let system = System {
            stencil: &posed.stencil,
            shape: [n; 3],
            side: posed.side,
            definite: posed.definite,
        };
        let expected = iterations(&system, posed.b.col_as_slice(0), 1e-8);
        let a = || operator(&posed.stencil, posed.definite);
        let (x, stats) = solve(&cuda, a(), posed.side, &posed.b);
        let place = format!("{} on {n}³ cells", posed.name);
        let method = stats.method.to_string();
        assert!(method.starts_with("red-black"), "{place}: {method}");
        let r = &posed.b - a().apply(posed.side, x.as_ref()).unwrap();
        assert!(r.norm_l2() < 1.01e-8 * posed.b.norm_l2(), "{place}");
        let found = (stats.iterations, expected);
        assert!(
            found.0.abs_diff(found.1) <= 1,
            "{place}: {found:?} iterations"
        );
    }
}

#[test]
fn red_black_sweeps_solve_what_sweeps_from_corners_solve() {
    let Some(mut cuda) = device() else { return };
    cuda.sweeps = SweepOrder::RedBlack;
    for (case, side) in cases().flat_map(|case| SIDES.map(|side| (case.clone(), side))) {
        let b = random::normal_matrix(case.dense.nrows(), 3, 6);
        let reference = reference_solve(side_of(&case, side), b.as_ref());
        let (x, stats) = solve(&cuda, case.operator(), side, &b);
        let place = format!("{} {side:?}", case.name);
        let method = stats.method.to_string();
        assert!(method.starts_with("red-black"), "{place}: {method}");
        let off = matrix_gap(x.as_ref(), reference.as_ref());
        assert!(off <= 1e-7, "{place}: off by {off:e}");
    }
}

#[test]
fn densities_over_eight_decades_need_no_declaration() {
    let Some(mut cuda) = device() else { return };
    cuda.sweeps = SweepOrder::RedBlack;
    let shape = [33, 34, 35];
    for (kind, definite) in [
        (Kind::Pinned, true),
        (Kind::Pinned, false),
        (Kind::Killed, false),
    ] {
        let stencil = stencil(kind, &shape);
        for side in SIDES {
            let b = random::normal_matrix(stencil.cells(), 2, 6);
            let a = || operator(&stencil, definite);
            let (x, stats) = solve(&cuda, a(), side, &b);
            let method = stats.method.to_string();
            assert!(
                method.starts_with("red-black"),
                "{kind:?} {side:?}: {method}"
            );
            let r = &b - a().apply(side, x.as_ref()).unwrap();
            assert!(r.norm_l2() < 1e-10 * b.norm_l2(), "{:e}", r.norm_l2());
        }
    }
}

#[test]
fn auto_solves_from_corners_what_red_black_sweeps_do_not() {
    let Some(mut cuda) = device() else { return };
    let [_, adjoint, _] = posed(16);
    let a = || Operator::stencil(adjoint.stencil.clone());
    let b = &adjoint.b;
    cuda.sweeps = SweepOrder::RedBlack;
    let (_, red_black) = solve(&cuda, a(), adjoint.side, b);
    cuda.sweeps = SweepOrder::Corners;
    let (expected, corners) = solve(&cuda, a(), adjoint.side, b);
    assert!(corners.iterations < red_black.iterations);
    // This limit ends red-black iterations before they have converged. Each iteration takes two products.
    cuda.cpu.krylov_products = 2 * corners.iterations;
    cuda.sweeps = SweepOrder::Auto;
    let factor = cuda.factor(a()).unwrap();
    let mut x = b.clone();
    let stats = factor.solve(adjoint.side, None, x.as_mut()).unwrap();
    assert_eq!(stats.method, corners.method);
    assert_eq!(stats.iterations, corners.iterations);
    assert!(x == expected);
    // Batches that stay on the device are solved anew as well.
    let batch = Mat::from_fn(b.nrows(), 2, |i, _| b[(i, 0)]);
    let (batch, stats) = factor
        .solve_batch(adjoint.side, None, batch.into())
        .unwrap();
    assert_eq!(stats.method, corners.method);
    let found = batch.fetch().unwrap();
    assert!(matrix_gap(found.subcols(1, 1), expected.as_ref()) < 1e-8);
    drop(factor);
    // Without sweeps from the corners, the processor takes over.
    cuda.sweeps = SweepOrder::RedBlack;
    let (_, stats) = solve(&cuda, a(), adjoint.side, b);
    assert!(
        !stats.method.to_string().contains("GPU"),
        "{}",
        stats.method
    );
}

#[test]
fn auto_solves_on_the_processor_what_neither_order_solves() {
    let Some(mut cuda) = device() else { return };
    // A chain whose random drift traps mass in hundreds of places, from which almost none is lost.
    let n = 400;
    let drift = random::normal(n, 1, 0);
    let rates = |_, lower: usize| [drift[lower], -drift[lower]].map(|v: f64| v.max(0.0) + 0.01);
    let mut chain = assemble(&[n], rates);
    chain.add_diagonal(&vec![1e-6; n]);
    let b = random::normal_matrix(n, 1, 2);
    cuda.cpu.krylov_products = 60;
    for sweeps in [SweepOrder::Corners, SweepOrder::RedBlack, SweepOrder::Auto] {
        cuda.sweeps = sweeps;
        let a = || Operator::stencil(chain.clone());
        let (x, stats) = solve(&cuda, a(), Side::Plain, &b);
        assert!(!stats.method.to_string().contains("GPU"), "{sweeps:?}");
        let (expected, _) = solve(pullback::Cpu::shared(), a(), Side::Plain, &b);
        assert!(x == expected, "{sweeps:?}");
    }
}
