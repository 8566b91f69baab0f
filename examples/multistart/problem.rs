//! The data, the curve, and the region of the starting points.

use std::f64::consts::TAU;

use pullback::automatic::{Formula, Scalar};
use pullback::{Bounds, Result, Transform};
use serde_json::Value;

/// Index of the two periods in θ.
pub const PERIODS: [usize; 2] = [3, 6];

/// Range of the periods in months, up to the length of the record.
pub const RANGE: [f64; 2] = [15.0, 168.0];

/// Monthly differences of air pressure, with the certified fit.
///
/// The curve is y = θ₀ + w(12; θ₁, θ₂) + w(θ₃; θ₄, θ₅) + w(θ₆; θ₇, θ₈) with waves w(T; a, b) = a cos(2πt/T) + b sin(2πt/T).
/// Data and certified values: Kahaner, Moler and Nash (1989), NIST Statistical Reference Datasets.
pub struct Pressure {
    pub data: Vec<f64>,
    pub certified: Vec<f64>,
    pub sum_of_squares: f64,
}

impl Pressure {
    pub fn read() -> std::result::Result<Self, String> {
        let text = include_str!("../../tests/reference/nist.json");
        let sets: Vec<Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let set = sets.iter().find(|set| set["name"] == "ENSO");
        let set = set.ok_or("the set ENSO is missing in nist.json")?;
        let numbers = |key: &str| -> Option<Vec<f64>> {
            set[key].as_array()?.iter().map(Value::as_f64).collect()
        };
        let missing = "the set ENSO in nist.json is not complete";
        Ok(Self {
            data: numbers("y").ok_or(missing)?,
            certified: numbers("certified").ok_or(missing)?,
            sum_of_squares: set["sum_of_squares"].as_f64().ok_or(missing)?,
        })
    }
}

/// Value of the curve at t months.
pub fn curve<S: Scalar>(theta: &[S], t: f64) -> S {
    let wave = |period: S, a: S, b: S| {
        let phase = S::from(TAU * t) / period;
        a * phase.cos() + b * phase.sin()
    };
    theta[0]
        + wave(S::from(12.0), theta[1], theta[2])
        + wave(theta[3], theta[4], theta[5])
        + wave(theta[6], theta[7], theta[8])
}

impl Formula for &Pressure {
    fn dims(&self) -> (usize, usize) {
        (self.data.len(), 9)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (k, y) in out.iter_mut().enumerate() {
            *y = curve(theta, (k + 1) as f64);
        }
    }
}

/// Periods are positive, and starts are uniform in their logarithms.
pub fn transforms() -> Vec<Transform> {
    let of = |j: usize| match PERIODS.contains(&j) {
        true => Transform::Log,
        false => Transform::Identity,
    };
    (0..9).map(of).collect()
}

/// Bounds of the periods.
pub fn bounds() -> Result<Bounds> {
    boxed([f64::NEG_INFINITY, f64::INFINITY])
}

/// Region of the starting points.
pub fn region() -> Result<Bounds> {
    boxed([-2.0, 2.0])
}

/// Box of the periods in their range and the other parameters in `others`.
fn boxed(others: [f64; 2]) -> Result<Bounds> {
    let side = |j: usize| match PERIODS.contains(&j) {
        true => RANGE,
        false => others,
    };
    Bounds::new(
        (0..9).map(|j| side(j)[0]).collect(),
        (0..9).map(|j| side(j)[1]).collect(),
    )
}

/// Puts the wave with the longer period first, since the order of the waves has no meaning.
pub fn longer_first(theta: &[f64]) -> Vec<f64> {
    let mut out = theta.to_vec();
    if theta[3] < theta[6] {
        out[3..].rotate_left(3);
    }
    out
}
