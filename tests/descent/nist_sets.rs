//! All 27 sets of nonlinear regression of the NIST Statistical Reference Datasets, as formulas without derivatives.

use std::f64::consts::{PI, TAU};

use crate::support::numbers;
use pullback::automatic::{Curve, Formula, Scalar};
use serde_json::Value;

pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) starts: Vec<Vec<f64>>,
    pub(crate) certified: Vec<f64>,
    pub(crate) errors: Vec<f64>,
    pub(crate) y: Vec<f64>,
    x: Vec<[f64; 2]>,
}

pub(crate) fn sets() -> Vec<Set> {
    let all: Value = serde_json::from_str(include_str!("../reference/nist.json")).unwrap();
    all.as_array().unwrap().iter().map(Set::read).collect()
}

impl Set {
    fn read(set: &Value) -> Self {
        let name = set["name"].as_str().unwrap().to_string();
        let starts = set["starts"].as_array().unwrap();
        let x = numbers(&set["x"]);
        let second = set.get("x2").map_or_else(|| vec![0.0; x.len()], numbers);
        let mut y = numbers(&set["y"]);
        // The certified fit of this set is to the logarithm.
        if name == "Nelson" {
            y.iter_mut().for_each(|y| *y = y.ln());
        }
        Self {
            starts: starts.iter().map(numbers).collect(),
            certified: numbers(&set["certified"]),
            errors: numbers(&set["errors"]),
            x: x.into_iter().zip(second).map(|(a, b)| [a, b]).collect(),
            y,
            name,
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        sets().into_iter().find(|set| set.name == name).unwrap()
    }

    pub(crate) fn curve(&self) -> Curve<&Self> {
        Curve::new(self)
    }
}

impl Formula for Set {
    fn dims(&self) -> (usize, usize) {
        (self.y.len(), self.certified.len())
    }

    fn values<S: Scalar>(&self, b: &[S], out: &mut [S]) {
        for (y, x) in out.iter_mut().zip(&self.x) {
            *y = curve(&self.name, *x, b);
        }
    }
}

/// y(x; b) of a set.
fn curve<S: Scalar>(name: &str, [x, x2]: [f64; 2], b: &[S]) -> S {
    let one = S::from(1.0);
    let decay = |rate: S| (rate * -x).exp();
    let quotient = |top: usize| polynomial(&b[..top], x) / (polynomial(&b[top..], x) * x + 1.0);
    match name {
        "Misra1a" | "BoxBOD" => b[0] * (one - decay(b[1])),
        "Misra1b" => b[0] * (one - (b[1] * (0.5 * x) + 1.0).powi(-2)),
        "Misra1c" => b[0] * (one - (b[1] * (2.0 * x) + 1.0).powf(-0.5)),
        "Misra1d" => b[0] * b[1] * x / (b[1] * x + 1.0),
        "Chwirut1" | "Chwirut2" => decay(b[0]) / (b[1] + b[2] * x),
        "Lanczos1" | "Lanczos2" | "Lanczos3" => {
            b[0] * decay(b[1]) + b[2] * decay(b[3]) + b[4] * decay(b[5])
        }
        "Gauss1" | "Gauss2" | "Gauss3" => {
            let bump = |b: &[S]| b[0] * (-((b[1] - x) / b[2]).powi(2)).exp();
            b[0] * decay(b[1]) + bump(&b[2..5]) + bump(&b[5..8])
        }
        "DanWood" => b[0] * (b[1] * x.ln()).exp(),
        "Kirby2" => quotient(3),
        "Hahn1" | "Thurber" => quotient(4),
        "Nelson" => b[0] - b[1] * x * (b[2] * -x2).exp(),
        "MGH17" => b[0] + b[1] * decay(b[3]) + b[2] * decay(b[4]),
        "Roszman1" => b[0] - b[1] * x - (b[2] / (-b[3] + x)).atan() / PI,
        "ENSO" => {
            let wave = |period: S, b: &[S]| {
                let phase = S::from(TAU * x) / period;
                b[0] * phase.cos() + b[1] * phase.sin()
            };
            b[0] + wave(S::from(12.0), &b[1..3]) + wave(b[3], &b[4..6]) + wave(b[6], &b[7..9])
        }
        "MGH09" => b[0] * (b[1] * x + x * x) / (b[2] * x + b[3] + x * x),
        "Rat42" => b[0] / ((b[1] - b[2] * x).exp() + 1.0),
        "MGH10" => b[0] * (b[1] / (b[2] + x)).exp(),
        "Eckerle4" => b[0] / b[1] * (((b[2] - x) / b[1]).powi(2) * -0.5).exp(),
        "Rat43" => b[0] / ((b[1] - b[2] * x).exp() + 1.0).pow(b[3].recip()),
        "Bennett5" => b[0] * (b[1] + x).pow(-b[2].recip()),
        _ => unreachable!("no formula for {name}"),
    }
}

/// Σ bᵢ xⁱ.
fn polynomial<S: Scalar>(b: &[S], x: f64) -> S {
    b.iter().rev().fold(S::from(0.0), |sum, b| sum * x + *b)
}

/// Correct digits of the worst entry.
pub(crate) fn digits(found: &[f64], certified: &[f64]) -> f64 {
    let pairs = found.iter().zip(certified);
    let off = pairs.map(|(a, b)| ((a - b) / b).abs());
    let worst = off.fold(0.0, |m: f64, e| if e > m || e.is_nan() { e } else { m });
    -worst.max(1e-16).log10()
}
