//! The laws of losses: gradients are derivatives, metrics are Hessians at the match, sums are sums.

use crate::support::{column, definite, density, dot, gap, grids, matrix_gap};
use pullback::faer::Mat;
use pullback::loss::{
    Divergence, L2Misfit, Observations, Penalty, Robust, Sinkhorn, SobolevMisfit, Sum, Transport,
    UnbalancedTransport,
};
use pullback::metric::Observed;
use pullback::models::{GaussianMixture, Parameter};
use pullback::{Cpu, Descent, Error, Grid, Loss, Metric, Noise, Operator, random};

/// Every loss with its match at `target`.
fn losses(grid: &Grid, target: &[f64]) -> Vec<(&'static str, Box<dyn Loss>)> {
    let q = || target.to_vec();
    let observations = || observations(target, 3, 61);
    let sum = Sum::default()
        .add(2.0, L2Misfit::new(grid, q()).unwrap())
        .and_then(|s| s.add(0.3, Divergence::hellinger(grid, q())?))
        .and_then(|s| s.add(1.5, observations()))
        .unwrap();
    vec![
        ("L2", Box::new(L2Misfit::new(grid, q()).unwrap())),
        (
            "H-1",
            Box::new(SobolevMisfit::new(grid, -1.0, q()).unwrap()),
        ),
        ("H1", Box::new(SobolevMisfit::new(grid, 1.0, q()).unwrap())),
        (
            "KL",
            Box::new(Divergence::kullback_leibler(grid, q()).unwrap()),
        ),
        (
            "reverse KL",
            Box::new(Divergence::reverse_kullback_leibler(grid, q()).unwrap()),
        ),
        (
            "Hellinger",
            Box::new(Divergence::hellinger(grid, q()).unwrap()),
        ),
        (
            "chi2",
            Box::new(Divergence::chi_squared(grid, q()).unwrap()),
        ),
        ("observations", Box::new(observations())),
        ("soft L1", robust(target, Penalty::SoftL1)),
        ("Huber", robust(target, Penalty::Huber)),
        ("Cauchy", robust(target, Penalty::Cauchy)),
        ("Tukey", robust(target, Penalty::Tukey)),
        ("sum", Box::new(sum)),
        (
            "W2 of marginals",
            Box::new(Transport::marginals(grid, q()).unwrap()),
        ),
        (
            "W2 of slices",
            Box::new(Transport::sliced(grid, q(), 3).unwrap()),
        ),
    ]
}

/// Every loss, those included whose metric is their Hessian only up to a discretisation.
fn all_losses(grid: &Grid, target: &[f64]) -> Vec<(&'static str, Box<dyn Loss>)> {
    let mut all = losses(grid, target);
    for (name, extrapolate) in [("entropic W2", false), ("extrapolated W2", true)] {
        let options = Sinkhorn {
            extrapolate,
            ..Sinkhorn::default()
        };
        let loss = Transport::sinkhorn(grid, target.to_vec(), &options);
        all.push((name, Box::new(loss.unwrap())));
    }
    let unbalanced = UnbalancedTransport::new(grid, target.to_vec(), 2.0, &Sinkhorn::default());
    all.push(("unbalanced", Box::new(unbalanced.unwrap())));
    all
}

/// `rows` random observations of `target`, without error, that expect correlated noise.
fn observations(target: &[f64], rows: usize, seed: u64) -> Observations {
    let operator = Operator::dense(random::normal_matrix(rows, target.len(), seed));
    let data = operator.apply_to(pullback::Side::Plain, target).unwrap();
    Observations::new(operator, data, Noise::full(definite(rows, seed)).unwrap()).unwrap()
}

/// The same observations with independent noise and a penalty for outliers.
fn robust(target: &[f64], penalty: Penalty) -> Box<dyn Loss> {
    let all = observations(target, 5, 61);
    let operator = all.operator().clone();
    let data = operator.apply_to(pullback::Side::Plain, target).unwrap();
    let noise = Noise::deviations((1..6).map(f64::from).collect()).unwrap();
    let independent = Observations::new(operator, data, noise).unwrap();
    Box::new(Robust::new(independent, penalty).unwrap())
}

fn gradient(loss: &dyn Loss, rho: &[f64]) -> Vec<f64> {
    let mut u = vec![f64::NAN; rho.len()];
    loss.gradient(rho, &mut u);
    u
}

/// ρ + h v.
fn moved(rho: &[f64], v: &[f64], h: f64) -> Vec<f64> {
    rho.iter().zip(v).map(|(r, v)| r + h * v).collect()
}

