//! Maximum likelihood with estimated noise levels, against closed forms and SciPy.

use crate::support::numbers;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::loss::{Datum, Family, Likelihood, NoiseLevel};
use pullback::posterior::Variance;
use pullback::{Descent, Report, Transform, random};
use serde_json::Value;

/// Means a + b t at the times 0, 1/n, …, and one noise level. θ holds a, b and the level.
struct Line {
    data: usize,
}

impl Formula for Line {
    fn dims(&self) -> (usize, usize) {
        (self.data + 1, 3)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (k, mean) in out[..self.data].iter_mut().enumerate() {
            *mean = theta[0] + theta[1] * (k as f64 / self.data as f64);
        }
        out[self.data] = theta[2];
    }
}

/// Data of which each has its own mean, and all the noise level in the entry behind the means.
fn common(values: &[f64], family: Family) -> Likelihood {
    let n = values.len();
    let datum = |(mean, &value)| Datum {
        mean,
        noise: NoiseLevel::Entry(n),
        value,
        family,
    };
    Likelihood::new(n + 1, values.iter().enumerate().map(datum)).unwrap()
}

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found / expected - 1.0).abs() < tolerance,
        "{found} instead of {expected}"
    );
}

/// Least squares of a + b t: the estimates, their errors for noise of deviation 1, and the sum of squared residuals.
fn regression(y: &[f64]) -> ([f64; 2], [f64; 2], f64) {
    let n = y.len() as f64;
    let t = |k: usize| k as f64 / n;
    let sum = |f: &dyn Fn(usize) -> f64| (0..y.len()).map(f).sum::<f64>();
    let (mean_t, mean_y) = (sum(&t) / n, sum(&|k| y[k]) / n);
    let squares = sum(&|k| (t(k) - mean_t).powi(2));
    let slope = sum(&|k| (t(k) - mean_t) * y[k]) / squares;
    let intercept = mean_y - slope * mean_t;
    let residual = sum(&|k| (y[k] - intercept - slope * t(k)).powi(2));
    let errors = [
        (n.recip() + mean_t * mean_t / squares).sqrt(),
        squares.sqrt().recip(),
    ];
    ([intercept, slope], errors, residual)
}

/// σ̂² = RSS/n, standard errors σ̂ times those of the regression and σ̂/√(2n), and the value n (ln σ̂ + ½ ln 2π + ½).
#[test]
fn a_line_with_estimated_noise_has_closed_form() {
    let n = 30;
    let noise = random::normal(n, 5, 0);
    let y: Vec<f64> = (0..n)
        .map(|k| 1.0 - 2.0 * k as f64 / n as f64 + 0.3 * noise[k])
        .collect();
    let (line, errors, residual) = regression(&y);
    let count = n as f64;
    let sigma = (residual / count).sqrt();
    let (curve, loss) = (Curve::new(Line { data: n }), common(&y, Family::Gaussian));
    for start in [
        [0.0, 0.0, 1.0],
        [1.0, 1.0, 0.01],
        [5.0, 5.0, 1e-3],
        [-30.0, 20.0, 100.0],
    ] {
        let transforms = [Transform::Identity, Transform::Identity, Transform::Log];
        for logarithm in [false, true] {
            let mut descent = Descent::new(&curve, &loss);
            if logarithm {
                descent = descent.transforms(&transforms);
            }
            let report = descent.run(&start, |_| ()).unwrap();
            println!("{start:?}: {} solves", report.counts.model_solves);
            assert!(report.converged(), "{report}");
            assert!(report.counts.model_solves <= 30, "{start:?} {report}");
            let theta = &report.theta;
            close(theta[0], line[0], 1e-7);
            close(theta[1], line[1], 1e-7);
            close(theta[2], sigma, 1e-7);
            let half_log = 0.5 * (2.0 * std::f64::consts::PI).ln();
            let least = count * (sigma.ln() + half_log + 0.5);
            assert!((report.loss - least).abs() < 1e-11 * count, "{report}");
            let estimates = report.estimates(&descent, Variance::Known).unwrap();
            let found = &estimates.uncertainty().standard_errors;
            close(found[0], sigma * errors[0], 1e-6);
            close(found[1], sigma * errors[1], 1e-6);
            close(found[2], sigma / (2.0 * count).sqrt(), 1e-6);
            assert!(report.estimates(&descent, Variance::Estimated).is_err());
        }
    }
}

