//! What cannot be solved with a stencil is an error, for every way of solving: never NaN, never some number.

use crate::support::singular::means_singular;
use crate::support::stencils::{
    Case, Kind, SHAPES, SIDES, SOLVERS, assemble, cases, cpu, hopeless, operator, solve,
};
use crate::support::{column, matrix_gap, reference_solve};
use pullback::faer::Mat;
use pullback::linalg::{Stencil, StencilSolver};
use pullback::{Error, Side, random};

const ITERATIVE: [StencilSolver; 2] = [StencilSolver::Dilu, StencilSolver::Multigrid];

/// Stencils without an inverse, and whether they are declared definite.
fn singular() -> Vec<(String, Stencil, bool)> {
    let mut found = Vec::new();
    for shape in SHAPES
        .into_iter()
        .filter(|s| s.iter().product::<usize>() > 1)
    {
        let free = Case::new(Kind::Gauged, shape).stencil.with_gauge(0.0);
        found.push((format!("no gauge on {shape:?}"), free, false));
        let neumann = assemble(shape, |_, lower| [1.0 + (lower % 3) as f64; 2]);
        for definite in [false, true] {
            let name = format!("a Neumann Laplacian on {shape:?}, definite: {definite}");
            found.push((name, neumann.clone(), definite));
        }
        found.push((format!("two parts on {shape:?}"), parts(shape), false));
        found.push((
            format!("no entries but a gauge on {shape:?}"),
            Stencil::new(shape).with_gauge(1.0),
            false,
        ));
    }
    found
}

/// Two boxes that nothing flows between, with one gauge.
fn parts(shape: &[usize]) -> Stencil {
    let axis = (0..shape.len()).max_by_key(|&d| shape[d]).unwrap();
    let stride: usize = shape[axis + 1..].iter().product();
    let wall = shape[axis] / 2 - 1;
    let closed = |d: usize, lower: usize| d == axis && lower / stride % shape[axis] == wall;
    let rates = |d: usize, lower: usize| {
        if closed(d, lower) {
            [0.0; 2]
        } else {
            [1.0 + (lower % 3) as f64 / 7.0, 1.0]
        }
    };
    assemble(shape, rates).with_gauge(1.0 / shape.iter().product::<usize>() as f64)
}

#[test]
fn singular_stencils_are_errors() {
    let mut solved = Vec::new();
    for (name, stencil, definite) in singular() {
        for (solver, side) in SOLVERS
            .into_iter()
            .flat_map(|s| SIDES.map(|side| (s, side)))
        {
            // Factorisations are quick, and need more tries to meet a right-hand side that is all but solvable.
            let tries = if solver == StencilSolver::Direct {
                20
            } else {
                1
            };
            for seed in 0..tries {
                // Random, so that no singular matrix has a solution for it.
                let b = random::normal_matrix(stencil.cells(), 1, seed);
                match solve(&cpu(solver), operator(&stencil, definite), side, &b) {
                    Err(error) => assert!(
                        means_singular(&error) || matches!(error, Error::Stagnation { .. }),
                        "{name} {solver:?}: {error}"
                    ),
                    Ok((_, stats)) => {
                        solved.push(format!("{name}: {solver:?} {side:?} {seed} {stats:?}"));
                    }
                }
            }
        }
    }
    assert!(solved.is_empty(), "{} solved: {solved:#?}", solved.len());
}

#[test]
fn stencils_declared_definite_that_are_not_are_errors_or_solved_all_the_same() {
    let negative = |shape: &[usize]| {
        let mut a = assemble(shape, |_, _| [1.0; 2]);
        a.add_diagonal(&vec![-2.0; a.cells()]);
        a
    };
    for shape in SHAPES {
        for solver in SOLVERS {
            let a = negative(shape);
            let b = random::normal_matrix(a.cells(), 2, 1);
            match solve(&cpu(solver), operator(&a, true), Side::Plain, &b) {
                Ok((x, _)) => {
                    let back = operator(&a, true).apply(Side::Plain, x.as_ref()).unwrap();
                    let off = matrix_gap(back.as_ref(), b.as_ref());
                    assert!(off < 1e-9, "{shape:?} {solver:?}: off by {off:e}");
                    assert!(ITERATIVE.contains(&solver) || solver == StencilSolver::Auto);
                }
                Err(error) => assert!(
                    means_singular(&error) || matches!(error, Error::Stagnation { .. }),
                    "{shape:?} {solver:?}: {error}"
                ),
            }
        }
    }
}

