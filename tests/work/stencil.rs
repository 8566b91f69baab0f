//! What iterations with stencils cost, counted: the solvers promise these numbers, whatever the machine.

use crate::support::dot;
use crate::support::lorenz::Problem;
use crate::support::stencils::{cpu, operator, solve};
use pullback::faer::Mat;
use pullback::linalg::StencilSolver;
use pullback::{Cpu, Operator, Side};

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
    let expected = [(32, [6, 6, 16]), (64, [8, 8, 20])];
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
