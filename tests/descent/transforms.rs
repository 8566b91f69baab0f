//! Descents in other coordinates: logarithms and logits.

use crate::support::gap;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::loss::L2Misfit;
use pullback::models::{GaussianMixture, Parameter};
use pullback::prior::Tikhonov;
use pullback::{Bounds, Descent, Grid, Loss, Noise, Transform};

fn mixture() -> (GaussianMixture, L2Misfit) {
    let grid = Grid::new(&[(-6.0, 8.0, 120)]).unwrap();
    let mixture = GaussianMixture::new(&grid)
        .component(0.5, &[-1.0], 1.0)
        .component(0.5, &[3.0], 1.0)
        .free(&[
            Parameter::Weight(0),
            Parameter::Mean(1, 0),
            Parameter::Variance(0),
        ])
        .unwrap();
    let loss = L2Misfit::new(&grid, mixture.density(&[0.3, 3.4, 1.6]).unwrap()).unwrap();
    (mixture, loss)
}

#[test]
fn transformed_parameters_stay_inside_and_reach_the_same_optimum() {
    let (model, loss) = mixture();
    let transforms = [
        Transform::Logit {
            lower: 0.0,
            upper: 1.0,
        },
        Transform::Identity,
        Transform::Log,
    ];
    for start in [[0.5, 3.0, 1.0], [0.7, 2.8, 0.6], [0.02, 4.0, 4.0]] {
        let descent = Descent::new(&model, &loss).transforms(&transforms);
        let report = descent.run(&start, |_| ()).unwrap();
        let inside = |theta: &[f64]| theta[0] > 0.0 && theta[0] < 1.0 && theta[2] > 0.0;
        assert!(report.history.iter().all(|it| inside(&it.theta)));
        assert!(
            gap(&report.theta, &[0.3, 3.4, 1.6]) < 1e-8,
            "{start:?}: {report}"
        );
    }
}

/// The gradient in the coordinates ξ is dθ/dξ times the gradient in θ.
#[test]
fn the_gradient_is_stated_in_the_coordinates_of_the_descent() {
    let (model, loss) = mixture();
    let start = [0.5, 3.0, 1.5];
    let gradient = |transforms: &[Transform]| {
        let descent = Descent::new(&model, &loss).transforms(transforms);
        descent
            .run(&start, |_| pullback::descent::Control::Stop)
            .unwrap()
            .history[0]
            .gradient
    };
    let rho = model.density(&start).unwrap();
    let mut u = vec![0.0; rho.len()];
    loss.gradient(&rho, &mut u);
    let slope = |i: usize| {
        let h = 1e-5;
        let at = |d: f64| {
            let mut theta = start;
            theta[i] += d;
            loss.value(&model.density(&theta).unwrap())
        };
        (at(h) - at(-h)) / (2.0 * h)
    };
    let logit = Transform::Logit {
        lower: 0.25,
        upper: 1.0,
    };
    let scale = [0.25 * 0.5 / 0.75, 1.0, 1.5];
    let expected = (0..3)
        .map(|i| (scale[i] * slope(i)).powi(2))
        .sum::<f64>()
        .sqrt();
    let found = gradient(&[logit, Transform::Identity, Transform::Log]);
    // Central differences at h = 1e-5 err by about 1e-10.
    assert!(
        (found / expected - 1.0).abs() < 1e-7,
        "{found} and {expected}"
    );
}

#[test]
fn transforms_are_their_own_inverses_and_their_slopes_derivatives() {
    let logit = Transform::Logit {
        lower: -2.0,
        upper: 3.0,
    };
    for (transform, theta) in [
        (Transform::Identity, -7.0),
        (Transform::Log, 1e-5),
        (logit, 2.9),
    ] {
        let xi = transform.inverse(theta);
        assert!(
            (transform.forward(xi) / theta - 1.0).abs() < 1e-13,
            "{transform:?}"
        );
        let h = 1e-4;
        let slope = (transform.forward(xi + h) - transform.forward(xi - h)) / (2.0 * h);
        assert!(
            (transform.slope(theta) / slope - 1.0).abs() < 1e-8,
            "{transform:?}"
        );
    }
}

