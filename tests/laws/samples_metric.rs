//! The metric of a sample beside the exact Wasserstein metric of Gaussians.

use crate::support::gaussians::{Gaussian, Shape};
use crate::support::{dot, eigenvalues, gap, reference_vector};
use pullback::automatic::Scalar;
use pullback::faer::{Mat, MatRef};
use pullback::loss::SlicedTransport;
use pullback::metric::{Blocks, Kernels, Particles, SampledWasserstein};
use pullback::models::{Draws, Map, PushForward};
use pullback::{Cpu, Descent, Linearisation, Loss, Metric, random, verify};

const N: usize = 1024;

const SHAPES: [Shape; 2] = [Shape::Diagonal, Shape::Triangular];

/// G = (LZ)ᵀLZ of a model at θ.
fn pulled_back(model: &PushForward<Gaussian>, metric: &dyn Metric, theta: &[f64]) -> Mat<f64> {
    let cpu = Cpu::default();
    let rho = model.sample(theta).unwrap();
    let z = Linearisation::new(model, &rho, theta, &cpu).unwrap();
    let root = metric.at(&rho, &cpu).unwrap();
    let lifted = root.lift(z.matrix().unwrap().as_ref()).unwrap();
    lifted.transpose() * &lifted
}

fn length(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
}

/// Relative error of the direction G⁻¹c along a random gradient c.
fn error(family: Gaussian, draws: Draws, metric: &dyn Metric, seed: u64) -> f64 {
    let model = PushForward::new(family, draws).unwrap();
    let theta = family.theta(seed);
    let c = random::normal(family.parameters(), seed, 7);
    let exact = reference_vector(family.metric(&theta).as_ref(), &c);
    let found = reference_vector(pulled_back(&model, metric, &theta).as_ref(), &c);
    let off: Vec<f64> = found.iter().zip(&exact).map(|(a, b)| a - b).collect();
    length(&off) / length(&exact)
}

/// Median error over seeds, with independent draws as published.
fn median(
    (family, count, seeds): (Gaussian, usize, u64),
    metric: impl Fn(u64) -> Box<dyn Metric>,
) -> f64 {
    let errors = (1..=seeds).map(|seed| {
        let draws = Draws::raw(count, family.d, seed).unwrap();
        error(family, draws, metric(seed).as_ref(), seed)
    });
    let mut errors: Vec<f64> = errors.collect();
    errors.sort_by(f64::total_cmp);
    0.5 * (errors[errors.len() / 2] + errors[(errors.len() - 1) / 2])
}

/// The published metric, with the width of the article.
fn kwng(d: usize, seed: u64) -> Box<dyn Metric> {
    let kernels = Kernels {
        width: 1.0,
        seed,
        ..Kernels::default()
    };
    Box::new(SampledWasserstein::kwng(d, kernels))
}

#[test]
fn quadratics_are_exact_for_gaussians_with_whitened_draws() {
    for d in 1..=10 {
        for shape in SHAPES {
            let family = Gaussian { d, shape };
            let draws = Draws::normal(N, d, 3).unwrap();
            let error = error(family, draws, &SampledWasserstein::new(d), 5);
            // The exact metric is solved for by another library, with condition numbers up to 10⁴.
            assert!(error < 1e-12, "{family:?}: {error:e}");
        }
    }
}

/// Without whitening the error is that of the sample's covariance.
#[test]
fn quadratics_need_whitened_draws() {
    let family = Gaussian {
        d: 5,
        shape: Shape::Triangular,
    };
    let raw = median((family, N, 20), |_| Box::new(SampledWasserstein::new(5)));
    assert!((0.01..0.3).contains(&raw), "{raw}");
}

#[test]
fn kernels_alone_reach_the_published_accuracy() {
    for (d, most) in [(1, 0.06), (2, 0.06), (5, 0.06), (10, 0.06)] {
        let shape = Shape::Diagonal;
        let error = median((Gaussian { d, shape }, N, 20), |seed| kwng(d, seed));
        assert!(error <= most, "diagonal, d = {d}: {error}");
    }
    // Labels count for as much as the distribution if the covariance is full.
    for (d, most, labelled) in [(2, 0.08, 0.15), (5, 0.16, 0.5)] {
        let family = Gaussian {
            d,
            shape: Shape::Triangular,
        };
        let error = median((family, N, 20), |seed| kwng(d, seed));
        let particles = median((family, N, 20), |_| Box::new(Particles::new(d)));
        assert!(error <= most, "full, d = {d}: {error}");
        assert!(particles >= labelled, "particles, d = {d}: {particles}");
    }
}

