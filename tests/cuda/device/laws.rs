//! Laws of solves: agreement with references, adjointness, and independence of columns and batch widths.

use pullback::faer::Mat;
use pullback::linalg::{Precision, StencilSolver, SweepOrder};
use pullback::{Backend, Side, random};

use super::{device, side_of, solve};
use crate::support::stencils::{Case, Kind, SIDES, cases, cpu, operator, stencil};
use crate::support::{dot, matrix_gap, reference_solve};

#[test]
fn small_solutions_agree_with_another_library_and_iterations_with_the_processor() {
    let Some(mut cuda) = device() else { return };
    let mut oracle = cpu(StencilSolver::Multigrid);
    cuda.sweeps = SweepOrder::Corners;
    for (case, side) in cases().flat_map(|case| SIDES.map(|side| (case.clone(), side))) {
        let b = random::normal_matrix(case.dense.nrows(), 5, 6);
        let reference = reference_solve(side_of(&case, side), b.as_ref());
        let mut hard = false;
        for tolerance in [1e-11, 1e-8] {
            cuda.cpu.krylov_tolerance = tolerance;
            oracle.krylov_tolerance = tolerance;
            let (x, stats) = solve(&cuda, case.operator(), side, &b);
            let (y, expected) = solve(&oracle, case.operator(), side, &b);
            let place = format!("{} {side:?} to {tolerance:e}", case.name);
            assert!(
                stats.method.to_string().contains("GPU"),
                "{place}: {}",
                stats.method
            );
            let off = matrix_gap(x.as_ref(), reference.as_ref());
            // For a nearly singular matrix, the processor's own solution has a similar error.
            let theirs = matrix_gap(y.as_ref(), reference.as_ref());
            assert!(
                off <= f64::max(1e-7, 10.0 * theirs),
                "{place}: off by {off:e}"
            );
            // If the matrix amplifies residuals more than this, rounding errors decide the number of iterations. On the
            // processor, a change in the last digit of the right-hand side makes 11 iterations or 20.
            hard |= theirs > 1e3 * tolerance;
            let apart = stats.iterations.abs_diff(expected.iterations);
            let found = (stats.iterations, expected.iterations);
            assert!(apart <= 1 || hard, "{place}: {found:?} iterations");
        }
    }
}

#[test]
fn larger_boxes_take_as_many_iterations_as_on_the_processor() {
    let Some(mut cuda) = device() else { return };
    let mut oracle = cpu(StencilSolver::Multigrid);
    (cuda.cpu.krylov_tolerance, oracle.krylov_tolerance) = (1e-8, 1e-8);
    cuda.sweeps = SweepOrder::Corners;
    // Too large for whole sweeps within one block.
    let shape = [33, 34, 35];
    for (kind, gauge) in [(Kind::Killed, 1e-3), (Kind::Pinned, 0.0)] {
        let stencil = stencil(kind, &shape).with_gauge(gauge);
        let a = || operator(&stencil, kind == Kind::Pinned);
        let b = random::normal_matrix(a().nrows(), 4, 6);
        let (_, expected) = solve(&oracle, a(), Side::Transpose, &b);
        let (x, stats) = solve(&cuda, a(), Side::Transpose, &b);
        let r = &b - a().apply(Side::Transpose, x.as_ref()).unwrap();
        assert!(r.norm_l2() < 1e-8 * b.norm_l2(), "{:e}", r.norm_l2());
        assert!(stats.method.to_string().contains("GPU"), "{}", stats.method);
        let found = (stats.iterations, expected.iterations);
        assert!(
            found.0.abs_diff(found.1) <= 1,
            "{kind:?}: {found:?} iterations"
        );
    }
}

#[test]
fn small_transposed_solves_are_the_transposes_of_solves() {
    let Some(cuda) = device() else { return };
    for kind in [Kind::Killed, Kind::Pinned] {
        let case = Case::new(kind, &[11, 12, 9]);
        let n = case.dense.nrows();
        let [b, c] = [7, 8].map(|seed| random::normal_matrix(n, 1, seed));
        let (x, _) = solve(&cuda, case.operator(), Side::Plain, &b);
        let (y, _) = solve(&cuda, case.operator(), Side::Transpose, &c);
        let [x, y, b, c] = [&x, &y, &b, &c].map(|m| m.col_as_slice(0));
        let (left, right) = (dot(x, c), dot(b, y));
        assert!(
            (left - right).abs() <= 1e-8 * left.abs(),
            "{}: {left} {right}",
            case.name
        );
    }
}

#[test]
fn batches_of_any_width_agree_and_every_run_has_the_same_bits() {
    let Some(mut cuda) = device() else { return };
    let case = Case::new(Kind::Killed, &[5, 7, 6]);
    let n = case.dense.nrows();
    let b = random::normal_matrix(n, 70, 9);
    let (x, _) = solve(&cuda, case.operator(), Side::Plain, &b);
    let (again, _) = solve(&cuda, case.operator(), Side::Plain, &b);
    assert_eq!(x, again, "two runs");
    // A memory limit enforces blocks of a few columns. The zero column needs no iteration.
    cuda.memory = Some(400_000);
    let mut b = b;
    b.col_mut(3).fill(0.0);
    let (narrow, _) = solve(&cuda, case.operator(), Side::Plain, &b);
    assert!(narrow.col(3).iter().all(|x| *x == 0.0));
    for j in (0..70).filter(|&j| j != 3) {
        let off = (narrow.col(j) - x.col(j)).norm_l2() / x.col(j).norm_l2();
        assert!(off < 1e-10, "column {j}: {off:e}");
    }
}

