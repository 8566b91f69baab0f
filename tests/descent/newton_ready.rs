//! Newton's method on ready models whose data lie far off every state.

use crate::newton::{exact, tight};
use crate::support::{dot, gap};
use pullback::direction::{ConjugateGradient, LeastSquares, Newton};
use pullback::loss::{L2Misfit, Observations, Sum};
use pullback::models::flow::VanDerPol;
use pullback::models::{Darcy, End, Flux, GaussianMixture, InvariantMeasure, Parameter};
use pullback::prior::Matern;
use pullback::step::Fixed;
use pullback::{Cpu, Descent, Direction, Grid, Loss, Model, Noise, random};

/// Iterates of a run with full steps.
fn iterates(
    (model, loss): (&dyn Model, &dyn Loss),
    direction: &dyn Direction,
    (start, steps): (&[f64], usize),
) -> Vec<Vec<f64>> {
    let rule = Fixed::default();
    let mut path: Vec<Vec<f64>> = Vec::new();
    let descent = Descent::new(model, loss).direction(direction).step(&rule);
    let descent = descent.tolerances(tight(steps));
    let _ = descent.run(start, |s| path.push(s.theta.to_vec())).unwrap();
    path
}

/// Checks that Newton's digits double, and returns the numbers of steps to 1e-9 of Newton and of Gauss-Newton.
fn compare(problem: (&dyn Model, &dyn Loss), start: &[f64], accuracy: f64) -> [usize; 2] {
    let newton = iterates(problem, &exact(), (start, 12));
    let gauss_newton = iterates(problem, &LeastSquares::default(), (start, 400));
    let minimum = newton.last().unwrap();
    let errors = |path: &[Vec<f64>]| -> Vec<f64> { path.iter().map(|t| gap(t, minimum)).collect() };
    let (newton, gauss_newton) = (errors(&newton), errors(&gauss_newton));
    for pair in newton.windows(2).filter(|e| e[0] < 0.1) {
        assert!(pair[1] <= 20.0 * pair[0] * pair[0] + accuracy, "{newton:?}");
    }
    // By Gauss-Newton every pair of steps leaves the same fraction of the error.
    let rate = |i: usize| (gauss_newton[i + 2] / gauss_newton[i]).sqrt();
    assert!((rate(10) - rate(16)).abs() < 0.05 && rate(10) > 0.35);
    [newton, gauss_newton].map(|e| e.iter().position(|e| *e < 1e-9).unwrap())
}

/// One Gaussian for data of two separate bumps.
#[test]
fn a_mixture_far_off_its_data_takes_newton_few_steps() {
    let grid = Grid::new(&[(-6.0, 6.0, 120)]).unwrap();
    let bumps = GaussianMixture::new(&grid)
        .component(0.6, &[-1.0], 0.3)
        .component(0.4, &[1.5], 0.5)
        .free(&[Parameter::Weight(0)])
        .unwrap();
    let loss = L2Misfit::new(&grid, bumps.density(&[0.6]).unwrap()).unwrap();
    let mixture = GaussianMixture::new(&grid)
        .component(1.0, &[0.0], 1.0)
        .free(&[Parameter::Mean(0, 0), Parameter::Variance(0)])
        .unwrap();
    let [newton, gauss_newton] = compare((&mixture, &loss), &[-0.5, 1.0], 1e-13);
    assert!(
        newton <= 6 && gauss_newton > 3 * newton,
        "{newton} {gauss_newton}"
    );
}

/// An invariant measure with data that no μ has.
#[test]
fn an_invariant_measure_far_off_its_data_takes_newton_few_steps() {
    let axes: Vec<_> = VanDerPol::BOX.iter().map(|(a, b)| (*a, *b, 16)).collect();
    let grid = Grid::new(&axes).unwrap();
    let model = InvariantMeasure::new(&grid, VanDerPol).unwrap();
    let model = model.flux(Flux::Smooth { width: 1.0 }).unwrap();
    let rho = |mu: f64| model.density(&[mu], Cpu::shared()).unwrap();
    let (h, [low, middle, high]) = (1e-2, [0.99, 1.0, 1.01].map(rho));
    let slope: Vec<f64> = low
        .iter()
        .zip(&high)
        .map(|(a, b)| (b - a) / (2.0 * h))
        .collect();
    let cells = 0..middle.len();
    let second: Vec<f64> = cells
        .map(|i| (low[i] - 2.0 * middle[i] + high[i]) / (h * h))
        .collect();
    // Let n be the part of ρ″ at right angles to ρ′, and the data ρ − t n. The minimum stays near μ = 1, and
    // H = ‖ρ′‖² + t ‖n‖² is 1.6 times the Gauss-Newton Hessian.
    let share = dot(&second, &slope) / dot(&slope, &slope);
    let normal: Vec<f64> = second
        .iter()
        .zip(&slope)
        .map(|(s, z)| s - share * z)
        .collect();
    let t = 0.6 * dot(&slope, &slope) / dot(&normal, &normal);
    let data = middle.iter().zip(&normal).map(|(r, n)| r - t * n).collect();
    let loss = L2Misfit::euclidean(data).unwrap();
    let [newton, gauss_newton] = compare((&model, &loss), &[1.1], 1e-11);
    assert!(
        newton <= 6 && gauss_newton > 3 * newton,
        "{newton} {gauss_newton}"
    );
}

/// Flow through a field with a parameter per cell, and pressures at wells that no field has.
#[test]
fn a_darcy_flow_far_off_its_data_takes_newton_fewer_solves() {
    let n = 32;
    let grid = Grid::new(&[(0.0, 1.0, n), (0.0, 1.0, n)]).unwrap();
    let darcy = Darcy::new(&grid)
        .unwrap()
        .pressure(0, End::Lower, 0.0)
        .unwrap()
        .source(vec![1.0; n * n])
        .unwrap();
    let points: Vec<[f64; 2]> = random::uniform(40, (0.05, 0.95), 3)
        .chunks(2)
        .map(|x| [x[0], x[1]])
        .collect();
    let wells = darcy.observe(&points).unwrap();
    let data = (0..20).map(|i| [1.5, -1.0][i % 2]).collect();
    let noise = Noise::uniform(20, 0.2).unwrap();
    let misfit = Observations::new(wells, data, noise).unwrap();
    let loss = Sum::default().add(1.0, misfit).unwrap();
    let prior = Matern::new(&grid, 1.0, 0.3).unwrap();
    let run = |direction: &dyn Direction| {
        let descent = Descent::new(&darcy, &loss)
            .prior(&prior)
            .direction(direction);
        let report = descent.run(&vec![0.0; n * n], |_| ()).unwrap();
        assert!(report.converged(), "{report}");
        let counts = report.counts;
        (counts.tangent_solves + counts.adjoint_solves, report.loss)
    };
    let (newton, lowest) = run(&Newton::default());
    let (gauss_newton, loss) = run(&ConjugateGradient::default());
    assert!((lowest / loss - 1.0).abs() < 1e-9, "{lowest} {loss}");
    assert!(2 * newton < gauss_newton, "{newton} {gauss_newton}");
}
