//! The laws of products and solves with stencils, for every way of solving.

use crate::support::stencils::{Case, SIDES, SOLVERS, cases, cpu, hopeless, solve};
use crate::support::{dot, matrix_gap, reference_solve};
use pullback::faer::{Mat, MatRef};
use pullback::linalg::StencilSolver;
use pullback::{Backend, Operator, Side, random};
use rayon::prelude::*;

/// Wider than any block of columns that is solved together, and no multiple of it.
const WIDE: usize = 37;

/// The relative residual at which iterations stop, or a residual of this many roundings. Iterations stop at 16; to
/// correct a factorisation for the gauge took up to 40.
const RESIDUAL: f64 = 1e-11;
const ROUNDINGS: f64 = 100.0 * f64::EPSILON;

fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

/// The residual ‖b − Ax‖₂ that is allowed: relative to b, or to what rounding leaves behind in |A||x|.
fn allowed(a: MatRef<'_, f64>, x: &[f64], b: &[f64]) -> f64 {
    let size = (0..a.nrows()).map(|i| (0..a.ncols()).map(|j| (a[(i, j)] * x[j]).abs()).sum());
    let size: Vec<f64> = size.collect();
    RESIDUAL * norm(b) + ROUNDINGS * norm(&size)
}

fn side_of(case: &Case, side: Side) -> MatRef<'_, f64> {
    match side {
        Side::Plain => case.dense.as_ref(),
        Side::Transpose => case.dense.transpose(),
    }
}

#[test]
fn products_are_those_of_the_matrix_put_together_entry_by_entry() {
    for case in cases() {
        let (a, name) = (case.operator(), &case.name);
        let off = matrix_gap(a.to_dense().as_ref(), case.dense.as_ref());
        assert!(off < 1e-15, "{name}: off by {off:e}");
        let x = random::normal_matrix(a.ncols(), 5, 1);
        for side in SIDES {
            let product = a.apply(side, x.as_ref()).unwrap();
            let off = matrix_gap(product.as_ref(), (side_of(&case, side) * &x).as_ref());
            // Sums of up to 1188 numbers for the gauge.
            assert!(off < 1e-14, "{name} {side:?}: off by {off:e}");
        }
        let ones = a.apply_to(Side::Transpose, &vec![1.0; a.nrows()]).unwrap();
        let row = case.stencil.gauge() * a.nrows() as f64;
        let diagonal = case.dense.diagonal().column_vector();
        let kept = |j: usize| (0..a.nrows()).map(|i| case.dense[(i, j)]).sum::<f64>();
        for (j, sum) in ones.iter().enumerate() {
            let off = (sum - kept(j)).abs() / (diagonal[j] + row);
            assert!(off < 1e-13, "{name}: column {j} sums to {sum}");
        }
    }
}

#[test]
fn solutions_satisfy_the_equations_and_agree_with_another_library() {
    let cases: Vec<Case> = cases().collect();
    cases.par_iter().for_each(|case| {
        for side in SIDES {
            let b = random::normal_matrix(case.dense.nrows(), WIDE, 6);
            let reference = reference_solve(side_of(case, side), b.as_ref());
            for solver in SOLVERS.into_iter().filter(|s| !hopeless(case, *s)) {
                let x = solve(&cpu(solver), case.operator(), side, &b);
                let (x, _) = x.unwrap_or_else(|e| panic!("{} {solver:?} {side:?}: {e}", case.name));
                agree(case, side, (&x, &reference, &b));
            }
        }
    });
}

/// Asserts that X solves A X = B, and is as near to the reference as the residuals allow.
fn agree(case: &Case, side: Side, (x, reference, b): (&Mat<f64>, &Mat<f64>, &Mat<f64>)) {
    let a = side_of(case, side);
    // B is normally distributed, so that this is an estimate of the Frobenius norm of A⁻¹.
    let inverse = reference.norm_l2() / (b.ncols() as f64).sqrt();
    let back = a * x;
    for j in 0..b.ncols() {
        let column = |m: &Mat<f64>| m.col_as_slice(j).to_vec();
        let (x, b, back, reference) = (column(x), column(b), column(&back), column(reference));
        let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>();
        let (residual, most) = (norm(&minus(&b, &back)), allowed(a, &x, &b));
        let name = &case.name;
        assert!(
            residual <= most,
            "{name} {side:?}, column {j}: ‖b − Ax‖ = {residual:e}, more than {most:e}"
        );
        let off = norm(&minus(&x, &reference));
        // ‖x − x*‖ ≤ ‖A⁻¹‖‖b − Ax‖, the reference having a residual of its own.
        let most = 3.0 * inverse * most;
        assert!(
            off <= most,
            "{name} {side:?}, column {j}: off the reference by {off:e}, more than {most:e}"
        );
    }
}

