//! Central differences over a range of steps, with their observed order and their plateau.

use super::STEPS;
use super::probe::{distance, dot, ratio, size, worst};
use super::report::{Check, Trial};

/// Values F(x ± hv) at one step.
pub(super) struct Sample {
    pub(super) h: f64,
    pub(super) plus: Vec<f64>,
    pub(super) minus: Vec<f64>,
}

/// Smallest number of steps that a scan needs for a result.
pub(super) const FEWEST: usize = 4;

/// Note of a scan without a result.
pub(super) const NO_STEPS: &str = "the function could not be evaluated at small steps: choose a point inside its \
                                   domain, and check that it writes all its outputs";

/// Evaluates F at all steps, given h ↦ F(x + hv).
///
/// A step at which F cannot be evaluated or is not finite is dropped together with all longer steps. Long steps may
/// thus leave the domain, but success at longer steps cannot hide a failure at a short step.
pub(super) fn samples(mut f: impl FnMut(f64) -> Option<Vec<f64>>) -> Vec<Sample> {
    let mut kept = Vec::new();
    let finite = |values: &Vec<f64>| values.iter().all(|f| f.is_finite());
    for h in STEPS {
        match (f(h).filter(finite), f(-h).filter(finite)) {
            (Some(plus), Some(minus)) => kept.push(Sample { h, plus, minus }),
            _ => kept.clear(),
        }
    }
    kept
}

/// Comparison of a claimed derivative with differences.
pub(super) struct Scan {
    trials: Vec<Trial>,
    /// Smallest error over all steps, or NaN if there are not enough steps.
    plateau: f64,
    order: Option<f64>,
    /// Description of the error, for a claim that is wrong.
    explanation: String,
    /// Special circumstances of the scan.
    remark: Option<&'static str>,
}

impl Scan {
    /// Compares a claim c with differences d row by row.
    ///
    /// The error of row i at step h is |dᵢ − cᵢ| + ε|Fᵢ|/h, relative to the largest of |cᵢ|, |dᵢ| and `floor[i]`. The
    /// second term bounds the rounding error of the difference.
    pub(super) fn new(claim: &[f64], floor: &[f64], samples: &[Sample]) -> Self {
        let compare = |sample: &Sample| {
            let rows = (0..claim.len()).map(|i| row(claim[i], floor[i], i, sample));
            Trial {
                h: sample.h,
                error: rows.fold(0.0, worst),
            }
        };
        let trials: Vec<Trial> = samples.iter().map(compare).collect();
        // The truncation error h²F‴/6 of a central difference falls with h, and the rounding error εF/h
        // grows. Their sum is smallest near h = ε^⅓ ≈ 6e-6, where it is about ε^⅔ ≈ 4e-11. Values with larger
        // errors, such as solved states, have their best step at a larger h. No single step therefore suits
        // all functions, but the best step of a scan does.
        let enough = trials.len() >= FEWEST;
        let errors = trials.iter().map(|t| t.error);
        let best = errors
            .filter(|e| enough && e.is_finite())
            .min_by(f64::total_cmp);
        Self {
            plateau: best.unwrap_or(f64::NAN),
            order: central_order(&trials),
            explanation: if enough {
                explain(claim, floor, &steady(samples))
            } else {
                NO_STEPS.into()
            },
            remark: None,
            trials,
        }
    }

    /// Returns the scan with the largest error. NaN counts as the largest.
    pub(super) fn worst(scans: Vec<Self>) -> Self {
        let worse = |a: Self, b: Self| {
            if a.plateau.is_nan() || a.plateau >= b.plateau {
                a
            } else {
                b
            }
        };
        let none = || Self::new(&[], &[], &[]);
        scans.into_iter().reduce(worse).unwrap_or_else(none)
    }

    /// Turns the scan into a check of its plateau.
    pub(super) fn check(self, name: &'static str, tolerance: f64) -> Check {
        let mut check = Check::new(name, self.plateau, tolerance);
        check.order = self.order;
        check.trials = self.trials;
        check.note = match (check.passed(), self.remark) {
            (true, remark) => remark.map(str::to_string),
            (false, None) => Some(self.explanation),
            (false, Some(remark)) => Some(format!("{remark}; {}", self.explanation)),
        };
        check
    }

    /// Returns whether the scan has too few steps for a result.
    pub(super) fn is_empty(&self) -> bool {
        self.trials.len() < FEWEST
    }

    /// Attaches a remark on special circumstances to the scan.
    pub(super) fn remark(mut self, remark: &'static str) -> Self {
        self.remark = Some(remark);
        self
    }
}

impl Sample {
    /// Returns the central difference (F(x + hv) − F(x − hv))/2h.
    fn difference(&self) -> Vec<f64> {
        let pairs = self.plus.iter().zip(&self.minus);
        pairs.map(|(p, m)| (p - m) / (2.0 * self.h)).collect()
    }
}

