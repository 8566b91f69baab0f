//! Profile likelihoods: intervals against closed forms and SciPy, and what is the same on any number of threads.

use crate::nist_sets::Set;
use crate::support::numbers;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::direction::Newton;
use pullback::faer::{Mat, MatRef};
use pullback::loss::{Divergence, L2Misfit, Observations};
use pullback::models::{GaussianMixture, Parameter};
use pullback::posterior::Estimates;
use pullback::prior::Tikhonov;
use pullback::profile::{End, Identifiability, ProfileLikelihood, Profiles};
use pullback::{Bounds, Descent, Grid, Loss, Noise, Operator, Report, Result, Transform};
use serde_json::Value;
use std::sync::Mutex;

/// b₀ + b₁ t + b₂ t².
struct Parabola(Vec<f64>);

impl Formula for Parabola {
    fn dims(&self) -> (usize, usize) {
        (self.0.len(), 3)
    }

    fn values<S: Scalar>(&self, b: &[S], out: &mut [S]) {
        for (y, &t) in out.iter_mut().zip(&self.0) {
            *y = b[0] + b[1] * t + b[2] * (t * t);
        }
    }
}

/// The curves of `tests/reference/make_profiles.py`.
struct Reference<'v>(&'v str, Vec<f64>, usize);

impl Formula for Reference<'_> {
    fn dims(&self) -> (usize, usize) {
        (self.1.len(), self.2)
    }

    fn values<S: Scalar>(&self, b: &[S], out: &mut [S]) {
        for (y, &x) in out.iter_mut().zip(&self.1) {
            *y = match self.0 {
                "puromycin" => b[0] * x / (b[1] + x),
                "thurber" => {
                    let above = b[0] + b[1] * x + b[2] * (x * x) + b[3] * x.powi(3);
                    above / (b[4] * x + b[5] * (x * x) + b[6] * x.powi(3) + 1.0)
                }
                "rat42" => b[0] / ((b[1] - b[2] * x).exp() + 1.0),
                _ => b[0] * (-(b[1] * -x).exp() + 1.0),
            };
        }
    }
}

const TIMES: [f64; 8] = [-2.0, -1.2, -0.4, 0.1, 0.7, 1.3, 2.2, 3.0];
const DATA: [f64; 8] = [9.8, 4.1, 1.9, 0.7, 2.2, 3.9, 11.6, 20.3];

fn parabola() -> Curve<Parabola> {
    Curve::new(Parabola(TIMES.to_vec()))
}

/// The largest distance between ends of intervals, relative to the half-width of the interval.
fn distance(found: (f64, f64), expected: (f64, f64)) -> f64 {
    let half = 0.5 * (expected.1 - expected.0);
    let gaps = [found.0 - expected.0, found.1 - expected.1];
    gaps.into_iter().map(f64::abs).fold(0.0, f64::max) / half
}

fn run(likelihood: &ProfileLikelihood<'_>, theta: &[f64]) -> Profiles {
    likelihood.run(theta, |_| ()).unwrap()
}

/// For a linear model the profile is a parabola, and ζ a straight line of slope 1/σ.
#[test]
fn intervals_of_a_linear_model_are_those_of_student() {
    let (curve, loss) = (parabola(), L2Misfit::euclidean(DATA.to_vec()).unwrap());
    let descent = Descent::new(&curve, &loss);
    let report = descent.run(&[0.0; 3], |_| ()).unwrap();
    let covariance = report.covariance(&descent).unwrap();
    let covariance = covariance.scaled(2.0 * report.loss / 5.0);
    for level in [0.5, 0.95, 0.999] {
        let likelihood = ProfileLikelihood::new(&descent).freedom(5.0).level(level);
        let profiles = run(&likelihood, &report.theta);
        let estimates = covariance.estimates(&report.theta).unwrap();
        let estimates = estimates.freedom(5.0).unwrap().level(level).unwrap();
        let expected = Estimates::intervals(&estimates);
        for (profile, expected) in profiles.profiles.iter().zip(expected) {
            assert!(distance(profile.interval, expected) < 1e-6, "{profiles}");
            assert!(distance(profile.wald.unwrap(), expected) < 1e-12);
            assert_eq!(profile.ends, [End::Crossed, End::Crossed]);
            assert_eq!(profile.identifiability, Identifiability::Identifiable);
            let error = covariance.standard_errors[profile.parameter];
            for point in &profile.points {
                let line = (point.value - report.theta[profile.parameter]) / error;
                assert!((point.zeta - line).abs() < 1e-6, "{point:?}");
            }
        }
        assert!((profiles.quantile - estimates.quantile()).abs() < 1e-15);
    }
}

