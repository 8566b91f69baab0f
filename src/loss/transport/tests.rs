//! Parts of the transport losses against direct sums, and numbers of iterations.

use super::kernel::{Kernel, LogSums};
use super::measure::Measure;
use super::mixing::{Limits, fixed_point};
use super::potentials::{Potentials, SelfPotential};
use crate::grid::Grid;
use crate::random;

/// Normalised Gaussian on a grid.
fn gaussian(grid: &Grid, mean: &[f64], deviation: f64) -> Vec<f64> {
    grid.sample(|x| {
        let squares = x.iter().zip(mean).map(|(x, m)| (x - m) * (x - m));
        (-0.5 * squares.sum::<f64>() / (deviation * deviation)).exp()
    })
}

/// ln Σ_y exp(−|x − y|²/ε + l(y)) for every cell x, by a sum over all cells.
fn direct(grid: &Grid, shift: &[f64], epsilon: f64, l: &[f64]) -> Vec<f64> {
    let square = |x: [f64; 3], y: [f64; 3]| -> f64 {
        let parts = shift.iter().enumerate();
        parts.map(|(d, s)| (x[d] + s - y[d]).powi(2)).sum()
    };
    let sum = |x: usize| {
        let exponent = |y: usize| l[y] - square(grid.centre(x), grid.centre(y)) / epsilon;
        let top = (0..l.len()).map(exponent).fold(f64::NEG_INFINITY, f64::max);
        let terms = (0..l.len()).map(|y| (exponent(y) - top).exp());
        top + terms.sum::<f64>().ln()
    };
    (0..l.len()).map(sum).collect()
}

#[test]
fn sums_along_axes_are_sums_over_cells_in_both_forms() {
    let grids: [&[(f64, f64, usize)]; 3] = [
        &[(-2.0, 3.0, 21)],
        &[(0.0, 1.5, 7), (-1.0, 1.0, 11)],
        &[(0.0, 1.0, 4), (-1.0, 2.0, 3), (0.0, 3.0, 9)],
    ];
    for axes in grids {
        let grid = Grid::new(axes).unwrap();
        let shift = [0.3, -0.2, 0.1];
        let shift = &shift[..grid.dim()];
        let sources: Vec<Vec<f64>> = grid.axes().iter().map(|a| a.centres()).collect();
        let moved = |(x, s): (&Vec<f64>, &f64)| x.iter().map(|x| x + s).collect();
        let targets: Vec<Vec<f64>> = sources.iter().zip(shift).map(moved).collect();
        // The second ε takes exponents beyond the range of numbers.
        for epsilon in [0.7, 1e-3] {
            let mut l = random::normal(grid.cells(), 5, 0);
            l[2] = f64::NEG_INFINITY;
            let expected = direct(&grid, shift, epsilon, &l);
            let kernel = Kernel::new(&sources, &targets, epsilon);
            let mut sums = LogSums::new(grid.cells());
            sums.apply(&kernel, &mut l, None);
            for (found, expected) in l.iter().zip(&expected) {
                let off = (found - expected).abs() / expected.abs().max(1.0);
                assert!(
                    off < 2e-15 * grid.cells() as f64,
                    "{epsilon}: {found} for {expected}"
                );
            }
        }
    }
}

/// A linear iteration x ← x + b − A x with a symmetric A of the condition 1000.
#[test]
fn mixing_converges_like_conjugate_gradients() {
    let n = 40;
    let rate = |i: usize| 1e-3_f64.powf(i as f64 / (n - 1) as f64);
    let weights = vec![1.0; n];
    let limits = Limits {
        tolerance: 1e-10,
        iterations: 10_000,
    };
    let count = |spread: &dyn Fn(usize) -> f64| {
        let mut x = vec![0.0; n];
        fixed_point(&weights, &mut x, limits, |x, r| {
            for (i, r) in r.iter_mut().enumerate() {
                *r = spread(i) * (1.0 - x[i]);
            }
            r.iter().fold(0.0, |m: f64, r| m.max(r.abs()))
        })
        .unwrap()
    };
    // The iteration itself would take 16,000 for a residual of 10⁻¹⁰.
    let spread = count(&rate);
    let few = count(&|i| if i < 3 { rate(n - 1 - i) } else { 1.0 });
    println!("{spread} {few}");
    assert!(spread < 600 && few < 10, "{spread}, {few}");
}

/// An iteration that comes near its fixed point and then leaves it.
#[test]
fn iterations_that_stop_tell_their_least_error() {
    let limits = Limits {
        tolerance: 1e-9,
        iterations: 5,
    };
    for last in [0.9, f64::NAN] {
        let mut errors = [1.0, 0.5, 0.25, 0.3, last].into_iter();
        let stopped = fixed_point(&[1.0], &mut [0.0], limits, |_, r| {
            r[0] = 0.1;
            errors.next().unwrap()
        });
        let stopped = stopped.unwrap_err();
        assert_eq!((stopped.iterations, stopped.error), (5, 0.25), "{last}");
    }
}

#[test]
fn a_potential_with_itself_takes_few_iterations_whatever_the_blur() {
    let grid = Grid::new(&[(-4.0, 9.0, 64), (-4.0, 9.0, 64)]).unwrap();
    let a = Measure::new(&grid, &gaussian(&grid, &[1.0, 3.0], 0.7));
    for epsilon in [0.05, 0.25, 1.0, 50.0] {
        let limit = |iterations| SelfPotential::new(&a, epsilon, iterations).is_ok();
        let needed = (1..10_000).find(|n| limit(*n)).unwrap();
        println!("ε = {epsilon}: {needed}");
        assert!(needed <= 16, "ε = {epsilon}: {needed}");
    }
}

#[test]
fn potentials_of_gaussians_and_mixtures_take_few_iterations() {
    let grid = Grid::new(&[(-4.0, 9.0, 64), (-4.0, 9.0, 64)]).unwrap();
    let mixture = |w: f64, m: [f64; 2]| {
        let parts = [gaussian(&grid, &m, 1.0), gaussian(&grid, &[3.0, 2.0], 1.0)];
        let pairs = parts[0].iter().zip(&parts[1]);
        pairs
            .map(|(a, b)| w * a + (1.0 - w) * b)
            .collect::<Vec<_>>()
    };
    let cases = [
        (
            gaussian(&grid, &[1.0, 3.0], 0.7),
            gaussian(&grid, &[3.0, 2.0], 1.1),
            [16, 25, 60],
        ),
        (
            mixture(0.3, [4.2, 4.0]),
            mixture(0.3, [1.0, 3.0]),
            [30, 45, 90],
        ),
        (
            mixture(0.3, [6.0, 6.0]),
            mixture(0.3, [1.0, 3.0]),
            [30, 60, 170],
        ),
    ];
    for (a, b, bounds) in cases {
        let (a, b) = (Measure::new(&grid, &a), Measure::new(&grid, &b));
        for (epsilon, bound) in [1.0, 0.25, 0.06].into_iter().zip(bounds) {
            let needed = |iterations: usize| {
                let own = SelfPotential::new(&a, epsilon, 100).unwrap();
                let start = super::entropic::start(&a, &b, &own.potential, epsilon);
                let limits = Limits {
                    tolerance: 1e-10,
                    iterations,
                };
                Potentials::new([&a, &b], start, epsilon, limits)
            };
            let found = (1..400).step_by(4).find(|n| needed(*n).is_ok()).unwrap();
            println!("ε = {epsilon}: {found}");
            assert!(found <= bound, "ε = {epsilon}: {found}");
        }
    }
}
