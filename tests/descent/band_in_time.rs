//! Bands of an evolution at more times than those of the data, against many repeated experiments.

use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Evolution};
use pullback::loss::L2Misfit;
use pullback::posterior::{Estimates, Variance};
use pullback::{Descent, Noise, random};

/// Growth up to a capacity, ẋ = rx(1 − x/k) from x₀, with θ = (r, k, x₀).
struct Logistic;

impl Dynamics for Logistic {
    fn dims(&self) -> (usize, usize) {
        (1, 3)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = theta[0] * x[0] * (S::from(1.0) - x[0] / theta[1]);
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[2];
    }
}

const TRUTH: [f64; 3] = [1.2, 5.0, 0.4];
const SIGMA: f64 = 0.05;

/// Number of repeated experiments.
const COUNT: u64 = 1500;

fn model(times: impl Iterator<Item = f64>) -> Evolution<Logistic> {
    Evolution::new(Logistic, times.collect()).unwrap()
}

/// Fits data, with the noise estimated from their residual.
fn fit(model: &Evolution<Logistic>, data: Vec<f64>) -> (Vec<f64>, Estimates) {
    let loss = L2Misfit::euclidean(data).unwrap();
    let descent = Descent::new(model, &loss);
    let report = descent.run(&TRUTH, |_| ()).unwrap();
    let estimates = report.estimates(&descent, Variance::Estimated).unwrap();
    (report.theta, estimates)
}

/// 1500 experiments tell a standard deviation to 1.8 %, and a share of 95 % to 0.6 %.
#[test]
fn bands_at_other_times_are_those_of_repeated_experiments() {
    let coarse = model((1..=8).map(f64::from));
    let fine = model((0..=50).map(|i| 0.2 * f64::from(i)));
    let (mean, curve) = (
        coarse.predict(&TRUTH).unwrap(),
        fine.predict(&TRUTH).unwrap(),
    );
    let one = Noise::uniform(51, 1.0).unwrap();
    // Between two data, where the growth is fastest, at the start and after the last.
    let places = [0, 11, 25, 50];
    let (mut sums, mut squares) = (vec![0.0; 51], vec![0.0; 51]);
    let (mut inside, mut new) = ([0; 4], [0; 4]);
    for i in 0..COUNT {
        let noise = random::normal(12, 7, i);
        let data = mean
            .iter()
            .zip(&noise)
            .map(|(y, e)| y + SIGMA * e)
            .collect();
        let (theta, estimates) = fit(&coarse, data);
        for (k, x) in fine.predict(&theta).unwrap().iter().enumerate() {
            sums[k] += x - curve[k];
            squares[k] += (x - curve[k]).powi(2);
        }
        let contains = |band: &[(f64, f64)], k: usize, y: f64| band[k].0 < y && y < band[k].1;
        let band = estimates.band(&fine).unwrap();
        let prediction = estimates.prediction_band(&fine, &one).unwrap();
        for (n, &k) in places.iter().enumerate() {
            inside[n] += u64::from(contains(&band, k, curve[k]));
            let datum = curve[k] + SIGMA * noise[8 + n];
            new[n] += u64::from(contains(&prediction, k, datum));
        }
    }
    let count = COUNT as f64;
    for shares in [inside, new] {
        let off = shares.map(|found| (found as f64 / count - 0.95).abs());
        assert!(off.iter().all(|off| *off < 0.02), "{shares:?}");
    }
    // The standard errors for the true noise.
    let known = Variance::Given {
        variance: SIGMA * SIGMA,
        freedom: None,
    };
    let loss = L2Misfit::euclidean(mean.clone()).unwrap();
    let descent = Descent::new(&coarse, &loss);
    let report = descent.run(&TRUTH, |_| ()).unwrap();
    let estimates = report.estimates(&descent, known).unwrap();
    let errors = estimates.uncertainty().band(&fine, &TRUTH).unwrap();
    for (k, error) in errors.iter().enumerate() {
        let average = sums[k] / count;
        let deviation = (squares[k] / count - average * average).sqrt();
        assert!(
            (deviation / error - 1.0).abs() < 0.08,
            "{k}: {deviation} {error}"
        );
    }
}
