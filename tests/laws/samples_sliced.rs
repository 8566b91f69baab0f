//! Metrics of losses between clouds that are their second variations, beside closed forms and changes of the loss.

use crate::samples_losses::Affine;
use crate::support::gap;
use crate::support::gaussians::{Gaussian, Shape};
use pullback::automatic::Scalar;
use pullback::direction::{Damping, Information};
use pullback::loss::{Kernel, KernelDiscrepancy, SlicedTransport, Sum};
use pullback::metric::SampledWasserstein;
use pullback::models::{Draws, Map, PushForward};
use pullback::{Cpu, Descent, Loss, Metric, random, verify};

/// Skewed points in ℝᵈ.
fn scattered(space: usize, count: usize, seed: u64) -> Vec<f64> {
    let numbers = random::normal(space * count, seed, 0);
    numbers.iter().map(|z| z + 0.3 * z * z).collect()
}

/// Returns vᵀMv in the own metric of a loss.
fn square(loss: &dyn Loss, cloud: &[f64], v: &[f64]) -> f64 {
    let (metric, cpu) = (loss.metric().unwrap(), Cpu::default());
    let root = metric.at(cloud, &cpu).unwrap();
    let lifted = root.lift(crate::support::column(v)).unwrap();
    lifted.norm_l2().powi(2)
}

#[test]
fn it_passes_the_checks_of_metrics() {
    for (space, count) in [(1, 60), (2, 400), (3, 50), (5, 7), (3, 3), (1, 2), (3, 1)] {
        let cloud = scattered(space, count, 1);
        let loss = SlicedTransport::new(space, scattered(space, 30, 2)).unwrap();
        let checks = verify::metric(loss.metric().unwrap().as_ref(), &cloud, 1).unwrap();
        assert!(checks.passed(), "{space}, {count}: {checks}");
    }
    // Points at one place, and the data themselves, whose loss has no gradient.
    let cloud = [vec![0.5; 40], scattered(2, 20, 3)].concat();
    let data = scattered(2, 30, 2);
    for (cloud, data) in [(&cloud, &data), (&cloud, &cloud), (&vec![0.5; 40], &data)] {
        let loss = SlicedTransport::new(2, data.clone()).unwrap();
        let checks = verify::metric(loss.metric().unwrap().as_ref(), cloud, 1).unwrap();
        assert!(checks.passed(), "{checks}");
    }
    for (kernel, name) in [
        (Kernel::Energy, "energy"),
        (Kernel::Gaussian(1.0), "W2 on a line"),
    ] {
        let loss = KernelDiscrepancy::new(1, scattered(1, 30, 2), kernel).unwrap();
        let metric = loss.metric().unwrap();
        assert_eq!(metric.name(), name);
        for cloud in [
            scattered(1, 50, 1),
            scattered(1, 10, 1).repeat(3),
            vec![0.3],
            vec![0.3; 9],
        ] {
            let checks = verify::metric(metric.as_ref(), &cloud, 1).unwrap();
            assert!(checks.passed(), "{name}, {}: {checks}", cloud.len());
        }
    }
}

/// The rows of the lines alone represent the gradient, so that the motion of single particles has no part in a step along it.
#[test]
fn the_gradient_of_the_loss_is_represented_by_the_lines() {
    let far = |points: Vec<f64>| -> Vec<f64> { points.iter().map(|x| 1e6 + x).collect() };
    for (space, cloud, data) in [
        (2, scattered(2, 300, 1), scattered(2, 70, 2)),
        (1, scattered(1, 300, 1), scattered(1, 300, 2)),
        (3, far(scattered(3, 50, 1)), far(scattered(3, 30, 2))),
        (2, scattered(2, 20, 1).repeat(3), scattered(2, 30, 2)),
        (3, scattered(3, 2, 1), scattered(3, 5, 2)),
    ] {
        let loss = SlicedTransport::new(space, data).unwrap();
        let mut gradient = vec![0.0; cloud.len()];
        loss.gradient(&cloud, &mut gradient);
        let (metric, cpu) = (loss.metric().unwrap(), Cpu::default());
        let root = metric.at(&cloud, &cpu).unwrap();
        let y = root.dual(&gradient).unwrap();
        let lowered = root.lower(crate::support::column(&y)).unwrap();
        assert!(gap(lowered.col_as_slice(0), &gradient) < 1e-12, "{space}");
        let (lines, own) = y.split_at(y.len() - cloud.len());
        let size = |y: &[f64]| y.iter().map(|y| y * y).sum::<f64>();
        assert!(size(own) < 1e-12 * size(lines), "{space}");
    }
}

