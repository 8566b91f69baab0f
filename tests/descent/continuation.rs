//! Continuation: it reaches optima that a single fit misses, halves its steps, and says where it ended.

use crate::support::gap;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::continuation::{Continuation, End, Path};
use pullback::loss::L2Misfit;
use pullback::{Descent, Error, Report, Result};

/// y = a sin(ωt) at a number of times.
struct Wave(usize);

impl Formula for Wave {
    fn dims(&self) -> (usize, usize) {
        (self.0, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (k, y) in out.iter_mut().enumerate() {
            *y = theta[0] * (theta[1] * (0.1 * k as f64)).sin();
        }
    }
}

/// Fits the first `length` data of a wave.
fn fit(length: f64, start: &[f64]) -> Result<Report> {
    let wave = Curve::new(Wave(length as usize));
    let loss = L2Misfit::euclidean(wave.predict(&[1.5, 4.0])?)?;
    Descent::new(&wave, &loss).run(start, |_| ())
}

/// One unknown θ, to be fitted to the square of the value.
struct Unknown;

impl Formula for Unknown {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0];
    }
}

/// Fits θ to the square of the value, and fails if the start is further away than `reach`.
fn tracked(value: f64, start: &[f64], reach: f64) -> Result<Report> {
    if (start[0] - value * value).abs() > reach {
        return Err(Error::custom("too far away"));
    }
    let curve = Curve::new(Unknown);
    let loss = L2Misfit::euclidean(vec![value * value])?;
    Descent::new(&curve, &loss).run(start, |_| ())
}

fn values(path: &Path) -> Vec<f64> {
    path.points().iter().map(|point| point.value).collect()
}

#[test]
fn a_longer_and_longer_record_leads_to_a_frequency_that_a_direct_fit_misses() {
    let (start, truth) = ([1.0, 3.0], [1.5, 4.0]);
    let direct = fit(300.0, &start).unwrap();
    assert!(gap(&direct.theta, &truth) > 0.1, "{direct}");
    let path = Continuation::new(12.0, 300.0).step(40.0);
    let path = path.run(&start, fit, |_| ()).unwrap();
    let last = path.last();
    assert!(path.reached() && last.value == 300.0, "{path}");
    assert!(gap(&last.report.theta, &truth) < 1e-8, "{path}");
    let total: usize = path
        .points()
        .iter()
        .map(|p| p.report.counts.model_solves)
        .sum();
    assert!(path.counts().model_solves >= total);
}

#[test]
fn steps_that_fail_are_halved_and_grow_again() {
    let run =
        |value: f64, start: &[f64]| tracked(value, start, if value < 2.1 { 0.5 } else { 9.0 });
    let mut calls = 0;
    let path = Continuation::new(0.0, 6.0).step(1.0);
    let path = path.run(&[0.0], run, |_| calls += 1).unwrap();
    assert!(path.reached(), "{path}");
    assert!((path.last().report.theta[0] - 36.0).abs() < 1e-9);
    assert!(
        !path.rejected().is_empty() && path.rejected()[0].value == 1.0,
        "{path:?}"
    );
    assert!(path.rejected()[0].reason.contains("too far away"));
    assert_eq!(calls, path.points().len() + path.rejected().len());
    let steps: Vec<f64> = values(&path).windows(2).map(|v| v[1] - v[0]).collect();
    let smallest = steps.iter().copied().fold(1.0, f64::min);
    assert!(
        smallest <= 0.125 && steps[steps.len() - 2] > 0.45,
        "{steps:?}"
    );
}

#[test]
fn a_continuation_that_cannot_go_on_says_where_it_ended() {
    let wall = |value: f64, start: &[f64]| match value > 0.7 {
        true => Err(Error::custom("a wall")),
        false => tracked(value, start, 9.0),
    };
    let path = Continuation::new(0.0, 1.0).step(0.25).smallest_step(0.01);
    let path = path.run(&[0.0], wall, |_| ()).unwrap();
    assert!(!path.reached() && matches!(path.end(), End::Stuck { step } if step < 0.01));
    assert!((0.68..=0.7).contains(&path.last().value), "{path}");
    let text = path.to_string();
    assert!(
        text.contains("ended at 0.6") && text.contains("a wall"),
        "{text}"
    );
}

#[test]
fn steps_within_rounding_end_a_continuation() {
    let wall = |value: f64, start: &[f64]| match value > 1.5 {
        true => Err(Error::custom("a wall")),
        false => tracked(value, start, 9.0),
    };
    let path = Continuation::new(1.0, 2.0).step(0.25).smallest_step(1e-300);
    let path = path.run(&[1.0], wall, |_| ()).unwrap();
    assert!(!path.reached() && path.last().value == 1.5, "{path}");
    assert!(path.rejected().len() < 60, "{path}");
}

#[test]
fn a_secant_predicts_the_next_result() {
    let offsets = |continuation: Continuation| {
        let mut offsets = Vec::new();
        let run = |value: f64, start: &[f64]| {
            offsets.push((start[0] - value * value).abs());
            tracked(value, start, 9.0)
        };
        let path = continuation.run(&[1.0], run, |_| ()).unwrap();
        assert_eq!(path.points().len(), 11);
        offsets
    };
    let plain = offsets(Continuation::new(1.0, 2.0));
    let secant = offsets(Continuation::new(1.0, 2.0).secant());
    // The error of a linear extrapolation of v² over steps of 0.1 is 2 · 0.1².
    assert!(
        secant[2..].iter().all(|x| (x - 0.02).abs() < 1e-9),
        "{secant:?}"
    );
    assert!(plain[2..].iter().all(|x| *x > 0.2), "{plain:?}");
}

#[test]
fn a_failed_prediction_is_repeated_from_the_last_result() {
    // The predictions overshoot 1, which this problem refuses.
    let run = |value: f64, start: &[f64]| match start[0] > 1.0 {
        true => Err(Error::custom("outside")),
        false => tracked((1.0 - (1.0 - value).powi(2)).sqrt(), start, 9.0),
    };
    let path = Continuation::new(0.0, 1.0).step(0.25).secant();
    let path = path.run(&[0.0], run, |_| ()).unwrap();
    assert_eq!(values(&path), [0.0, 0.25, 0.5, 0.75, 1.0]);
    assert_eq!(path.rejected().len(), 2, "{path:?}");
}

#[test]
fn values_may_fall_and_may_be_equal() {
    let run = |value: f64, start: &[f64]| tracked(value, start, 9.0);
    let path = Continuation::new(1.0, 0.0)
        .step(0.3)
        .run(&[1.0], run, |_| ())
        .unwrap();
    assert!(path.reached() && path.last().value == 0.0 && path.points().len() == 5);
    let mut last = 0.0;
    let path = Continuation::new(1.0, 1.0)
        .run(&[1.0], run, |p| last = p.fraction)
        .unwrap();
    assert!(path.points().len() == 1 && last == 1.0);
}
