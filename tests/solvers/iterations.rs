//! What iterations with stencils promise in any precision, from anywhere, and about what is to come.

use crate::support::stencils::{
    Case, KINDS, Kind, SIDES, SOLVERS, cpu, hopeless, operator, stencil,
};
use pullback::faer::Mat;
use pullback::linalg::{Method, Precision, SolveStats, Stencil, StencilSolver};
use pullback::{Backend, Cpu, Operator, Side, random};

const SHAPES: [&[usize]; 3] = [&[17, 19], &[5, 7, 6], &[11, 12, 9]];

fn iterations() -> impl Iterator<Item = StencilSolver> {
    let direct = [StencilSolver::Direct, StencilSolver::Auto];
    SOLVERS.into_iter().filter(move |s| !direct.contains(s))
}

/// ‖b − A x‖₂/‖b‖₂ of the worst column.
fn residual(a: &Operator<'_>, side: Side, x: &Mat<f64>, b: &Mat<f64>) -> f64 {
    let r = b - a.apply(side, x.as_ref()).unwrap();
    let norm = |m: &Mat<f64>, j: usize| m.col(j).norm_l2();
    let relative = |j: usize| match norm(b, j) {
        0.0 => norm(x, j),
        size => norm(&r, j) / size,
    };
    (0..b.ncols()).map(relative).fold(0.0, f64::max)
}

#[test]
fn either_precision_of_the_preconditioner_gives_the_accuracy_that_was_asked_for() {
    for kind in [Kind::Killed, Kind::Pinned] {
        for (shape, solver) in SHAPES
            .into_iter()
            .flat_map(|shape| iterations().map(move |s| (shape, s)))
        {
            for (side, cycles) in SIDES
                .into_iter()
                .flat_map(|side| [(side, Precision::Single), (side, Precision::Double)])
            {
                let case = Case::new(kind, shape);
                let mut cpu = cpu(solver);
                cpu.cycles = cycles;
                let b = random::normal_matrix(case.stencil.cells(), 19, 3);
                let mut x = b.clone();
                let factor = cpu.factor(case.operator()).unwrap();
                factor.solve(side, None, x.as_mut()).unwrap();
                let found = residual(&case.operator(), side, &x, &b);
                let place = format!("{}, {solver:?}, {side:?}, {cycles:?}", case.name);
                assert!(found <= 1.01 * cpu.krylov_tolerance, "{place}: {found:e}");
            }
        }
    }
}

/// Solves from these; answers with what was found, and how far that is from satisfying the equations.
fn from(case: &Case, solver: StencilSolver, near: &Mat<f64>, b: &Mat<f64>) -> (SolveStats, f64) {
    let cpu = cpu(solver);
    let factor = cpu.factor(case.operator()).unwrap();
    let mut x = b.clone();
    let solved = factor.solve(Side::Plain, Some(near.as_ref()), x.as_mut());
    let found = residual(&case.operator(), Side::Plain, &x, b);
    (solved.unwrap(), found)
}

#[test]
fn good_beginnings_save_iterations_and_bad_ones_harm_no_answer() {
    for (kind, shape) in KINDS
        .into_iter()
        .flat_map(|kind| SHAPES.map(|shape| (kind, shape)))
    {
        let case = Case::new(kind, shape);
        let n = case.stencil.cells();
        let mut b = random::normal_matrix(n, 5, 8);
        b.col_mut(2).fill(0.0);
        for solver in iterations().filter(|s| !hopeless(&case, *s)) {
            let enough = 1.01 * cpu(solver).krylov_tolerance;
            let (stats, found) = from(&case, solver, &Mat::zeros(n, 5), &b);
            // Where densities span many decades rounding leaves more than was asked for, a bit more or less of it.
            let (cold, most) = (stats.iterations, f64::max(enough, 10.0 * found));
            let mut answer = b.clone();
            let cpu = cpu(solver);
            let factor = cpu.factor(case.operator()).unwrap();
            factor.solve(Side::Plain, None, answer.as_mut()).unwrap();
            let noise = random::normal_matrix(n, 5, 9);
            let nearly = Mat::from_fn(n, 5, |i, j| answer[(i, j)] * (1.0 + 1e-6 * noise[(i, j)]));
            let place = format!("{}, {solver:?}", case.name);
            let (stats, found) = from(&case, solver, &answer, &b);
            assert!(found <= most, "{place}: {found:e}");
            assert!(stats.iterations == 0 || most > enough, "{place}: {stats:?}");
            let (stats, found) = from(&case, solver, &nearly, &b);
            assert!(found <= most, "{place}: {found:e}");
            let fewer = stats.iterations <= cold;
            assert!(fewer || most > enough, "{place}: {stats:?}, {cold} cold");
            let (_, found) = from(&case, solver, &(1e9 * &noise), &b);
            assert!(found <= most, "{place}, from far away: {found:e}");
        }
    }
}

#[test]
fn beginnings_that_do_not_fit_are_errors_and_no_numbers_are_no_beginning() {
    let case = Case::new(Kind::Killed, &[17, 19]);
    let cpu = cpu(StencilSolver::Dilu);
    let factor = cpu.factor(case.operator()).unwrap();
    let b = random::normal_matrix(17 * 19, 3, 1);
    for near in [Mat::zeros(17 * 19, 2), Mat::zeros(17, 3)] {
        let mut x = b.clone();
        let outcome = factor.solve(Side::Plain, Some(near.as_ref()), x.as_mut());
        assert_eq!(outcome.unwrap_err().kind(), "Dimension");
    }
    let nothing = Mat::from_fn(17 * 19, 3, |_, _| f64::NAN);
    let (_, found) = from(&case, StencilSolver::Dilu, &nothing, &b);
    assert!(found <= 1.01 * cpu.krylov_tolerance);
}

