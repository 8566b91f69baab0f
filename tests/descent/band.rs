//! Bands: the uncertainty of predicted states.

use pullback::automatic::{Automatic, Curve, Equation, Formula, Scalar};
use pullback::loss::{L2Misfit, Observations};
use pullback::posterior::Variance;
use pullback::{Descent, Noise, random};

/// u³ − 3u = θ, with three branches of solutions for |θ| < 2.
struct Cubic;

impl Equation for Cubic {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn residual<S: Scalar>(&self, u: &[S], theta: &[S], g: &mut [S]) {
        g[0] = u[0].powi(3) - u[0] * 3.0 - theta[0];
    }

    fn guess(&self, theta: &[f64]) -> Vec<f64> {
        vec![if theta[0] > 2.0 { 2.0 } else { 0.0 }]
    }
}

/// From θ = 5 the fit arrives on the upper branch. From the guess u = 0 there Newton's method would find the middle one.
#[test]
fn a_band_is_that_of_the_branch_of_the_fit() {
    let (model, u) = (Automatic::new(Cubic), 1.879_385_241_571_817);
    let loss = Observations::present(&[u], &Noise::uniform(1, 0.1).unwrap()).unwrap();
    let descent = Descent::new(&model, &loss);
    let report = descent.run(&[5.0], |_| ()).unwrap();
    assert!((report.theta[0] - 1.0).abs() < 1e-6 && (report.rho[0] - u).abs() < 1e-6);
    let estimates = report.estimates(&descent, Variance::Known).unwrap();
    let errors = estimates.uncertainty().band(&model, &report.theta).unwrap();
    // One datum determines the state as well as it is measured.
    assert!((errors[0] - 0.1).abs() < 1e-8, "{errors:?}");
    let (low, high) = estimates.band(&model).unwrap()[0];
    assert!((0.5 * (low + high) - u).abs() < 1e-6 && (high - low - 0.2 * 1.959_964).abs() < 1e-6);
}

/// θ₀ + θ₁ and, if there are three entries, θ₀ and θ₀ + θ₁ + θ₂.
struct Sums(usize);

impl Formula for Sums {
    fn dims(&self) -> (usize, usize) {
        (self.0, 3)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        let sum = theta[0] + theta[1];
        (out[0], out[1]) = (sum, sum + theta[2]);
        if self.0 > 2 {
            out[2] = theta[0] * 1.0;
        }
    }
}

#[test]
fn what_depends_on_undetermined_parameters_is_infinite() {
    let (curve, loss) = (
        Curve::new(Sums(2)),
        L2Misfit::euclidean(vec![1.0, 3.0]).unwrap(),
    );
    let descent = Descent::new(&curve, &loss);
    let report = descent.run(&[0.3, 0.2, 0.1], |_| ()).unwrap();
    let estimates = report.estimates(&descent, Variance::Known).unwrap();
    let found = estimates
        .uncertainty()
        .band(&Curve::new(Sums(3)), &report.theta)
        .unwrap();
    assert!(
        (found[0] - 1.0).abs() < 1e-9 && (found[1] - 1.0).abs() < 1e-9,
        "{found:?}"
    );
    assert!(found[2].is_infinite());
    let band = estimates.band(&Curve::new(Sums(3))).unwrap();
    assert_eq!(band[2], (f64::NEG_INFINITY, f64::INFINITY));
}

/// y = a + b t.
struct Line;

impl Formula for Line {
    fn dims(&self) -> (usize, usize) {
        (8, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (t, y) in out.iter_mut().enumerate() {
            *y = theta[0] + theta[1] * t as f64;
        }
    }
}

/// Of 4000 lines 95 % of the bands contain the true line, and 95 % of the prediction bands a new datum. 4000 cases tell a share
/// of 95 % to 0.35 %.
#[test]
fn bands_contain_the_curve_and_new_data_as_often_as_they_claim() {
    const COUNT: usize = 4000;
    let (curve, truth) = (Curve::new(Line), [1.0, 0.5]);
    let (line, one) = (
        curve.predict(&truth).unwrap(),
        Noise::uniform(8, 1.0).unwrap(),
    );
    let (mut curves, mut data) = (0, 0);
    for i in 0..COUNT as u64 {
        let noise = random::normal(9, 5, i);
        let y = line.iter().zip(&noise).map(|(y, e)| y + 0.2 * e);
        let loss = L2Misfit::euclidean(y.collect()).unwrap();
        let descent = Descent::new(&curve, &loss);
        let report = descent.run(&truth, |_| ()).unwrap();
        let estimates = report.estimates(&descent, Variance::Estimated).unwrap();
        let contains = |band: Vec<(f64, f64)>, y: f64| usize::from(band[6].0 < y && y < band[6].1);
        curves += contains(estimates.band(&curve).unwrap(), line[6]);
        let new = line[6] + 0.2 * noise[8];
        data += contains(estimates.prediction_band(&curve, &one).unwrap(), new);
    }
    for count in [curves, data] {
        let share = count as f64 / COUNT as f64;
        assert!((share - 0.95).abs() < 0.011, "{share}");
    }
}