/// With known noise σ the interval is θ̂ ± z √(σ² (XᵀX)⁻¹ⱼⱼ), whatever the residual.
#[test]
fn known_noise_gives_normal_intervals() {
    let (curve, noise) = (parabola(), Noise::uniform(8, 0.5).unwrap());
    let loss = Observations::new(Operator::identity(8), DATA.to_vec(), noise).unwrap();
    let descent = Descent::new(&curve, &loss);
    let report = descent.run(&[0.0; 3], |_| ()).unwrap();
    let profiles = run(&ProfileLikelihood::new(&descent), &report.theta);
    let x = nalgebra::DMatrix::from_fn(8, 3, |i, j| TIMES[i].powi(j as i32));
    let inverse = (x.transpose() * &x).try_inverse().unwrap();
    for (j, profile) in profiles.profiles.iter().enumerate() {
        let half = 1.959_963_984_540_054 * 0.5 * inverse[(j, j)].sqrt();
        let fit = report.theta[j];
        assert!(distance(profile.interval, (fit - half, fit + half)) < 1e-6);
    }
    assert!((profiles.threshold - 0.5 * 1.959_963_984_540_054_f64.powi(2)).abs() < 1e-9);
}

/// SciPy follows the profiles with fixed steps, and finds their ends by Brent's method.
#[test]
fn intervals_of_nonlinear_models_are_those_of_scipy() {
    let all: Value = serde_json::from_str(include_str!("../reference/profiles.json")).unwrap();
    for row in all.as_array().unwrap() {
        let (name, level) = (row["set"].as_str().unwrap(), row["level"].as_f64().unwrap());
        let (theta, y) = (numbers(&row["theta"]), numbers(&row["y"]));
        let freedom = (y.len() - theta.len()) as f64;
        let curve = Curve::new(Reference(name, numbers(&row["x"]), theta.len()));
        let loss = L2Misfit::euclidean(y).unwrap();
        let descent = Descent::new(&curve, &loss);
        let report = descent.run(&theta, |_| ()).unwrap();
        let likelihood = ProfileLikelihood::new(&descent).freedom(freedom);
        let profiles = run(&likelihood.level(level), &report.theta);
        for (profile, interval) in profiles
            .profiles
            .iter()
            .zip(row["intervals"].as_array().unwrap())
        {
            let ends = numbers(interval);
            let gap = distance(profile.interval, (ends[0], ends[1]));
            assert!(gap < 1e-6, "{name} at {level}: {gap:e}\n{profiles}");
            assert!(profile.points.is_sorted_by(|a, b| a.value < b.value));
            // Some ten points a side, none of them further than a quarter of the threshold's root from the next.
            assert!(
                (17..45).contains(&profile.points.len()),
                "{}",
                profile.points.len()
            );
            let steps = profile
                .points
                .windows(2)
                .map(|pair| pair[1].zeta - pair[0].zeta);
            assert!(
                steps
                    .into_iter()
                    .all(|s| s > 0.0 && s <= 0.2501 * profiles.quantile)
            );
        }
        assert!(profiles.better.is_none(), "{profiles}");
    }
}

/// Intervals transform with the parameter, unlike those of the covariance.
#[test]
fn intervals_do_not_depend_on_transforms_and_directions() {
    let set = Set::named("Misra1a");
    let (curve, loss) = (set.curve(), L2Misfit::euclidean(set.y.clone()).unwrap());
    let logit = Transform::Logit {
        lower: 0.0,
        upper: 1e-3,
    };
    let transforms = [Transform::Log, logit];
    let plain = Descent::new(&curve, &loss);
    let moved = Descent::new(&curve, &loss).transforms(&transforms);
    let exact = Newton::default();
    let newton = Descent::new(&curve, &loss).direction(&exact);
    let report = plain.run(&set.certified, |_| ()).unwrap();
    let expected = run(&ProfileLikelihood::new(&plain).freedom(12.0), &report.theta);
    for descent in [&moved, &newton] {
        let found = run(
            &ProfileLikelihood::new(descent).freedom(12.0),
            &report.theta,
        );
        for (a, b) in found.profiles.iter().zip(&expected.profiles) {
            assert!(
                distance(a.interval, b.interval) < 1e-6,
                "{found}\n{expected}"
            );
        }
    }
}

