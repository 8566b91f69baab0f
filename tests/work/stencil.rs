//! What iterations with stencils cost, counted: the solvers promise these numbers, whatever the machine.

use crate::support::dot;
use crate::support::lorenz::Problem;
use crate::support::stencils::{assemble, cpu, operator, solve};
use pullback::faer::Mat;
use pullback::linalg::StencilSolver;
use pullback::{Cpu, Operator, Side, random};

/// The relative residual that the counts belong to.
const RESIDUAL: f64 = 1e-8;

/// Counts that differ by more are another solver's.
const SPREAD: usize = 3;

fn multigrid() -> Cpu {
    let mut cpu = cpu(StencilSolver::Multigrid);
    cpu.krylov_tolerance = RESIDUAL;
    cpu
}

fn near(found: usize, expected: usize, what: &str) {
    println!("{what}: {found} iterations");
    assert!(
        found.abs_diff(expected) <= SPREAD,
        "{what}: {found} iterations instead of {expected}"
    );
}

/// Asserts that the equations hold to the residual that was asked for.
fn solved(a: &Operator<'_>, side: Side, (x, b): (&Mat<f64>, &Mat<f64>)) {
    let r = b - a.apply(side, x.as_ref()).unwrap();
    let [r, b] = [&r, b].map(|m| dot(m.col_as_slice(0), m.col_as_slice(0)).sqrt());
    assert!(r <= 1.01 * RESIDUAL * b, "a residual of {:e}", r / b);
}

/// Iterations for the stationary density, an adjoint, and the Laplacian weighted with the density.
fn iterations(n: usize) -> [usize; 3] {
    let (problem, cpu) = (Problem::new(n).unwrap(), multigrid());
    let (rho, stationary) = problem.stationary(&cpu).unwrap();
    let generator = || operator(&problem.generator, false);
    let b = problem.adjoint_sides(&rho, 1);
    let (x, adjoint) = solve(&cpu, generator(), Side::Transpose, &b).unwrap();
    solved(&generator(), Side::Transpose, (&x, &b));
    let stencil = problem.laplacian(&rho);
    let laplacian = || operator(&stencil, true);
    let b = problem.potential_sides(&rho, 1);
    let (x, potential) = solve(&cpu, laplacian(), Side::Plain, &b).unwrap();
    solved(&laplacian(), Side::Plain, (&x, &b));
    [stationary, adjoint, potential].map(|stats| stats.iterations)
}

#[test]
fn multigrid_takes_few_iterations_and_hardly_more_on_finer_grids() {
    let expected = [(32, [6, 6, 11]), (64, [8, 8, 13])];
    for (n, expected) in expected {
        let found = iterations(n);
        for (i, what) in ["stationary", "adjoint", "Laplacian"]
            .into_iter()
            .enumerate()
        {
            near(found[i], expected[i], &format!("{what} at {n}³"));
        }
    }
}

/// Iterations for a Laplacian on n cells along each of `dim` axes, with weights e^{σr} of standard normal r in the cells.
fn lognormal(dim: usize, n: usize, sigma: f64) -> usize {
    let shape = vec![n; dim];
    let weights = random::normal(n.pow(dim as u32), 1, 1);
    let weights: Vec<f64> = weights.iter().map(|r| (sigma * r).exp()).collect();
    let mut stencil = assemble(&shape, |axis, lower| {
        let upper = lower + n.pow((dim - 1 - axis) as u32);
        [0.5 * (weights[lower] + weights[upper]); 2]
    });
    let mut pin = vec![0.0; weights.len()];
    pin[weights.len() / 2] = stencil.diagonal()[weights.len() / 2];
    stencil.add_diagonal(&pin);
    let b = random::normal_matrix(weights.len(), 1, 3);
    let (_, stats) = solve(&multigrid(), operator(&stencil, true), Side::Plain, &b).unwrap();
    stats.iterations
}

#[test]
fn laplacians_take_as_many_iterations_on_finer_grids_and_few_more_for_weights_without_order() {
    for (dim, n, sigma, expected) in [
        (3, 16, 0.0, 7),
        (3, 32, 0.0, 8),
        (2, 64, 0.0, 8),
        (2, 256, 0.0, 8),
        (3, 16, 2.0, 21),
        (3, 32, 2.0, 24),
        (2, 128, 2.0, 31),
    ] {
        let found = lognormal(dim, n, sigma);
        near(found, expected, &format!("σ = {sigma} on {n}^{dim}"));
    }
}

#[test]
fn incomplete_factorisation_takes_iterations_in_proportion_to_the_cells_along_an_axis() {
    for (n, expected) in [(16, 24), (32, 49)] {
        let problem = Problem::new(n).unwrap();
        let mut cpu = cpu(StencilSolver::Dilu);
        cpu.krylov_tolerance = 1e-10;
        let (rho, _) = problem.stationary(&cpu).unwrap();
        let b = problem.adjoint_sides(&rho, 1);
        let a = operator(&problem.generator, false);
        let (_, stats) = solve(&cpu, a, Side::Transpose, &b).unwrap();
        near(stats.iterations, expected, &format!("DILU at {n}³"));
    }
}