/// At an end itself the slope is 0 and nothing could ever leave it again.
#[test]
fn transforms_never_reach_the_ends() {
    let logit = Transform::Logit {
        lower: -2.0,
        upper: 3.0,
    };
    for xi in [-800.0, -50.0, 50.0, 800.0] {
        let (a, b) = (logit.forward(xi), Transform::Log.forward(xi));
        assert!(a > -2.0 && a < 3.0, "logit {xi}: {a}");
        assert!(b > 0.0 && b.is_finite(), "log {xi}: {b}");
    }
}

/// Two numbers, of which the second is hardly seen.
struct Faint;

impl Formula for Faint {
    fn dims(&self) -> (usize, usize) {
        (2, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0];
        out[1] = theta[1] * 1e-14;
    }
}

#[test]
fn a_step_changes_a_logarithm_by_two_decades_at_most() {
    // The undamped step moves the second logarithm by 10¹⁴. The value e^32 of the data is seven limited steps away.
    let curve = Curve::new(Faint);
    let loss = L2Misfit::euclidean(vec![2.0, 1.0]).unwrap();
    let descent = Descent::new(&curve, &loss).transforms(&[Transform::Log; 2]);
    let report = descent.run(&[1.0, 1.0], |_| ()).unwrap();
    let pairs = report.history.windows(2);
    let decades =
        |pair: &[pullback::descent::Iterate]| (pair[1].theta[1] / pair[0].theta[1]).log10();
    let largest = pairs.map(decades).fold(0.0, f64::max);
    assert!((largest - 2.0).abs() < 1e-9, "{largest} decades");
    assert!(
        report.converged() && gap(&report.theta, &[2.0, 1e14]) < 1e-6,
        "{report}"
    );
}

/// y = (θ₀ exp(−θ₁), θ₀).
struct Pair;

impl Formula for Pair {
    fn dims(&self) -> (usize, usize) {
        (2, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0] * (-theta[1]).exp();
        out[1] = theta[0];
    }
}

/// f = ½(θ₀e⁻ᵗ − 1)² + ½(θ₀ − 1)² + ½((θ₀ − 2)² + (θ₁ − 1)²)/4 with t = θ₁, differentiated by hand.
#[test]
fn the_gradient_is_that_in_theta_whatever_the_transforms_and_bounds() {
    let (curve, loss) = (Curve::new(Pair), L2Misfit::euclidean(vec![1.0; 2]).unwrap());
    let prior = Tikhonov::new(vec![2.0, 1.0], Noise::uniform(2, 2.0).unwrap()).unwrap();
    let theta = [1.5, 0.7];
    let decay = f64::exp(-theta[1]);
    let r = theta[0] * decay - 1.0;
    let value = 0.5 * r * r + 0.125 + 0.125 * (0.25 + 0.09);
    let gradient = [r * decay + 0.5 - 0.125, -r * theta[0] * decay - 0.075];
    let plain = Descent::new(&curve, &loss).prior(&prior);
    let logs = [Transform::Log; 2];
    // One parameter is at a bound, and the other is fixed.
    let bounds = Bounds::new(vec![0.1, 0.7], vec![1.5, 0.7]).unwrap();
    let confined = Descent::new(&curve, &loss).prior(&prior);
    let confined = confined.transforms(&logs).bounds(&bounds);
    for descent in [plain, confined] {
        let found = descent.gradient(&theta).unwrap();
        assert!((found.value - value).abs() < 1e-14, "{found:?}");
        for (found, expected) in found.gradient.iter().zip(gradient) {
            assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        }
    }
    assert!(
        Descent::new(&curve, &loss)
            .gradient(&[f64::NAN, 1.0])
            .is_err()
    );
    let outside = Descent::new(&curve, &loss)
        .transforms(&logs)
        .gradient(&[0.0, 1.0]);
    assert_eq!(outside.unwrap_err().kind(), "NoLogarithm");
}