/// Means a e^(−bt) in the first half, and noise levels s + r times the mean, or s, in the second. θ holds a, b, s and r.
struct Decay {
    t: Vec<f64>,
    relative: bool,
}

impl Formula for Decay {
    fn dims(&self) -> (usize, usize) {
        (2 * self.t.len(), if self.relative { 4 } else { 3 })
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        let (means, levels) = out.split_at_mut(self.t.len());
        for ((mean, level), &t) in means.iter_mut().zip(levels).zip(&self.t) {
            *mean = theta[0] * (theta[1] * -t).exp();
            *level = theta[2];
            if self.relative {
                *level += theta[3] * *mean;
            }
        }
    }
}

#[test]
fn fits_and_errors_are_those_of_scipy() {
    let all: Value = serde_json::from_str(include_str!("../reference/likelihoods.json")).unwrap();
    let (t, freedom) = (numbers(&all["t"]), all["freedom"].as_f64().unwrap());
    for fit in all["fits"].as_array().unwrap() {
        let name = fit["family"].as_str().unwrap();
        let family = match name {
            "gaussian" => Family::Gaussian,
            "log-normal" => Family::LogNormal,
            "log10-normal" => Family::Log10Normal,
            _ => Family::Student { freedom },
        };
        let (y, n) = (numbers(&fit["y"]), t.len());
        let datum = |(mean, value)| Datum {
            mean,
            noise: NoiseLevel::Entry(n + mean),
            value,
            family,
        };
        let loss = Likelihood::new(2 * n, y.into_iter().enumerate().map(datum)).unwrap();
        let relative = name == "gaussian";
        let curve = Curve::new(Decay {
            t: t.clone(),
            relative,
        });
        let start = [2.0, 1.0, 0.5, 0.1];
        let start = if relative { &start } else { &start[..3] };
        let descent = Descent::new(&curve, &loss);
        let report = descent.run(start, |_| ()).unwrap();
        println!("{name}: {} solves\n{report}", report.counts.model_solves);
        assert!(report.converged(), "{name}: {report}");
        let value = fit["value"].as_f64().unwrap();
        assert!((report.loss - value).abs() < 1e-10, "{name}: {report}");
        let found = report.covariance(&descent).unwrap().standard_errors;
        for (j, expected) in numbers(&fit["theta"]).into_iter().enumerate() {
            close(report.theta[j], expected, 1e-5);
            close(found[j], numbers(&fit["errors"])[j], 1e-5);
        }
    }
}

/// Median μ for data with known scales.
struct Constant {
    data: usize,
}