#[test]
fn the_transposed_solve_is_the_transpose_of_the_solve() {
    for case in cases() {
        let n = case.dense.nrows();
        let (b, c) = (
            random::normal_matrix(n, 1, 7),
            random::normal_matrix(n, 1, 8),
        );
        for solver in SOLVERS.into_iter().filter(|s| !hopeless(&case, *s)) {
            let (x, _) = solve(&cpu(solver), case.operator(), Side::Plain, &b).unwrap();
            let (y, _) = solve(&cpu(solver), case.operator(), Side::Transpose, &c).unwrap();
            let [x, y, b, c] = [&x, &y, &b, &c].map(|m| m.col_as_slice(0));
            let (left, right) = (dot(x, c), dot(b, y));
            // ⟨c, x⟩ − ⟨y, b⟩ = ⟨c − Aᵀy, x⟩ − ⟨y, b − Ax⟩.
            let size = allowed(side_of(&case, Side::Plain), x, b) * norm(y)
                + allowed(side_of(&case, Side::Transpose), y, c) * norm(x);
            assert!(
                (left - right).abs() <= size,
                "{} {solver:?}: {left} and {right}, apart by more than {size:e}",
                case.name
            );
        }
    }
}

#[test]
fn a_batch_is_its_columns_at_any_width() {
    for case in cases() {
        let n = case.dense.nrows();
        let b = random::normal_matrix(n, WIDE, 9);
        for (solver, side) in SOLVERS
            .into_iter()
            .flat_map(|s| SIDES.map(|side| (s, side)))
            .filter(|(solver, _)| !hopeless(&case, *solver))
        {
            let solved = |first: usize, count: usize| {
                let b = b.subcols(first, count).to_owned();
                solve(&cpu(solver), case.operator(), side, &b).unwrap().0
            };
            let whole = solved(0, WIDE);
            let widths = [1, 2, 3, 5, 8, 9, 16, 19];
            for (first, width) in widths.into_iter().map(|w| ((7 * w) % (WIDE - w), w)) {
                let (part, name) = (solved(first, width), &case.name);
                let same = whole.subcols(first, width);
                if matches!(solver, StencilSolver::Dilu | StencilSolver::Multigrid) {
                    assert!(
                        part.as_ref() == same,
                        "{name} {solver:?} {side:?}: {width} columns"
                    );
                }
                // For A and Aᵀ the other way round.
                for j in 0..width {
                    let (x, y) = (part.col_as_slice(j), same.col(j));
                    let apart: Vec<f64> = x.iter().zip(y.iter()).map(|(x, y)| x - y).collect();
                    let b = b.col_as_slice(first + j);
                    let r = case.operator().apply_to(side, &apart).unwrap();
                    let most = 2.0 * allowed(side_of(&case, side), x, b);
                    assert!(
                        norm(&r) <= most,
                        "{name} {solver:?} {side:?}: {width} columns"
                    );
                }
            }
            assert_eq!(solved(0, 0).shape(), (n, 0), "{}", case.name);
        }
    }
}

#[test]
fn a_factor_can_be_used_again_and_for_both_sides() {
    for case in cases() {
        let b = random::normal_matrix(case.dense.nrows(), 3, 10);
        for solver in [
            StencilSolver::Direct,
            StencilSolver::Dilu,
            StencilSolver::Multigrid,
        ]
        .into_iter()
        .filter(|s| !hopeless(&case, *s))
        {
            let cpu = cpu(solver);
            let factor = cpu.factor(case.operator()).unwrap();
            for side in [Side::Plain, Side::Transpose, Side::Plain] {
                let (mut x, (fresh, _)) =
                    (b.clone(), solve(&cpu, case.operator(), side, &b).unwrap());
                factor.solve(side, None, x.as_mut()).unwrap();
                assert!(x == fresh, "{} {solver:?} {side:?}", case.name);
            }
        }
    }
}

#[test]
fn an_operator_from_a_shared_stencil_is_the_same() {
    let case = cases().next().unwrap();
    let shared = std::sync::Arc::new(case.stencil.clone());
    let a = Operator::stencil(std::sync::Arc::clone(&shared));
    assert_eq!(a.shape(), case.dense.shape());
    assert!(a.to_dense() == case.operator().to_dense());
}