#[test]
fn small_columns_do_not_know_of_one_another() {
    let Some(cuda) = device() else { return };
    for kind in [Kind::Killed, Kind::Pinned] {
        let case = Case::new(kind, &[11, 12, 9]);
        let n = case.dense.nrows();
        let mut b = random::normal_matrix(n, 4, 8);
        // The guess finishes the first column long before the others.
        let mut near = Mat::zeros(n, 4);
        let reference = reference_solve(case.dense.as_ref(), b.as_ref());
        near.col_mut(0)
            .iter_mut()
            .zip(reference.col(0).iter())
            .for_each(|(x, y)| *x = (1.0 + 1e-7) * y);
        let factor = cuda.factor(case.operator()).unwrap();
        let solve = |b: &Mat<f64>| {
            let mut x = b.clone();
            let stats = factor.solve(Side::Plain, Some(near.as_ref()), x.as_mut());
            assert!(stats.unwrap().method.to_string().contains("GPU"));
            x
        };
        let beside = solve(&b);
        (1..4).for_each(|j| b.col_mut(j).fill(0.0));
        let alone = solve(&b);
        assert!(beside.col(0) == alone.col(0), "{kind:?}");
    }
}

#[test]
fn one_factor_solves_with_small_matrices_and_their_transposes_in_turn() {
    let Some(cuda) = device() else { return };
    let case = Case::new(Kind::Killed, &[11, 12, 9]);
    let b = random::normal_matrix(case.dense.nrows(), 3, 2);
    let factor = cuda.factor(case.operator()).unwrap();
    for side in [Side::Plain, Side::Transpose, Side::Plain] {
        let mut x = b.clone();
        let stats = factor.solve(side, None, x.as_mut()).unwrap();
        // A solve with the wrong side would stagnate and be repeated on the processor.
        assert!(stats.method.to_string().contains("GPU"), "{side:?}");
        let (expected, alone) = solve(&cuda, case.operator(), side, &b);
        assert_eq!(stats.iterations, alone.iterations, "{side:?}");
        assert!(x == expected, "{side:?}");
    }
}

#[test]
fn columns_of_any_size_are_solved_in_either_precision() {
    let Some(mut cuda) = device() else { return };
    for (cycles, kind) in [Precision::Single, Precision::Double]
        .into_iter()
        .flat_map(|p| [(p, Kind::Killed), (p, Kind::Pinned)])
    {
        cuda.cpu.cycles = cycles;
        let case = Case::new(kind, &[11, 12, 9]);
        let mut b = random::normal_matrix(case.dense.nrows(), 6, 3);
        for (j, size) in [1e-200, 1e-30, 1.0, 1e30, 1e200, 0.0]
            .into_iter()
            .enumerate()
        {
            b.col_mut(j).iter_mut().for_each(|x| *x *= size);
        }
        let (x, _) = solve(&cuda, case.operator(), Side::Plain, &b);
        let reference = reference_solve(case.dense.as_ref(), b.as_ref());
        for j in 0..6 {
            let size = reference.col(j).norm_max().max(f64::MIN_POSITIVE);
            let off = (0..b.nrows()).map(|i| (x[(i, j)] - reference[(i, j)]).abs() / size);
            let off = off.fold(0.0, f64::max);
            assert!(off < 1e-7, "{kind:?} {cycles:?}, column {j}: {off:e}");
        }
    }
}

#[test]
fn good_beginnings_save_iterations_and_bad_ones_harm_no_answer() {
    let Some(cuda) = device() else { return };
    let case = Case::new(Kind::Pinned, &[11, 12, 9]);
    let n = case.dense.nrows();
    let b = random::normal_matrix(n, 3, 8);
    let (x, cold) = solve(&cuda, case.operator(), Side::Plain, &b);
    let factor = cuda.factor(case.operator()).unwrap();
    for (near, most) in [
        (x.clone(), 0),
        (&x * pullback::faer::Scale(1.0 + 1e-6), cold.iterations - 3),
        (Mat::from_fn(n, 3, |_, _| f64::NAN), cold.iterations),
        (
            random::normal_matrix(n, 3, 1) * pullback::faer::Scale(1e9),
            cold.iterations,
        ),
    ] {
        let mut y = b.clone();
        let stats = factor
            .solve(Side::Plain, Some(near.as_ref()), y.as_mut())
            .unwrap();
        assert!(
            stats.iterations <= most,
            "{} iterations, more than {most}",
            stats.iterations
        );
        assert!(matrix_gap(y.as_ref(), x.as_ref()) < 1e-8);
        // A failed solve would be repeated on the processor.
        assert!(stats.method.to_string().contains("GPU"), "{}", stats.method);
    }
}