/// A random change that keeps ρ positive for |h| < ¼.
fn relative(rho: &[f64], seed: u64) -> Vec<f64> {
    let z = random::uniform(rho.len(), (-2.0, 2.0), seed);
    rho.iter().zip(&z).map(|(r, z)| r * z).collect()
}

/// The least error of a difference quotient over a scan of h: in between truncation and rounding.
fn best(error: impl Fn(f64) -> f64) -> f64 {
    least(3..18, error)
}

/// As `best`, for the losses of transport on axes with smaller h: their second derivatives jump where levels coincide.
fn best_of(name: &str, error: impl Fn(f64) -> f64) -> f64 {
    let last = if name.contains("W2 of") { 28 } else { 18 };
    least(3..last, error)
}

fn least(powers: std::ops::Range<i32>, error: impl Fn(f64) -> f64) -> f64 {
    let errors = powers.map(|i| error(0.5_f64.powi(i)));
    errors.fold(f64::INFINITY, f64::min)
}

#[test]
fn gradients_are_derivatives() {
    for (grid, seed) in grids().iter().zip(1..) {
        let (q, rho) = (density(grid, seed), density(grid, seed + 10));
        for (name, loss) in all_losses(grid, &q) {
            loss.check(&rho).unwrap();
            let (u, v) = (gradient(loss.as_ref(), &rho), relative(&rho, seed));
            let slope = dot(&u, &v);
            let off = best_of(name, |h| {
                let rise = loss.value(&moved(&rho, &v, h)) - loss.value(&moved(&rho, &v, -h));
                (rise / (2.0 * h) / slope - 1.0).abs()
            });
            // (ε/f)^{2/3} is the best that a central difference can do.
            assert!(
                off < 1e-8,
                "{name} in {}-D: slope {slope}, off by {off:e}",
                grid.dim()
            );
        }
    }
}

#[test]
fn losses_vanish_at_the_match_and_are_positive_elsewhere() {
    for (grid, seed) in grids().iter().zip(1..) {
        let (q, rho) = (density(grid, seed), density(grid, seed + 10));
        for (name, loss) in all_losses(grid, &q) {
            let (least, far) = (loss.value(&q), loss.value(&rho));
            let flat = gradient(loss.as_ref(), &q)
                .iter()
                .fold(0.0_f64, |m, u| m.max(u.abs()));
            let there = least.abs() < 1e-14 && flat < 1e-13;
            assert!(there && far > 1e-3, "{name}: {least:e}, {far:e}, {flat:e}");
        }
    }
}

#[test]
fn metrics_are_hessians_at_the_match() {
    for (grid, seed) in grids().iter().zip(1..) {
        let (q, cpu) = (density(grid, seed), Cpu::default());
        for (name, loss) in losses(grid, &q) {
            let metric = loss.metric().unwrap();
            let root = metric.at(&q, &cpu).unwrap();
            let v = relative(&q, seed + 20);
            let product = root.apply(column(&v)).unwrap();
            let off = best_of(name, |h| {
                let ahead = gradient(loss.as_ref(), &moved(&q, &v, h));
                let behind = gradient(loss.as_ref(), &moved(&q, &v, -h));
                let curved: Vec<f64> = ahead
                    .iter()
                    .zip(&behind)
                    .map(|(a, b)| (a - b) / (2.0 * h))
                    .collect();
                gap(&curved, product.col_as_slice(0))
            });
            // The gradients of transport on axes are smooth on either side of the match alone, where all levels coincide: a
            // central difference has an error of first order.
            let tolerance = if name.starts_with("W2") { 1e-7 } else { 1e-9 };
            assert!(
                off < tolerance,
                "{name} in {}-D: off by {off:e}",
                grid.dim()
            );
        }
    }
}

/// A cell without data contributes a linear term to Kullback-Leibler and Hellinger.
#[test]
fn cells_without_data_keep_finite_gradients() {
    let grid = &grids()[0];
    let rho = density(grid, 5);
    let mut q = density(grid, 6);
    q[3] = 0.0;
    let v = relative(&rho, 7);
    for loss in [
        Divergence::kullback_leibler(grid, q.clone()).unwrap(),
        Divergence::hellinger(grid, q.clone()).unwrap(),
    ] {
        let slope = dot(&gradient(&loss, &rho), &v);
        let off = best(|h| {
            let rise = loss.value(&moved(&rho, &v, h)) - loss.value(&moved(&rho, &v, -h));
            (rise / (2.0 * h) / slope - 1.0).abs()
        });
        assert!(off < 1e-8, "{loss:?}: off by {off:e}");
    }
}