#[test]
fn entries_that_are_not_finite_are_named() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for shape in SHAPES
            .into_iter()
            .filter(|s| s.iter().product::<usize>() > 1)
        {
            let sound = Case::new(Kind::Gauged, shape).stencil;
            let axis = shape.iter().position(|n| *n > 1).unwrap();
            let mut coupled = sound.clone();
            coupled.couple(axis, 0, [[0.0, bad], [0.0, 0.0]]);
            let mut diagonal = sound.clone();
            let mut d = vec![0.0; sound.cells()];
            *d.last_mut().unwrap() = bad;
            diagonal.add_diagonal(&d);
            for a in [coupled, diagonal, sound.clone().with_gauge(bad)] {
                for solver in SOLVERS {
                    let b = Mat::from_fn(a.cells(), 1, |_, _| 1.0);
                    let error = solve(&cpu(solver), operator(&a, false), Side::Plain, &b);
                    assert!(matches!(error, Err(Error::NotFinite { .. })), "{error:?}");
                }
            }
        }
    }
}

#[test]
fn right_hand_sides_that_are_not_finite_or_do_not_fit_are_errors() {
    for case in cases() {
        let n = case.dense.nrows();
        for solver in SOLVERS {
            for bad in [f64::NAN, f64::INFINITY] {
                let mut b = random::normal_matrix(n, 4, 2);
                b[(n - 1, 2)] = bad;
                let error = solve(&cpu(solver), case.operator(), Side::Plain, &b);
                assert!(
                    matches!(error, Err(Error::NotFinite { index, .. }) if index == n - 1),
                    "{} {solver:?}: {error:?}",
                    case.name
                );
            }
            for side in SIDES {
                let long = random::normal_matrix(n + 1, 2, 3);
                let error = solve(&cpu(solver), case.operator(), side, &long);
                assert!(
                    matches!(error, Err(Error::Dimension { expected, .. }) if expected == n),
                    "{} {solver:?}: {error:?}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn columns_of_zeros_give_zeros_and_disturb_no_others() {
    for case in cases() {
        for solver in SOLVERS.into_iter().filter(|s| !hopeless(&case, *s)) {
            let noise = random::normal_matrix(case.dense.nrows(), 6, 4);
            let b = Mat::from_fn(noise.nrows(), 6, |i, j| {
                if j % 3 == 1 { 0.0 } else { noise[(i, j)] }
            });
            let (x, _) = solve(&cpu(solver), case.operator(), Side::Plain, &b).unwrap();
            let (whole, _) = solve(&cpu(solver), case.operator(), Side::Plain, &noise).unwrap();
            for j in 0..6 {
                let off = if j % 3 == 1 {
                    x.col(j).norm_max()
                } else {
                    matrix_gap(x.subcols(j, 1), whole.subcols(j, 1))
                };
                assert_eq!(off, 0.0, "{} {solver:?}, column {j}", case.name);
            }
        }
    }
}

#[test]
fn iterations_that_run_out_stagnate_and_auto_factorises_then() {
    for (kind, name) in [(Kind::Gauged, "BiCGSTAB"), (Kind::Pinned, "PCG")] {
        let case = Case::new(kind, &[11, 12, 9]);
        let b = random::normal_matrix(case.dense.nrows(), 1, 5);
        let short = |solver| {
            let mut short = cpu(solver);
            short.krylov_products = 4;
            short
        };
        for solver in ITERATIVE {
            let error = solve(&short(solver), case.operator(), Side::Plain, &b).map(|_| ());
            let Err(Error::Stagnation {
                solver,
                iterations,
                residual,
            }) = error
            else {
                panic!("{name}: {error:?}");
            };
            assert_eq!(solver, name);
            assert!(
                (2..=5).contains(&iterations) && residual > 1e-11,
                "{iterations} {residual}"
            );
        }
        for side in SIDES {
            let auto = short(StencilSolver::Auto);
            let (x, stats) = solve(&auto, case.operator(), side, &b).unwrap();
            let (y, _) = solve(&cpu(StencilSolver::Direct), case.operator(), side, &b).unwrap();
            assert!(x == y && stats.iterations == 0, "{name} {side:?}");
        }
    }
}

#[test]
fn auto_does_not_factorise_what_is_too_large_for_it() {
    let mut stencil = assemble(&[50, 50, 50], |_, lower| [1.0, (lower % 5) as f64]);
    stencil.add_diagonal(&vec![1e-3; 50 * 50 * 50]);
    let mut auto = cpu(StencilSolver::Auto);
    auto.krylov_products = 2;
    let b = random::normal_matrix(stencil.cells(), 1, 6);
    let error = solve(&auto, operator(&stencil, false), Side::Plain, &b).map(|_| ());
    assert!(matches!(error, Err(Error::Stagnation { .. })), "{error:?}");
}

/// A generator that nothing leaves one cell of, so that its diagonal is zero there and all mass ends in it.
fn absorbing(shape: &[usize], cell: usize) -> Stencil {
    let generator = assemble(shape, |axis, lower| {
        let stride: usize = shape[axis + 1..].iter().product();
        let noise = random::uniform(2, (0.5, 1.5), (3 * lower + axis) as u64);
        [
            if lower == cell { 0.0 } else { noise[0] },
            if lower + stride == cell {
                0.0
            } else {
                noise[1]
            },
        ]
    });
    assert_eq!(generator.diagonal()[cell], 0.0);
    generator.with_gauge(1.0 / shape.iter().product::<usize>() as f64)
}

#[test]
fn absorbing_cells_are_solved_or_errors_and_never_nan() {
    for &shape in &SHAPES[..12] {
        let n: usize = shape.iter().product();
        for cell in [0, n / 2, n - 1] {
            let a = absorbing(shape, cell);
            let dense = operator(&a, false).to_dense();
            for side in SIDES {
                let b = random::normal_matrix(n, 3, 7);
                let plain = match side {
                    Side::Plain => dense.as_ref(),
                    Side::Transpose => dense.transpose(),
                };
                let reference = reference_solve(plain, b.as_ref());
                for solver in SOLVERS {
                    let found = solve(&cpu(solver), operator(&a, false), side, &b);
                    let name = format!("cell {cell} of {shape:?}, {solver:?} {side:?}");
                    let x = match found {
                        Ok((x, _)) => x,
                        Err(Error::Stagnation { .. }) if ITERATIVE.contains(&solver) => continue,
                        Err(error) => panic!("{name}: {error}"),
                    };
                    let off = matrix_gap(x.as_ref(), reference.as_ref());
                    assert!(off < 1e-8, "{name}: off by {off:e}");
                }
            }
            let b = Mat::from_fn(n, 1, |_, _| 1.0 / n as f64);
            for solver in [StencilSolver::Direct, StencilSolver::Auto] {
                let (x, _) = solve(&cpu(solver), operator(&a, false), Side::Plain, &b).unwrap();
                let all = column(
                    &(0..n)
                        .map(|i| f64::from(u8::from(i == cell)))
                        .collect::<Vec<_>>(),
                )
                .to_owned();
                let off = matrix_gap(x.as_ref(), all.as_ref());
                assert!(
                    off < 1e-9,
                    "cell {cell} of {shape:?}, {solver:?}: off by {off:e}"
                );
            }
        }
    }
}

#[test]
fn singular_chains_end_in_a_pivot_of_rounding_that_is_not_used() {
    for n in [10, 64, 150, 1000] {
        // A density that is the same everywhere, so that the end of the chain is no vacuum.
        let a = assemble(&[n], |_, lower| [0.1 + (lower % 7) as f64; 2]).with_gauge(1.0 / n as f64);
        let b = random::normal_matrix(n, 3, 8);
        let dilu = solve(
            &cpu(StencilSolver::Dilu),
            operator(&a, false),
            Side::Plain,
            &b,
        );
        let (_, stats) = dilu.unwrap();
        assert!(stats.iterations < 20, "{n} cells: {stats:?}");
    }
}