/// A prior of a Gaussian adds to the curvature: with H = XᵀX/σ² + C the interval is θ̂ ± z √(H⁻¹)ⱼⱼ.
#[test]
fn priors_count() {
    let (curve, noise) = (parabola(), Noise::uniform(8, 0.5).unwrap());
    let loss = Observations::new(Operator::identity(8), DATA.to_vec(), noise).unwrap();
    let prior = Tikhonov::new(vec![1.0, 0.0, 2.0], Noise::uniform(3, 0.1).unwrap()).unwrap();
    let descent = Descent::new(&curve, &loss).prior(&prior);
    let report = descent.run(&[0.0; 3], |_| ()).unwrap();
    let profiles = run(&ProfileLikelihood::new(&descent), &report.theta);
    let x = nalgebra::DMatrix::from_fn(8, 3, |i, j| TIMES[i].powi(j as i32));
    let h = x.transpose() * &x * 4.0 + nalgebra::DMatrix::identity(3, 3) * 100.0;
    let inverse = h.try_inverse().unwrap();
    for (j, profile) in profiles.profiles.iter().enumerate() {
        let (half, fit) = (
            1.959_963_984_540_054 * inverse[(j, j)].sqrt(),
            report.theta[j],
        );
        assert!(
            distance(profile.interval, (fit - half, fit + half)) < 1e-6,
            "{profiles}"
        );
    }
}

/// A loss that is no sum of squares, and a single parameter, for which nothing is left to minimise: the ends solve
/// f(θ) = f̂ + z²/2 for f itself.
#[test]
fn the_profile_of_a_single_parameter_is_the_objective() {
    let grid = Grid::new(&[(-5.0, 5.0, 100)]).unwrap();
    let mixture = GaussianMixture::new(&grid).component(1.0, &[0.0], 1.0);
    let mixture = mixture.free(&[Parameter::Variance(0)]).unwrap();
    let data = mixture.density(&[1.5]).unwrap();
    let loss = Divergence::kullback_leibler(&grid, data).unwrap();
    let descent = Descent::new(&mixture, &loss);
    let report = descent.run(&[1.0], |_| ()).unwrap();
    let likelihood = ProfileLikelihood::new(&descent).level(0.2);
    let profiles = run(&likelihood, &report.theta);
    let value = |theta: f64| descent.begin(&[theta]).unwrap().loss();
    let (low, high) = profiles.profiles[0].interval;
    for end in [low, high] {
        let excess = (value(end) - profiles.objective) / profiles.threshold - 1.0;
        assert!(excess.abs() < 1e-6, "{excess:e}");
    }
    assert!(low > 0.0 && low < 1.5 && high > 1.5, "{profiles}");
}

/// ½‖ρ − q‖², which names no metric.
struct Bare([f64; 3]);

impl Loss for Bare {
    fn value(&self, rho: &[f64]) -> f64 {
        let pairs = rho.iter().zip(&self.0);
        0.5 * pairs.map(|(r, q)| (r - q) * (r - q)).sum::<f64>()
    }
    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        (0..3).for_each(|i| out[i] = rho[i] - self.0[i]);
    }
    fn hessian(&self, _: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        Ok(Some(v.to_owned()))
    }
}

/// θ₀, θ₁ and ½(θ₀ + θ₁).
struct Pair;

impl Formula for Pair {
    fn dims(&self) -> (usize, usize) {
        (3, 2)
    }

    fn values<S: Scalar>(&self, b: &[S], out: &mut [S]) {
        (out[0], out[1], out[2]) = (b[0], b[1], (b[0] + b[1]) * 0.5);
    }
}