/// A sum with another loss takes its metric from the parts, also where one of them projects covectors and the other does not.
#[test]
fn sums_with_kernel_discrepancies_take_steps() {
    let model = PushForward::new(
        Gaussian {
            d: 2,
            shape: Shape::Triangular,
        },
        Draws::normal(500, 2, 1).unwrap(),
    )
    .unwrap();
    let data = random::normal(600, 2, 0);
    let sliced = SlicedTransport::new(2, data.clone()).unwrap();
    let energy = KernelDiscrepancy::energy(2, data).unwrap();
    let sum = Sum::default().add(0.7, sliced).unwrap();
    let sum = sum.add(2.0, energy).unwrap();
    // The information matrix needs no representation of the gradient.
    let start = [0.5, 0.3, 1.5, 0.2, 0.8];
    let descent = Descent::new(&model, &sum);
    let found = descent.propose(&start, 0.0).unwrap().eta;
    let descent = descent.direction(&Information {
        damping: Damping::Diagonal,
    });
    let expected = descent.propose(&start, 0.0).unwrap().eta;
    assert!(gap(&found, &expected) < 1e-8, "{found:?} {expected:?}");
    let report = Descent::new(&model, &sum).run(&start, |_| ());
    let report = report.unwrap();
    assert!(report.converged() && report.loss < 0.02, "{report}");
}

/// For x ~ N(0, I) and v = S x the mean of u·v at a place of u·x is (u·Su)(u·x), and d E(u·Su)² = (2|S|² + (tr S)²)/(d + 2) with
/// the symmetric part of S.
#[test]
fn it_is_the_mean_over_lines_of_the_metrics_of_projections() {
    let (d, count) = (3, 8000);
    let normal = Draws::normal(count, d, 1).unwrap();
    let cloud: Vec<f64> = (0..count).flat_map(|n| normal.of(n).to_vec()).collect();
    let loss = SlicedTransport::on_lines(d, random::normal(3 * 500, 2, 0), 3000, 3).unwrap();
    let moved = |s: [[f64; 3]; 3]| -> Vec<f64> {
        let points = cloud.chunks_exact(d);
        let images = points.flat_map(|x| s.map(|row| (0..d).map(|j| row[j] * x[j]).sum()));
        images.collect()
    };
    for (s, expected) in [
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 3.0),
        ([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 0.0]], 0.8),
        ([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], 0.8),
        ([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], 0.0),
    ] {
        let found = square(&loss, &cloud, &moved(s));
        assert!((found - expected).abs() < 0.05, "{s:?}: {found}");
    }
    let shift: Vec<f64> = (0..count).flat_map(|_| [1.0, 2.0, -2.0]).collect();
    // All lines agree, and v/N adds its part.
    let expected = 9.0 * (1.0 + 1.0 / count as f64);
    assert!((square(&loss, &cloud, &shift) - expected).abs() < 1e-10);
}

/// Independent noise h z widens N(0, 1) to the deviation √(1 + h²), at a distance of h²/2: it moves the distribution to second order
/// only, and particles to first.
#[test]
fn noise_of_the_velocities_does_not_count() {
    for space in [1, 3] {
        let count = 6000;
        let [cloud, noise] = [1, 2].map(|seed| random::normal(space * count, seed, 0));
        let loss = SlicedTransport::new(space, cloud.clone()).unwrap();
        let h = 0.3;
        let noisy: Vec<f64> = cloud.iter().zip(&noise).map(|(x, z)| x + h * z).collect();
        let change = loss.value(&noisy) / (0.5 * h * h * space as f64);
        let found = square(&loss, &cloud, &noise) / space as f64;
        let bound = 2.0 / (count as f64).sqrt();
        assert!(change < 0.03 && found < bound, "{change:e} {found:e}");
        let labelled = noise.iter().map(|z| z * z).sum::<f64>() / (space * count) as f64;
        assert!(labelled > 0.9);
    }
}

