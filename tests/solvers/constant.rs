//! Stencils with constant coefficients, which cosine transforms solve.

use std::f64::consts::PI;

use crate::support::stencils::{SIDES, assemble, cpu, operator, solve};
use crate::support::{matrix_gap, reference_solve};
use pullback::faer::Mat;
use pullback::linalg::{Method, Stencil, StencilSolver};
use pullback::{Cpu, Side, random};

const SHAPES: [&[usize]; 9] = [
    &[7],
    &[64],
    &[1, 9],
    &[6, 11],
    &[13, 1, 4],
    &[5, 4, 7],
    &[3, 3, 3],
    &[16, 20],
    &[2, 2, 2],
];

/// Weights along the axes.
const WEIGHTS: [f64; 3] = [3.0, 0.7, 19.0];

fn constant(shape: &[usize], shift: f64, gauge: f64) -> Stencil {
    let mut stencil = assemble(shape, |axis, _| [WEIGHTS[axis]; 2]);
    stencil.add_diagonal(&vec![shift; stencil.cells()]);
    stencil.with_gauge(gauge)
}

fn method(stencil: &Stencil, solver: StencilSolver) -> Method {
    let b = random::normal_matrix(stencil.cells(), 2, 1);
    let (_, stats) = solve(&cpu(solver), operator(stencil, true), Side::Plain, &b).unwrap();
    stats.method
}

#[test]
fn solutions_agree_with_a_dense_factorisation() {
    for (shape, (shift, gauge)) in SHAPES
        .into_iter()
        .flat_map(|shape| [(0.3, 0.0), (0.0, 0.2), (2.0, 0.1)].map(|p| (shape, p)))
    {
        let stencil = constant(shape, shift, gauge);
        let b = random::normal_matrix(stencil.cells(), 21, 4);
        let dense = operator(&stencil, true).to_dense();
        let reference = reference_solve(dense.as_ref(), b.as_ref());
        for side in SIDES {
            let (x, stats) = solve(&Cpu::default(), operator(&stencil, true), side, &b).unwrap();
            assert_eq!(stats.method, Method::CosineTransform, "{shape:?}");
            let off = matrix_gap(x.as_ref(), reference.as_ref());
            // Condition numbers are up to 2,000, which costs the reference as many roundings.
            assert!(off < 1e-12, "{shape:?}, {shift}, {gauge}: off by {off:e}");
        }
    }
}

#[test]
fn cosines_are_divided_by_their_eigenvalues() {
    // −v'' of cos(πj(i + ½)/n) without flux at the ends is 2 − 2 cos(πj/n) times itself.
    for (shape, waves) in [
        (&[37][..], &[5][..]),
        (&[40, 27], &[3, 26]),
        (&[40, 33, 29], &[7, 0, 11]),
    ] {
        let stencil = constant(shape, 0.5, 0.0);
        let along = |axis: usize, cell: usize| {
            let stride: usize = shape[axis + 1..].iter().product();
            (cell / stride % shape[axis]) as f64 + 0.5
        };
        let angle = |axis: usize| PI * f64::from(waves[axis]) / shape[axis] as f64;
        let axes = || 0..shape.len();
        let wave = |cell: usize| axes().map(|d| (angle(d) * along(d, cell)).cos()).product();
        let eigenvalue: f64 = axes()
            .map(|d| WEIGHTS[d] * (2.0 - 2.0 * angle(d).cos()))
            .sum();
        let b = Mat::from_fn(stencil.cells(), 1, |cell, _| wave(cell));
        let (x, _) = solve(&Cpu::default(), operator(&stencil, true), Side::Plain, &b).unwrap();
        let off = matrix_gap(x.as_ref(), (1.0 / (0.5 + eigenvalue) * &b).as_ref());
        assert!(off < 1e-13, "{shape:?}: off by {off:e}");
    }
}

#[test]
fn other_stencils_are_solved_by_other_methods() {
    let shape = [6, 11];
    let stencil = constant(&shape, 0.3, 0.0);
    assert_eq!(
        method(&stencil, StencilSolver::Auto),
        Method::CosineTransform
    );
    assert_eq!(
        method(&stencil, StencilSolver::Direct),
        Method::CosineTransform
    );
    let iterative = method(&stencil, StencilSolver::Multigrid);
    assert_eq!(iterative, Method::MultigridConjugateGradients);
    let mut pinned = constant(&shape, 0.0, 0.0);
    let mut pin = vec![0.0; 66];
    pin[40] = 1.0;
    pinned.add_diagonal(&pin);
    let heavier = |axis: usize, lower: usize| [WEIGHTS[axis] + f64::from(u8::from(lower == 33)); 2];
    let mut uneven = assemble(&shape, heavier);
    uneven.add_diagonal(&[0.3; 66]);
    for other in [pinned, uneven] {
        assert_eq!(method(&other, StencilSolver::Auto), Method::SparseCholesky);
    }
}

#[test]
fn singular_and_indefinite_stencils_are_errors_as_ever() {
    for shift in [0.0, -0.05] {
        let stencil = constant(&[6, 11], shift, 0.0);
        let b = random::normal_matrix(66, 2, 1);
        let outcome = solve(&Cpu::default(), operator(&stencil, true), Side::Plain, &b);
        assert!(outcome.is_err(), "{shift}: {outcome:?}");
    }
}