#[test]
fn columns_that_are_announced_count_for_the_choice() {
    let case = Case::new(Kind::Killed, &[11, 12, 9]);
    let method = |announced: usize| {
        let cpu = Cpu::default();
        let factor = cpu.factor(case.operator()).unwrap();
        factor.announce(announced);
        let mut x = random::normal_matrix(11 * 12 * 9, 2, 1);
        factor.solve(Side::Plain, None, x.as_mut()).unwrap().method
    };
    assert_eq!(method(2), Method::DiluBiCgStab);
    assert_eq!(method(100), Method::MultifrontalLu);
}

#[test]
fn columns_whose_squares_vanish_or_overflow_are_solved_like_any_other() {
    for (kind, solver) in [Kind::Killed, Kind::Pinned]
        .into_iter()
        .flat_map(|kind| iterations().map(move |s| (kind, s)))
    {
        let case = Case::new(kind, &[17, 19]);
        let (cpu, n) = (cpu(solver), case.stencil.cells());
        let factor = cpu.factor(case.operator()).unwrap();
        let b = random::normal_matrix(n, 5, 3);
        let powers = [0, -600, 600, 0, -900].map(|k| 2_f64.powi(k));
        let scaled = |m: &Mat<f64>| Mat::from_fn(n, 5, |i, j| powers[j] * m[(i, j)]);
        let (mut x, mut from_tiny) = (b.clone(), scaled(&b));
        let stats = factor.solve(Side::Plain, None, x.as_mut()).unwrap();
        let found = factor.solve(Side::Plain, None, from_tiny.as_mut()).unwrap();
        assert_eq!((found, &from_tiny), (stats, &scaled(&x)), "{}", case.name);
        let (mut again, near) = (scaled(&b), scaled(&x));
        factor
            .solve(Side::Plain, Some(near.as_ref()), again.as_mut())
            .unwrap();
        assert_eq!(again, near, "{}: from the solution", case.name);
    }
}

#[test]
fn a_solution_that_overflows_is_an_error() {
    let mut stencil = Stencil::new(&[3, 5]);
    stencil.add_diagonal(&[1e-10; 15]);
    for definite in [true, false] {
        let a = Operator::stencil(stencil.clone());
        let a = if definite { a.positive_definite() } else { a };
        let cpu = cpu(StencilSolver::Multigrid);
        let factor = cpu.factor(a).unwrap();
        let mut x = Mat::full(15, 1, 1e300);
        assert!(factor.solve(Side::Plain, None, x.as_mut()).is_err());
    }
}

#[test]
fn multigrid_converges_for_definite_matrices_whose_diagonals_do_not_dominate() {
    // −Δ − k² with values 0 beyond the sides is definite as long as k² is below the smallest eigenvalue, but has negative
    // row sums away from the sides.
    let n = 40;
    let mut stencil = Stencil::new(&[n, n]);
    for cell in 0..n * n {
        for (axis, stride) in [(0, n), (1, 1)] {
            if cell / stride % n + 1 < n {
                stencil.couple(axis, cell, [[0.0, -1.0], [-1.0, 0.0]]);
            }
        }
    }
    let lowest = 4.0 - 4.0 * (std::f64::consts::PI / (n + 1) as f64).cos();
    stencil.add_diagonal(&vec![4.0 - 0.8 * lowest; n * n]);
    let b = random::normal_matrix(n * n, 3, 5);
    let a = || Operator::stencil(stencil.clone()).positive_definite();
    let mut x = b.clone();
    let cpu = cpu(StencilSolver::Multigrid);
    let factor = cpu.factor(a()).unwrap();
    let stats = factor.solve(Side::Plain, None, x.as_mut()).unwrap();
    println!("{} iterations", stats.iterations);
    assert!(stats.iterations <= 60, "{stats:?}");
    assert!(residual(&a(), Side::Plain, &x, &b) <= 1.01 * cpu.krylov_tolerance);
}

/// An axis of two or three cells has one cell on a coarse level, and comes first there: the other axes then make longer lines
/// than those of the box.
#[test]
fn thin_boxes_are_solved() {
    let shapes: [&[usize]; 6] = [
        &[60, 60, 2],
        &[60, 60, 3],
        &[2, 60, 60],
        &[60, 2, 60],
        &[3000, 2],
        &[600, 2, 2],
    ];
    for (shape, kind) in shapes
        .into_iter()
        .flat_map(|shape| [Kind::Killed, Kind::Pinned].map(|kind| (shape, kind)))
    {
        let (stencil, definite) = (stencil(kind, shape), kind == Kind::Pinned);
        let a = operator(&stencil, definite);
        let b = random::normal_matrix(stencil.cells(), 3, 5);
        for side in SIDES {
            let mut x = b.clone();
            let factor = cpu(StencilSolver::Multigrid);
            let factor = factor.factor(operator(&stencil, definite)).unwrap();
            let stats = factor.solve(side, None, x.as_mut()).unwrap();
            let off = residual(&a, side, &x, &b);
            assert!(off <= 1e-10, "{shape:?} {kind:?} {side:?}: {off:e}");
            assert!(stats.iterations < 400, "{shape:?} {kind:?} {side:?}");
        }
    }
}