/// Parts that see all of the state, and parts of which each sees little.
fn sums(grid: &Grid, q: &[f64]) -> [Sum<'static>; 2] {
    let whole = Sum::default()
        .add(2.0, L2Misfit::new(grid, q.to_vec()).unwrap())
        .and_then(|s| s.add(0.5, SobolevMisfit::new(grid, -1.0, q.to_vec())?))
        .and_then(|s| s.add(3.0, Divergence::chi_squared(grid, q.to_vec())?));
    let partial = Sum::default()
        .add(0.7, observations(q, 2, 71))
        .and_then(|s| s.add(4.0, observations(q, 3, 72)));
    [whole.unwrap(), partial.unwrap()]
}

#[test]
fn the_dual_of_a_sum_represents_its_gradient() {
    for (grid, seed) in grids().iter().zip(1..) {
        let (q, rho, cpu) = (
            density(grid, seed),
            density(grid, seed + 10),
            Cpu::default(),
        );
        for sum in sums(grid, &q) {
            let metric = sum.metric().unwrap();
            let root = metric.at(&rho, &cpu).unwrap();
            let u = gradient(&sum, &rho);
            let lowered = root.lower(column(&root.dual(&u).unwrap())).unwrap();
            let off = gap(lowered.col_as_slice(0), &u);
            assert!(off < 1e-12, "{}-D: off by {off:e}", grid.dim());
        }
    }
}

#[test]
fn the_metric_of_a_sum_is_the_sum_of_metrics() {
    for (grid, seed) in grids().iter().zip(1..) {
        let (q, rho, cpu) = (
            density(grid, seed),
            density(grid, seed + 10),
            Cpu::default(),
        );
        let parts: [(f64, Box<dyn Loss>); 3] = [
            (2.0, Box::new(L2Misfit::new(grid, q.clone()).unwrap())),
            (
                0.5,
                Box::new(SobolevMisfit::new(grid, -1.0, q.clone()).unwrap()),
            ),
            (
                3.0,
                Box::new(Divergence::chi_squared(grid, q.clone()).unwrap()),
            ),
        ];
        let z = random::normal_matrix(grid.cells(), 3, seed);
        let product = |loss: &dyn Loss| {
            let metric = loss.metric().unwrap();
            let root = metric.at(&rho, &cpu).unwrap();
            root.apply(z.as_ref()).unwrap()
        };
        let mut expected = Mat::zeros(grid.cells(), 3);
        for (weight, loss) in &parts {
            expected += *weight * product(loss.as_ref());
        }
        let off = matrix_gap(product(&sums(grid, &q)[0]).as_ref(), expected.as_ref());
        assert!(off < 1e-13, "{}-D: off by {off:e}", grid.dim());
    }
}

/// A loss without a geometry.
struct Bare;

impl Loss for Bare {
    fn value(&self, rho: &[f64]) -> f64 {
        rho[0]
    }
    fn gradient(&self, _: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        out[0] = 1.0;
    }
}

#[test]
fn a_sum_has_a_metric_only_if_every_part_has() {
    let grid = &grids()[0];
    let q = density(grid, 1);
    let mixed = Sum::default()
        .add(1.0, L2Misfit::new(grid, q).unwrap())
        .and_then(|s| s.add(1.0, Bare));
    assert!(mixed.unwrap().metric().is_none());
    assert!(Sum::default().metric().is_none());
}

#[test]
fn observations_refuse_gradients_of_what_they_do_not_see() {
    let grid = Grid::new(&[(-5.0, 5.0, 40)]).unwrap();
    let mixture = GaussianMixture::new(&grid)
        .component(1.0, &[0.0], 1.0)
        .free(&[Parameter::Mean(0, 0)])
        .unwrap();
    let operator = Operator::dense(random::normal_matrix(3, 40, 81));
    let noise = Noise::uniform(3, 0.1).unwrap();
    let metric = Observed::new(&operator, &noise).unwrap();
    let loss = L2Misfit::new(&grid, mixture.density(&[1.0]).unwrap()).unwrap();
    let cpu = Cpu::default();
    let rho = mixture.density(&[0.0]).unwrap();
    let refused =
        |error: &Error| matches!(error, Error::NotInRange { distance, .. } if *distance > 0.1);
    let dual = metric.at(&rho, &cpu).unwrap().dual(&gradient(&loss, &rho));
    assert!(dual.as_ref().is_err_and(refused), "{dual:?}");
    let report = Descent::new(&mixture, &loss)
        .metric(&metric)
        .run(&[0.0], |_| ());
    assert!(report.as_ref().is_err_and(refused), "{report:?}");
}
