//! Second derivatives of transport losses: the metrics of entropic losses, and exact ones for narrow targets.

use crate::support::{column, dot};
use pullback::loss::{Sinkhorn, Transport, UnbalancedTransport};
use pullback::{Cpu, Descent, Grid, Loss};

/// A density and its changes along smooth directions.
type Tangents = (Vec<f64>, Vec<(&'static str, Vec<f64>)>);

/// A sum of two bumps in the plane and how it changes as it moves, stretches, turns, and gains mass.
fn tangents(grid: &Grid) -> Tangents {
    let bump = |x: &[f64], m: [f64; 2]| {
        let squares = (x[0] - m[0]).powi(2) + 0.6 * (x[1] - m[1]).powi(2);
        (-0.5 * squares).exp()
    };
    let both = |x: &[f64]| 0.1 * bump(x, [-0.8, 0.3]) + 0.06 * bump(x, [1.1, -0.7]);
    let first = |x: &[f64]| 0.1 * bump(x, [-0.8, 0.3]);
    let slope = |x: &[f64], f: &dyn Fn(&[f64]) -> f64, d: usize| {
        let h = 1e-4;
        let at = |s: f64| {
            let mut y = [x[0], x[1]];
            y[d] += s;
            f(&y)
        };
        (at(h) - at(-h)) / (2.0 * h)
    };
    let changes = vec![
        ("moves", grid.sample(|x| slope(x, &both, 0))),
        ("moves in part", grid.sample(|x| slope(x, &first, 1))),
        (
            "stretches",
            grid.sample(|x| both(x) + x[0] * slope(x, &both, 0)),
        ),
        (
            "turns",
            grid.sample(|x| x[0] * slope(x, &both, 1) - x[1] * slope(x, &both, 0)),
        ),
        ("gains", grid.sample(both)),
        ("gains in part", grid.sample(first)),
    ];
    (grid.sample(both), changes)
}

/// vᵀ(∇f(q + hv) − ∇f(q − hv))/2h beside vᵀMv.
fn curvatures(loss: &dyn Loss, q: &[f64], v: &[f64]) -> [f64; 2] {
    let cpu = Cpu::default();
    let h = 1e-3;
    let gradient = |s: f64| {
        let rho: Vec<f64> = q.iter().zip(v).map(|(q, v)| q + s * v).collect();
        loss.at(&rho, &cpu).unwrap().covector(&cpu).unwrap()
    };
    let (ahead, behind) = (gradient(h), gradient(-h));
    let change: Vec<f64> = ahead.iter().zip(&behind).map(|(a, b)| a - b).collect();
    let metric = loss.metric().unwrap();
    let root = metric.at(q, &cpu).unwrap();
    let product = root.apply(column(v)).unwrap();
    [dot(&change, v) / (2.0 * h), dot(product.col_as_slice(0), v)]
}

#[test]
fn the_metric_of_the_entropic_cost_is_its_second_derivative_for_smooth_changes() {
    let grid = Grid::new(&[(-6.0, 6.0, 60), (-6.0, 6.0, 60)]).unwrap();
    let (q, changes) = tangents(&grid);
    for (epsilon, bound) in [(0.08, 0.01), (0.3, 0.03)] {
        let options = Sinkhorn {
            epsilon: Some(epsilon),
            ..Sinkhorn::default()
        };
        let loss = Transport::sinkhorn(&grid, q.clone(), &options).unwrap();
        for (name, v) in &changes[..4] {
            let [curved, metric] = curvatures(&loss, &q, v);
            println!("ε = {epsilon}, {name}: {:.1e}", curved / metric - 1.0);
            assert!(
                (curved / metric - 1.0).abs() < bound,
                "ε = {epsilon}, {name}: {curved} and {metric}"
            );
        }
    }
}

#[test]
fn the_metric_of_the_unbalanced_cost_is_its_second_derivative_for_smooth_changes() {
    let grid = Grid::new(&[(-6.0, 6.0, 60), (-6.0, 6.0, 60)]).unwrap();
    let (q, changes) = tangents(&grid);
    let options = Sinkhorn {
        epsilon: Some(0.08),
        ..Sinkhorn::default()
    };
    // The metric misses a fraction of some ε/λ, and as above one by ε for the finest changes.
    for (lambda, bound) in [(16.0, 0.02), (64.0, 0.01)] {
        let loss = UnbalancedTransport::new(&grid, q.clone(), lambda, &options).unwrap();
        for (name, v) in &changes {
            let [curved, metric] = curvatures(&loss, &q, v);
            println!("λ = {lambda}, {name}: {:.1e}", curved / metric - 1.0);
            assert!(
                (curved / metric - 1.0).abs() < bound,
                "λ = {lambda}, {name}: {curved} and {metric}"
            );
        }
    }
}

/// Normalised Gaussian on a line, with its first and second derivatives by the mean.
fn moved(grid: &Grid, mean: f64, s: f64) -> [Vec<f64>; 3] {
    let rho = |x: f64| {
        (-0.5 * ((x - mean) / s).powi(2)).exp() / (s * (2.0 * std::f64::consts::PI).sqrt())
    };
    [
        grid.sample(|x| rho(x[0])),
        grid.sample(|x| rho(x[0]) * (x[0] - mean) / (s * s)),
        grid.sample(|x| rho(x[0]) * (((x[0] - mean) / s).powi(2) - 1.0) / (s * s)),
    ]
}

/// f(ρ_m) = ½(m − m₀)² for Gaussians of the mean m, so that f″[ρ′, ρ′] + f′[ρ″] = 1, though most cells hold nothing.
#[test]
fn second_derivatives_of_a_narrow_gaussian_in_a_wide_box_are_those_of_its_motion() {
    let grid = Grid::new(&[(-30.0, 30.0, 1200)]).unwrap();
    let (narrow, cpu) = (0.5, Cpu::default());
    let loss = Transport::new(&grid, moved(&grid, 0.0, narrow)[0].clone()).unwrap();
    for mean in [0.3, 4.0, -9.0] {
        let [rho, first, second] = moved(&grid, mean, narrow);
        let misfit = loss.at(&rho, &cpu).unwrap();
        let value = misfit.value();
        assert!((value / (0.5 * mean * mean) - 1.0).abs() < 1e-3, "{value}");
        let curved = misfit.hessian(column(&first), &cpu).unwrap().unwrap();
        let slope = misfit.covector(&cpu).unwrap();
        assert!((dot(&slope, &first) / mean - 1.0).abs() < 1e-3, "{mean}");
        let total = dot(curved.col_as_slice(0), &first) + dot(&slope, &second);
        println!("{mean}: {:.1e}", total - 1.0);
        assert!((total - 1.0).abs() < 2e-2, "{mean}: {total}");
    }
}

/// Two bumps far apart, each of which moves by its own distance: the default ε is that of their width.
#[test]
fn targets_of_two_bumps_have_the_default_of_one() {
    let grid = Grid::new(&[(-10.0, 10.0, 100), (-4.0, 4.0, 40)]).unwrap();
    let at = |left: f64, right: f64| {
        let bump = |x: &[f64], m: f64| (-0.5 * ((x[0] - m).powi(2) + x[1] * x[1])).exp();
        let rho = grid.sample(|x| bump(x, left) + bump(x, right));
        let mass = grid.integrate(&rho).unwrap();
        rho.iter().map(|r| r / mass).collect::<Vec<f64>>()
    };
    let loss = Transport::new(&grid, at(-5.0, 5.0)).unwrap();
    // ½ (½ 1² + ½ 0.5²).
    let value = loss.value(&at(-6.0, 5.5));
    assert!((value / 0.3125 - 1.0).abs() < 5e-3, "{value}");
    // With the ε of the whole width, the bumps would be blurred into each other.
    let wide = Sinkhorn {
        epsilon: Some(26.0 / 8.0),
        ..Sinkhorn::default()
    };
    let blurred = Transport::sinkhorn(&grid, at(-5.0, 5.0), &wide).unwrap();
    let stretched = |loss: &Transport| {
        // Both bumps wider by a tenth, which costs ½ 2 (0.1)².
        let bump = |x: &[f64], m: f64| (-0.5 * ((x[0] - m).powi(2) + x[1] * x[1]) / 1.21).exp();
        let rho = grid.sample(|x| bump(x, -5.0) + bump(x, 5.0));
        let mass = grid.integrate(&rho).unwrap();
        loss.value(&rho.iter().map(|r| r / mass).collect::<Vec<f64>>())
    };
    let (fine, coarse) = (stretched(&loss), stretched(&blurred));
    println!("{fine:.3e} and {coarse:.3e} for 1e-2");
    assert!((fine / 0.01 - 1.0).abs() < 0.02, "{fine}");
    assert!((coarse / 0.01 - 1.0).abs() > 0.1, "{coarse}");
    let model = pullback::models::GaussianMixture::new(&grid)
        .component(0.5, &[-3.0, 0.0], 1.0)
        .component(0.5, &[3.0, 0.0], 1.0)
        .free(&[
            pullback::models::Parameter::Mean(0, 0),
            pullback::models::Parameter::Mean(1, 0),
        ])
        .unwrap();
    let report = Descent::new(&model, &loss)
        .run(&[-2.0, 1.0], |_| ())
        .unwrap();
    assert!(report.converged(), "{report}");
    assert!((report.theta[0] + 5.0).abs() < 1e-3 && (report.theta[1] - 5.0).abs() < 1e-3);
}
