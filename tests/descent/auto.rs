//! What `Auto` chooses, and that it says so.

use pullback::direction::{Auto, ConjugateGradient, Preconditioner};
use pullback::loss::{L2Misfit, Observations};
use pullback::models::{Darcy, End, GaussianMixture, Parameter};
use pullback::prior::{Matern, Tikhonov};
use pullback::{Bounds, Descent, Grid, Noise, Operator, Prior, Report, Side};

const N: usize = 16;

fn darcy(grid: &Grid) -> Darcy {
    let model = Darcy::new(grid).unwrap();
    let model = model.pressure(0, End::Lower, 1.0).unwrap();
    model.pressure(0, End::Upper, 0.0).unwrap()
}

fn inversion(points: usize, prior: &dyn Prior) -> Report {
    invert(points, prior, &Auto::default(), f64::INFINITY)
}

/// With no log-permeability beyond ±`limit`.
fn invert(points: usize, prior: &dyn Prior, auto: &Auto, limit: f64) -> Report {
    let grid = Grid::new(&[(0.0, 1.0, N), (0.0, 1.0, N)]).unwrap();
    let model = darcy(&grid);
    let at = |i: usize, step: f64| 0.05 + 0.9 * (0.5 + i as f64 * step).fract();
    let wells: Vec<[f64; 2]> = (0..points)
        .map(|i| [at(i, 0.754_877), at(i, 0.569_840)])
        .collect();
    let measured: Operator<'static> = match points {
        0 => model.observe_all(),
        _ => model.observe(&wells).unwrap(),
    };
    let truth = grid.sample(|x| (6.0 * x[0]).sin() * x[1]);
    let pressures = model.pressures(&truth).unwrap();
    let data = measured.apply_to(Side::Plain, &pressures).unwrap();
    let noise = Noise::uniform(data.len(), 0.01).unwrap();
    let loss = Observations::new(measured, data, noise).unwrap();
    let bounds = Bounds::new(vec![-limit; N * N], vec![limit; N * N]).unwrap();
    let descent = Descent::new(&model, &loss).prior(prior).direction(auto);
    let descent = descent.bounds(&bounds);
    descent.run(&[0.0; N * N], |_| ()).unwrap()
}

fn chose(report: &Report, name: &str) {
    assert!(report.converged(), "{report}");
    let text = &report.remarks[0].text;
    assert!(text.starts_with(&format!("chose {name}: ")), "{text}");
    assert!(report.to_string().contains(text));
}

#[test]
fn the_cheapest_direction_is_taken_and_named() {
    let grid = Grid::new(&[(0.0, 1.0, N), (0.0, 1.0, N)]).unwrap();
    let smooth = Matern::new(&grid, 1.0, 0.3).unwrap();
    let apart = Noise::uniform(N * N, 0.3).unwrap();
    let apart = Tikhonov::new(vec![0.0; N * N], apart).unwrap();
    chose(&inversion(20, &smooth), "data space");
    chose(&inversion(100, &smooth), "conjugate gradients");
    chose(&inversion(0, &smooth), "conjugate gradients");
    chose(&inversion(0, &apart), "dual");
}

#[test]
fn few_parameters_go_by_least_squares_whatever_the_prior() {
    let grid = Grid::new(&[(-5.0, 5.0, 100)]).unwrap();
    let mixture = GaussianMixture::new(&grid)
        .component(1.0, &[0.0], 1.0)
        .free(&[Parameter::Mean(0, 0)])
        .unwrap();
    let loss = L2Misfit::new(&grid, mixture.density(&[0.5]).unwrap()).unwrap();
    let auto = Auto::default();
    let descent = Descent::new(&mixture, &loss).direction(&auto);
    chose(&descent.run(&[0.0], |_| ()).unwrap(), "least squares");
}

#[test]
fn without_a_precision_to_solve_with_few_observations_go_by_conjugate_gradients() {
    let grid = Grid::new(&[(0.0, 1.0, N), (0.0, 1.0, N)]).unwrap();
    let smooth = Matern::new(&grid, 1.0, 0.3).unwrap();
    let plain = ConjugateGradient {
        preconditioner: Preconditioner::Identity,
        ..ConjugateGradient::default()
    };
    let auto = Auto {
        iterative: plain,
        ..Auto::default()
    };
    let report = invert(20, &smooth, &auto, f64::INFINITY);
    let text = &report.remarks[0].text;
    assert!(text.starts_with("chose conjugate gradients: "), "{text}");
}

#[test]
fn what_bounds_hold_is_not_remarked_upon_at_every_step() {
    let grid = Grid::new(&[(0.0, 1.0, N), (0.0, 1.0, N)]).unwrap();
    let smooth = Matern::new(&grid, 1.0, 0.3).unwrap();
    let report = invert(100, &smooth, &Auto::default(), 0.3);
    assert!(report.theta.iter().any(|t| t.abs() == 0.3), "{report}");
    // At most one for every direction that can be chosen here.
    assert!(report.remarks.len() <= 2, "{report}");
}