/// Returns the most reliable difference, which changes least from one step to the next.
fn steady(samples: &[Sample]) -> Vec<f64> {
    // From one step to the next, a difference changes by about its own error: by truncation at long steps, and by
    // rounding at short ones.
    let differences: Vec<Vec<f64>> = samples.iter().map(Sample::difference).collect();
    let change = |pair: &&[Vec<f64>]| distance(&pair[0], &pair[1], &vec![1.0; pair[0].len()]);
    let steadier = |a: &&[Vec<f64>], b: &&[Vec<f64>]| change(a).total_cmp(&change(b));
    let pair = differences.windows(2).min_by(steadier);
    pair.map_or_else(Vec::new, |pair| pair[1].clone())
}

/// Returns the relative error of row `i`, including its rounding error.
fn row(claim: f64, floor: f64, i: usize, sample: &Sample) -> f64 {
    let (plus, minus) = (sample.plus[i], sample.minus[i]);
    let difference = (plus - minus) / (2.0 * sample.h);
    // Two values with errors of ε|F| each, divided by 2h.
    let rounding = f64::EPSILON * plus.abs().max(minus.abs()) / sample.h;
    let scale = worst(claim.abs(), worst(difference.abs(), floor));
    ratio((difference - claim).abs() + rounding, scale)
}

/// Returns, for every scalar value, a lower bound on the scale of its error: the larger of its mean slope
/// over a step of 10⁻² and a thousandth of its value.
///
/// With this floor, a slope of zero can be distinguished from rounding.
pub(super) fn scalar_floor(values: &[f64], samples: &[Sample]) -> Vec<f64> {
    let chord = |i: usize, value: f64| {
        let sample = samples.iter().find(|s| s.h <= 1e-2);
        sample.map_or(0.0, |s| ((s.plus[i] - value) / s.h).abs())
    };
    let floor = |(i, &value): (usize, &f64)| chord(i, value).max(1e-3 * value.abs());
    values.iter().enumerate().map(floor).collect()
}

/// Returns the observed order of central differences, or None if only rounding is visible, as for linear maps.
fn central_order(trials: &[Trial]) -> Option<f64> {
    // The shortest step shows pure rounding, which grows like 1/h. Thirty times as much counts as noise.
    let last = trials.last()?;
    order(trials, |h| 30.0 * last.error * last.h / h)
}

/// Returns the observed order: the slope of log error against log h over two consecutive steps.
///
/// Uses the shortest such pair with both errors above `noise(h)`. Returns `None` if there is no such pair.
pub(super) fn order(trials: &[Trial], noise: impl Fn(f64) -> f64) -> Option<f64> {
    // The error is c hᵠ plus higher powers, whose share falls with h. The shortest pair above the noise
    // therefore shows q best.
    let above = |t: &Trial| t.error.is_finite() && t.error > noise(t.h);
    let pair = trials.windows(2).rfind(|pair| pair.iter().all(above))?;
    Some((pair[0].error / pair[1].error).ln() / (pair[0].h / pair[1].h).ln())
}

/// Describes a claim that is wrong by a constant factor, with enough digits to show the error.
fn times(factor: f64) -> String {
    // An error of order 10⁻ᵏ shows two digits in k + 1 decimals.
    let error = (factor - 1.0).abs();
    let digits = (1.0 - error.log10().floor()).clamp(4.0, 12.0) as usize;
    let text = format!("claimed is {factor:.digits$} times the difference");
    match error < 0.1 {
        true => format!("{text}, a relative error of {error:.1e}"),
        false => text,
    }
}

/// Describes the error of a claim: a constant factor if one explains it, otherwise the row with the largest error.
fn explain(claim: &[f64], floor: &[f64], difference: &[f64]) -> String {
    let triples = || claim.iter().zip(difference).zip(floor);
    let scales: Vec<f64> = triples()
        .map(|((c, d), f)| size(&[c.abs().max(d.abs()).max(*f)]))
        .collect();
    let scaled = |x: &[f64]| -> Vec<f64> { x.iter().zip(&scales).map(|(x, s)| x / s).collect() };
    let (c, d) = (scaled(claim), scaled(difference));
    // The factor ⟨c, d⟩/⟨d, d⟩ minimises ‖c − factor·d‖. This factor explains the error if the rest is small relative
    // to the claim and relative to the error.
    let factor = ratio(dot(&c, &d), dot(&d, &d));
    let rest: Vec<f64> = c.iter().zip(&d).map(|(c, d)| c - factor * d).collect();
    let gap: Vec<f64> = c.iter().zip(&d).map(|(c, d)| c - d).collect();
    let explained = (1e-6 * dot(&c, &c)).min(1e-2 * dot(&gap, &gap));
    if dot(&rest, &rest) <= explained && dot(&d, &d) > 0.0 {
        return times(factor);
    }
    // A NaN counts as the largest error.
    let error = |i: usize| (c[i] - d[i]).abs();
    let larger = |i: usize, row: usize| error(i).is_nan() || error(i) > error(row);
    let largest = (0..c.len()).reduce(|row, i| match !error(row).is_nan() && larger(i, row) {
        true => i,
        false => row,
    });
    let row = largest.unwrap_or(0);
    match (claim.get(row), difference.get(row)) {
        (Some(c), Some(d)) => {
            format!("largest error in row {row}: claimed {c:.6e}, differences give {d:.6e}")
        }
        _ => String::new(),
    }
}