/// Without a metric there is no covariance to choose the first step from, and θ₁ = 0.001 tells nothing of its interval. With H = [[5, 1], [1, 5]]/4 half the interval is
/// z √(5/6).
#[test]
fn a_loss_without_a_metric_has_profiles_but_no_covariance() {
    let (curve, loss) = (Curve::new(Pair), Bare([100.0, -3.9988, 60.0]));
    let newton = Newton::default();
    let descent = Descent::new(&curve, &loss).direction(&newton);
    let report = descent.run(&[1.0, 1.0], |_| ()).unwrap();
    let profiles = run(&ProfileLikelihood::new(&descent), &report.theta);
    let half = 1.959_963_984_540_054 * (5.0_f64 / 6.0).sqrt();
    for (profile, fit) in profiles.profiles.iter().zip(&report.theta) {
        assert!(
            distance(profile.interval, (fit - half, fit + half)) < 1e-6,
            "{profiles}"
        );
        assert!(
            profile.wald.is_none() && profile.points.len() < 60,
            "{profiles}"
        );
    }
    assert!(profiles.to_string().contains("–"), "{profiles}");
}

/// Every bit of the result.
fn bits(profiles: &Profiles) -> Vec<u64> {
    let points = profiles.profiles.iter().flat_map(|p| &p.points);
    let numbers = points.flat_map(|p| {
        [p.value, p.objective, p.zeta]
            .into_iter()
            .chain(p.theta.clone())
    });
    numbers.map(f64::to_bits).collect()
}

#[test]
fn profiles_are_the_same_on_any_number_of_threads() {
    let set = Set::named("Thurber");
    let (curve, loss) = (set.curve(), L2Misfit::euclidean(set.y.clone()).unwrap());
    let descent = Descent::new(&curve, &loss);
    let report = descent.run(&set.starts[1], |_| ()).unwrap();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let likelihood = ProfileLikelihood::new(&descent).freedom(30.0);
        let work = || run(&likelihood, &report.theta);
        let profiles = pool.build().unwrap().install(work);
        (bits(&profiles), profiles.to_string())
    };
    let one = on(1);
    assert!(one.0.len() > 1000 && one == on(2) && one == on(5));
}

#[test]
fn the_observer_sees_every_run_and_the_counts_are_their_sum() {
    let (curve, loss) = (parabola(), L2Misfit::euclidean(DATA.to_vec()).unwrap());
    let descent = Descent::new(&curve, &loss);
    let report: Report = descent.run(&[0.0; 3], |_| ()).unwrap();
    let seen = Mutex::new(Vec::new());
    let likelihood = ProfileLikelihood::new(&descent).freedom(5.0).only(&[2, 0]);
    let profiles = likelihood
        .named(&["a", "b", "c"])
        .run(&report.theta, |progress| {
            let solves = progress.outcome.unwrap().counts.model_solves;
            let increase = progress.increase.unwrap();
            seen.lock()
                .unwrap()
                .push((progress.parameter, increase, solves));
        });
    let (profiles, seen) = (profiles.unwrap(), seen.into_inner().unwrap());
    assert!(
        seen.iter()
            .all(|run| run.0 != 1 && run.1 > 0.0 && run.1 < 2.0)
    );
    let solves: usize = seen.iter().map(|run| run.2).sum();
    assert_eq!(profiles.counts.model_solves, solves);
    let order: Vec<usize> = profiles.profiles.iter().map(|p| p.parameter).collect();
    assert_eq!(order, [2, 0]);
    assert!(profiles.of(1).is_none() && profiles.of(0).is_some());
    // A start is predicted so well that few runs need a second step; some 11 runs a side.
    assert!(
        solves < 4 * 4 * 14,
        "{solves} solves in {} runs",
        seen.len()
    );
    let text = profiles.to_string();
    for part in [
        "95 % interval",
        "from the covariance",
        "c  ",
        "threshold + ",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
}

/// A target, at which the descent would stop above the minimum, does not hold for profiles.
#[test]
fn profiles_pass_the_target_of_the_descent() {
    let (curve, loss) = (parabola(), L2Misfit::euclidean(DATA.to_vec()).unwrap());
    let plain = Descent::new(&curve, &loss);
    let report = plain.run(&[0.0; 3], |_| ()).unwrap();
    let tolerances = pullback::descent::Tolerances {
        target: Some(100.0 * report.loss),
        ..Default::default()
    };
    let bounds = Bounds::new(vec![-50.0; 3], vec![50.0; 3]).unwrap();
    let aimed = Descent::new(&curve, &loss)
        .tolerances(tolerances)
        .bounds(&bounds);
    let [a, b] = [&plain, &aimed]
        .map(|descent| run(&ProfileLikelihood::new(descent).freedom(5.0), &report.theta));
    for (a, b) in a.profiles.iter().zip(&b.profiles) {
        assert!(distance(a.interval, b.interval) < 1e-6);
    }
}