/// A step with the second variation of the loss leaves a fraction of the way. Wasserstein-2 weighs changes of shape that keep the size
/// (d + 2)/2 times too much.
#[test]
fn its_steps_are_those_of_newton() {
    let family = Gaussian {
        d: 5,
        shape: Shape::Triangular,
    };
    let model = PushForward::new(family, Draws::normal(2000, 5, 1).unwrap()).unwrap();
    let truth = family.theta(3);
    let off = random::uniform(truth.len(), (-0.05, 0.05), 4);
    let start: Vec<f64> = truth.iter().zip(&off).map(|(t, o)| t + o).collect();
    let loss = SlicedTransport::new(5, model.sample(&truth).unwrap()).unwrap();
    let left = |descent: Descent<'_>| {
        let eta = descent.propose(&start, 0.0).unwrap().eta;
        let after: Vec<f64> = start.iter().zip(&eta).map(|(s, e)| s + e).collect();
        gap(&after, &truth) / gap(&start, &truth)
    };
    let own = left(Descent::new(&model, &loss));
    let sampled = SampledWasserstein::new(5);
    let other = left(Descent::new(&model, &loss).metric(&sampled));
    assert!(own < 0.2 && other > 0.4, "{own} {other}");
}

/// 2 ∫ (ρv)² dx for N(0, 1) is 1/√π with v = 1, and 1/2√π with v = x. Noise does not count.
#[test]
fn the_energy_distance_weighs_motion_on_a_line_by_the_density() {
    let count = 6000;
    let [cloud, noise] = [1, 2].map(|seed| random::normal(count, seed, 0));
    let loss = KernelDiscrepancy::energy(1, cloud.clone()).unwrap();
    let root_of_pi = std::f64::consts::PI.sqrt();
    for (v, expected) in [
        (&vec![1.0; count], root_of_pi.recip()),
        (&cloud, 0.5 / root_of_pi),
        (&noise, 0.0),
    ] {
        let found = square(&loss, &cloud, v);
        assert!((found - expected).abs() < 0.03, "{found} {expected}");
        let h = 0.1;
        let moved: Vec<f64> = cloud.iter().zip(v).map(|(x, v)| x + h * v).collect();
        let change = loss.value(&moved) / (0.5 * h * h);
        assert!((found - change).abs() < 0.06, "{found} {change}");
    }
}

/// x = a + eᵇ (1 + 0.8 tanh(g z/2)) (1 + z²)^k z with k = eˢ: skewed, with heavy tails.
struct Skewed;

impl Map for Skewed {
    fn dims(&self) -> (usize, usize, usize) {
        (1, 1, 4)
    }

    fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
        let skew = (theta[2] * (0.5 * z[0])).tanh() * 0.8 + 1.0;
        let tail = (theta[3].exp() * (1.0 + z[0] * z[0]).ln()).exp();
        x[0] = theta[0] + theta[1].exp() * skew * tail * z[0];
    }
}

/// Wasserstein metrics count the motion of tails with its square, creep, and are not there after hundreds of steps.
#[test]
fn a_skewed_distribution_is_found_from_afar_by_its_energy_distance() {
    let truth = [3.0, 0.0, 1.0, 0.3_f64.ln()];
    let model = PushForward::new(Skewed, Draws::normal(600, 1, 3).unwrap()).unwrap();
    let data = PushForward::new(Skewed, Draws::raw(600, 1, 9).unwrap()).unwrap();
    let data = data.sample(&truth).unwrap();
    let loss = KernelDiscrepancy::energy(1, data).unwrap();
    let floor = loss.value(&model.sample(&truth).unwrap());
    for start in [[0.0, 0.0, 0.1, -1.0], [10.0, 3.0, 0.5, -0.5]] {
        let report = Descent::new(&model, &loss).run(&start, |_| ()).unwrap();
        assert!(
            report.converged() && report.loss < floor,
            "{floor:e}\n{report}"
        );
    }
}

/// Far from the data the density of a narrow cloud is no measure of the distance.
#[test]
fn narrow_clouds_find_data_that_are_far_away() {
    let data = random::normal(30, 2, 0);
    for (distance, width) in [(1e3, 1e-2), (1e3, 1e-8), (1e3, 0.0), (3.0, 1e-6)] {
        let draws = Draws::normal(30, 1, 1).unwrap();
        let far = data.iter().map(|y| y + distance).collect();
        let loss = KernelDiscrepancy::energy(1, far).unwrap();
        let model = PushForward::new(Affine, draws).unwrap();
        let report = Descent::new(&model, &loss)
            .run(&[0.0, width], |_| ())
            .unwrap();
        let found = report.theta[0] - distance;
        assert!(found.abs() < 0.5, "{distance:e}, {width:e}: {report}");
    }
}