#[test]
fn the_error_of_kernels_falls_as_the_root_of_the_sample() {
    let family = Gaussian {
        d: 2,
        shape: Shape::Triangular,
    };
    let sizes = [64, 256, 1024, 4096];
    let points = sizes.map(|count| {
        let error = median((family, count, 40), |seed| kwng(2, seed));
        ((count as f64).ln(), error.ln())
    });
    let slope = slope(&points);
    assert!((slope + 0.5).abs() <= 0.12, "{slope}: {points:?}");
}

/// The slope of the line of least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let [x, y] = [0, 1].map(|side| {
        let values = points.iter().map(|p| if side == 0 { p.0 } else { p.1 });
        values.sum::<f64>() / count
    });
    let products = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>();
    products / points.iter().map(|p| (p.0 - x) * (p.0 - x)).sum::<f64>()
}

#[test]
fn more_kernels_only_add_to_the_metric_and_never_pass_the_lagrangian_one() {
    let family = Gaussian {
        d: 2,
        shape: Shape::Triangular,
    };
    let model = PushForward::new(family, Draws::normal(256, 2, 1).unwrap()).unwrap();
    let theta = family.theta(2);
    let mut before = Mat::zeros(family.parameters(), family.parameters());
    let kernels = [1, 3, 8, 20, 60].map(|count| Kernels {
        count: Some(count),
        ..Kernels::default()
    });
    let metrics = kernels.map(|k| Box::new(SampledWasserstein::kwng(2, k)) as Box<dyn Metric>);
    for metric in metrics
        .into_iter()
        .chain([Box::new(Particles::new(2)) as _])
    {
        let g = pulled_back(&model, metric.as_ref(), &theta);
        let growth = eigenvalues((&g - &before).as_ref());
        assert!(
            growth[0] > -1e-12 && growth[growth.len() - 1] > 1e-3,
            "{growth:?}"
        );
        before = g;
    }
}

/// A loss between two clouds of another shape and place.
fn target(d: usize) -> SlicedTransport {
    let numbers = random::normal(300 * d, 9, 0);
    let data = numbers.iter().enumerate();
    let data = data.map(|(i, z)| 0.5 + z * (1.0 + 0.3 * (i % d) as f64));
    SlicedTransport::new(d, data.collect()).unwrap()
}

#[test]
fn too_few_potentials_never_make_long_steps() {
    let family = Gaussian {
        d: 5,
        shape: Shape::Triangular,
    };
    let loss = target(5);
    for seed in 1..=5 {
        let model = PushForward::new(family, Draws::normal(512, 5, seed).unwrap()).unwrap();
        let theta = family.theta(seed);
        let cpu = Cpu::default();
        let rho = model.sample(&theta).unwrap();
        let z = Linearisation::new(&model, &rho, &theta, &cpu).unwrap();
        let mut u = vec![0.0; rho.len()];
        loss.gradient(&rho, &mut u);
        let gradient = z.matrix().unwrap().transpose() * crate::support::column(&u);
        let exact = reference_vector(family.metric(&theta).as_ref(), gradient.col_as_slice(0));
        for count in [1, 2, 5, 10, 15, 18, 19] {
            let kernels = Kernels {
                count: Some(count),
                seed,
                ..Kernels::default()
            };
            let metric = SampledWasserstein::kwng(5, kernels);
            let descent = Descent::new(&model, &loss).metric(&metric);
            let eta = descent.propose(&theta, 0.0).unwrap().eta;
            let ratio = length(&eta) / length(&exact);
            assert!(ratio < 10.0, "{count} of {} potentials: {ratio}", eta.len());
        }
    }
}

/// θ = B ξ.
struct Mixed {
    family: Gaussian,
    mixing: Mat<f64>,
}

impl Map for Mixed {
    fn dims(&self) -> (usize, usize, usize) {
        self.family.dims()
    }

    fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
        let row = |i: usize| -> S {
            let terms = theta.iter().enumerate();
            terms.map(|(j, t)| *t * self.mixing[(i, j)]).sum()
        };
        let mixed: Vec<S> = (0..theta.len()).map(row).collect();
        self.family.map(z, &mixed, x);
    }
}

#[test]
fn steps_do_not_depend_on_the_coordinates_of_the_parameters() {
    let family = Gaussian {
        d: 3,
        shape: Shape::Triangular,
    };
    let (p, loss) = (family.parameters(), target(3));
    let mixing = random::normal_matrix(p, p, 4);
    let draws = Draws::normal(400, 3, 1).unwrap();
    let theta = family.theta(3);
    let xi = reference_vector(mixing.as_ref(), &theta);
    let plain = PushForward::new(family, draws.clone()).unwrap();
    let mixed = Mixed {
        family,
        mixing: mixing.clone(),
    };
    let mixed = PushForward::new(mixed, draws).unwrap();
    let own = |cloud: &[f64], out: &mut [f64]| loss.gradient(cloud, out);
    for metric in [
        SampledWasserstein::new(3),
        SampledWasserstein::kwng(3, Kernels::default()),
        SampledWasserstein::new(3)
            .kernels(Kernels::default())
            .field(own),
    ] {
        let eta = |descent: Descent<'_>, at: &[f64]| descent.propose(at, 0.0).unwrap().eta;
        let expected = eta(Descent::new(&plain, &loss).metric(&metric), &theta);
        let found = eta(Descent::new(&mixed, &loss).metric(&metric), &xi);
        let found = &mixing * crate::support::column(&found);
        let off = gap(found.col_as_slice(0), &expected);
        assert!(off < 1e-8, "{off:e}");
    }
}

/// The gradient of a loss is kept whole if its field is one of the basis, and not otherwise.
#[test]
fn the_field_of_a_loss_keeps_its_gradient() {
    let (loss, cloud, cpu) = (target(2), random::normal(200, 3, 0), Cpu::default());
    let mut u = vec![0.0; cloud.len()];
    loss.gradient(&cloud, &mut u);
    let kept = |metric: &dyn Metric| {
        let root = metric.at(&cloud, &cpu).unwrap();
        let mut projected = u.clone();
        root.project(&mut projected);
        gap(&projected, &u)
    };
    let field = |cloud: &[f64], out: &mut [f64]| loss.gradient(cloud, out);
    assert!(kept(&SampledWasserstein::new(2).field(field)) < 1e-13);
    assert!(kept(&SampledWasserstein::new(2)) > 0.05);
}

#[test]
fn metrics_of_samples_pass_the_checks_of_metrics() {
    let cloud = random::normal(3 * 40, 5, 0);
    let kernels = Kernels {
        count: Some(12),
        ..Kernels::default()
    };
    // Twelve points three times: fields that others span are left out.
    let thrice = cloud[..36].repeat(3);
    for (metric, cloud) in [
        (Box::new(Particles::new(3)) as Box<dyn Metric>, &cloud),
        (Box::new(SampledWasserstein::new(3)), &cloud),
        (Box::new(SampledWasserstein::kwng(3, kernels)), &cloud),
        (
            Box::new(SampledWasserstein::new(3).kernels(kernels)),
            &thrice,
        ),
        (Box::new(Blocks::new(SampledWasserstein::new(3), 2)), &cloud),
    ] {
        let checks = verify::metric(metric.as_ref(), cloud, 1).unwrap();
        assert!(checks.passed(), "{checks}");
    }
}

#[test]
fn fields_that_others_span_are_left_out() {
    let cpu = Cpu::default();
    // Three points on a line carry 6 fields at most: 2 translations, and of 3 quadratics on points with y = 0 two are left.
    let line = [0.0, 0.0, 1.0, 0.0, 3.0, 0.0];
    let metric = SampledWasserstein::new(2);
    let root = metric.at(&line, &cpu).unwrap();
    assert_eq!(root.lifted_dim(), 4);
    // A single particle can only be moved.
    let root = metric.at(&[1.0, 2.0], &cpu).unwrap();
    assert_eq!(root.lifted_dim(), 2);
    let one = MatRef::from_column_major_slice(&[3.0, 4.0], 2, 1);
    assert!((root.lift(one).unwrap().norm_l2() - 5.0).abs() < 1e-14);
}