impl Formula for Constant {
    fn dims(&self) -> (usize, usize) {
        (self.data, 1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out.fill(theta[0]);
    }
}

/// Returns the value at which the weights 1/b on either side are equal.
fn weighted_median(y: &[f64], scales: &[f64]) -> f64 {
    let mut pairs: Vec<(f64, f64)> = y.iter().copied().zip(scales.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = scales.iter().map(|b| b.recip()).sum();
    let mut sum = 0.0;
    for (y, b) in pairs {
        sum += b.recip();
        if sum >= 0.5 * total {
            return y;
        }
    }
    f64::NAN
}

fn laplace(y: &[f64], scales: &[f64], start: f64) -> Report {
    let data = y.iter().zip(scales).enumerate();
    let data = data.map(|(mean, (&value, &b))| Datum {
        mean,
        noise: NoiseLevel::Given(b),
        value,
        family: Family::Laplace,
    });
    let loss = Likelihood::new(y.len(), data).unwrap();
    let curve = Curve::new(Constant { data: y.len() });
    let descent = Descent::new(&curve, &loss);
    descent.run(&[start], |_| ()).unwrap()
}

/// A kink in one parameter is where runs come to rest: they do not claim to have converged.
#[test]
fn the_centre_of_laplace_data_is_their_weighted_median() {
    for seed in 0..5 {
        let y = random::normal(41, seed, 0);
        let scales = random::uniform(41, (0.5, 2.0), seed);
        let median = weighted_median(&y, &scales);
        for start in [-3.0, 0.1, 20.0] {
            let report = laplace(&y, &scales, start);
            let off = report.theta[0] - median;
            println!(
                "from {start}: {off:.1e}, {} solves",
                report.counts.model_solves
            );
            assert!(off.abs() < 1e-7, "{off:e} {report}");
            assert!(!report.converged(), "{report}");
        }
    }
}

/// Lines of least absolute deviations pass through two of the points, so that the best of all such lines is the minimum.
#[test]
fn lines_with_laplace_noise_come_close_to_the_best_one() {
    let n = 21;
    let t = |k: usize| k as f64 / n as f64;
    for seed in 0..5 {
        let noise = random::uniform(n, (-1.0, 1.0), seed);
        let y: Vec<f64> = (0..n)
            .map(|k| 1.0 + 2.0 * t(k) + noise[k].powi(3))
            .collect();
        let absolute = |a: f64, b: f64| (0..n).map(|k| (y[k] - a - b * t(k)).abs()).sum::<f64>();
        let mut least = f64::INFINITY;
        for i in 0..n {
            for j in 0..i {
                let b = (y[i] - y[j]) / (t(i) - t(j));
                least = least.min(absolute(y[i] - b * t(i), b));
            }
        }
        // At σ̂ = least/n the value is n (ln 2σ̂ + 1).
        let count = n as f64;
        let expected = count * ((2.0 * least / count).ln() + 1.0);
        let (curve, loss) = (Curve::new(Line { data: n }), common(&y, Family::Laplace));
        let report = Descent::new(&curve, &loss)
            .run(&[0.0, 0.0, 1.0], |_| ())
            .unwrap();
        let above = report.loss - expected;
        println!("{above:.1e} above, {} solves", report.counts.model_solves);
        assert!((-1e-9..0.05).contains(&above), "{above:e} {report}");
        assert!(!report.converged(), "{report}");
    }
}

/// Two lines a₁ + b₁ t and a₂ + b₂ t, each with its own noise level.
struct Lines(usize);

impl Formula for Lines {
    fn dims(&self) -> (usize, usize) {
        (2 * self.0 + 2, 6)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (line, means) in out.chunks_exact_mut(self.0 + 1).enumerate() {
            let theta = &theta[3 * line..];
            for (k, mean) in means[..self.0].iter_mut().enumerate() {
                *mean = theta[0] * (theta[1] * (k as f64 / self.0 as f64)).exp();
            }
            means[self.0] = theta[2];
        }
    }
}

/// Noise levels that are wrong by powers of ten, in either direction, cost a few steps each.
#[test]
fn noise_levels_are_found_from_anywhere() {
    let n = 20;
    let noise = random::normal(2 * n, 8, 0);
    let data = (0..2 * n).map(|i| {
        let (line, k) = (i / n, i % n);
        let (mean, scale) = ((-2.0 * k as f64 / n as f64).exp(), [0.1, 3.0][line]);
        Datum {
            mean: line * (n + 1) + k,
            noise: NoiseLevel::Entry(line * (n + 1) + n),
            value: scale * (10.0 * mean + 0.3 * noise[i]),
            family: Family::Gaussian,
        }
    });
    let (curve, loss) = (
        Curve::new(Lines(n)),
        Likelihood::new(2 * n + 2, data).unwrap(),
    );
    let [log, free] = [Transform::Log, Transform::Identity];
    let transforms = [log, free, log, log, free, log];
    let descent = Descent::new(&curve, &loss).transforms(&transforms);
    let best = descent
        .run(&[1.0, -1.0, 0.1, 30.0, -1.0, 1.0], |_| ())
        .unwrap();
    for levels in [
        [1e-4, 1e-4],
        [1e4, 1e4],
        [1e-4, 1e4],
        [1e4, 1e-4],
        [0.1, 1e3],
    ] {
        let start = [1.0, -1.0, levels[0], 30.0, -1.0, levels[1]];
        let report = descent.run(&start, |_| ()).unwrap();
        assert!(
            report.converged() && report.iterations() <= 40,
            "{levels:?}: {report}"
        );
        assert!(
            (report.loss - best.loss).abs() < 1e-8 * best.loss.abs(),
            "{levels:?}: {report}"
        );
    }
}
