//! Central differences over a range of steps, with the order they show and the plateau they reach.

use super::STEPS;
use super::probe::{distance, dot, ratio, size, worst};
use super::report::Check;

/// One step of a scan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// The step h.
    pub h: f64,
    /// What remains of the comparison at this step: a relative error, or the remainder of a Taylor test.
    pub error: f64,
}

/// F(x ± hv) at one step.
pub(super) struct Sample {
    pub(super) h: f64,
    pub(super) plus: Vec<f64>,
    pub(super) minus: Vec<f64>,
}

/// Fewer steps than this show nothing.
pub(super) const FEWEST: usize = 4;

/// Why a scan has no result.
pub(super) const NO_STEPS: &str = "the function could not be evaluated at small steps: choose a point inside its domain, \
                                   and see that it fills its output";

/// F at all steps, h ↦ F(x + hv) given. Long steps that leave the domain are left out; a short one that does
/// so takes all longer ones with it, so that a failure in between cannot be stepped over.
pub(super) fn samples(mut at: impl FnMut(f64) -> Option<Vec<f64>>) -> Vec<Sample> {
    let mut kept = Vec::new();
    let finite = |f: &Vec<f64>| f.iter().all(|f| f.is_finite());
    for h in STEPS {
        match (at(h).filter(finite), at(-h).filter(finite)) {
            (Some(plus), Some(minus)) => kept.push(Sample { h, plus, minus }),
            _ => kept.clear(),
        }
    }
    kept
}

/// How a claimed derivative compares with differences.
pub(super) struct Scan {
    trials: Vec<Trial>,
    plateau: f64,
    order: Option<f64>,
    /// How the claim is wrong, if it is.
    explanation: String,
    remark: Option<&'static str>,
}

impl Scan {
    /// Compares row by row: row i of the error at h is |dᵢ − cᵢ| + ε|Fᵢ|/h relative to the largest of |cᵢ|, |dᵢ|
    /// and `floor[i]`, for the claim c and the difference d. The second term is what rounding may hide.
    pub(super) fn new(claim: &[f64], floor: &[f64], samples: &[Sample]) -> Self {
        let compare = |sample: &Sample| {
            let rows = (0..claim.len()).map(|i| row(claim[i], floor[i], i, sample));
            Trial {
                h: sample.h,
                error: rows.fold(0.0, worst),
            }
        };
        let trials: Vec<Trial> = samples.iter().map(compare).collect();
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

    /// The one with the largest error; NaN is worst of all.
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

    /// Judged by its plateau.
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

    /// Whether there were enough steps to compare at.
    pub(super) fn is_empty(&self) -> bool {
        self.trials.len() < FEWEST
    }

    /// Says what was particular about it.
    pub(super) fn remark(mut self, remark: &'static str) -> Self {
        self.remark = Some(remark);
        self
    }
}

impl Sample {
    /// (F(x + hv) − F(x − hv))/2h.
    fn difference(&self) -> Vec<f64> {
        let pairs = self.plus.iter().zip(&self.minus);
        pairs.map(|(p, m)| (p - m) / (2.0 * self.h)).collect()
    }
}

/// The difference that changes least when the step does: what the claim should have been.
fn steady(samples: &[Sample]) -> Vec<f64> {
    let differences: Vec<Vec<f64>> = samples.iter().map(Sample::difference).collect();
    let change = |pair: &&[Vec<f64>]| distance(&pair[0], &pair[1], &vec![1.0; pair[0].len()]);
    let steadier = |a: &&[Vec<f64>], b: &&[Vec<f64>]| change(a).total_cmp(&change(b));
    let pair = differences.windows(2).min_by(steadier);
    pair.map_or_else(Vec::new, |pair| pair[1].clone())
}

fn row(claim: f64, floor: f64, i: usize, sample: &Sample) -> f64 {
    let (plus, minus) = (sample.plus[i], sample.minus[i]);
    let difference = (plus - minus) / (2.0 * sample.h);
    let rounding = f64::EPSILON * plus.abs().max(minus.abs()) / sample.h;
    let scale = worst(claim.abs(), worst(difference.abs(), floor));
    ratio((difference - claim).abs() + rounding, scale)
}

/// What to divide a scalar's errors by beside its slope, so that a slope of zero can be told from rounding:
/// the mean slope over a step of 10⁻², and a thousandth of the value.
pub(super) fn scalar_floor(values: &[f64], samples: &[Sample]) -> Vec<f64> {
    let chord = |i: usize, value: f64| {
        let sample = samples.iter().find(|s| s.h <= 1e-2);
        sample.map_or(0.0, |s| ((s.plus[i] - value) / s.h).abs())
    };
    let floor = |(i, &value): (usize, &f64)| chord(i, value).max(1e-3 * value.abs());
    values.iter().enumerate().map(floor).collect()
}

/// The order of central differences; None where rounding is all there is to see, as for linear maps.
fn central_order(trials: &[Trial]) -> Option<f64> {
    let last = trials.last()?;
    order(trials, |h| 30.0 * last.error * last.h / h)
}

/// The slope of log error over log h between the shortest two steps that rise above `noise(h)`.
pub(super) fn order(trials: &[Trial], noise: impl Fn(f64) -> f64) -> Option<f64> {
    let above = |t: &Trial| t.error.is_finite() && t.error > noise(t.h);
    let clear = trials.windows(2).rfind(|pair| pair.iter().all(above))?;
    Some((clear[0].error / clear[1].error).ln() / (clear[0].h / clear[1].h).ln())
}

/// By which factor a claim is wrong, in digits that show it.
fn times(factor: f64) -> String {
    let off = (factor - 1.0).abs();
    let digits = (1.0 - off.log10().floor()).clamp(4.0, 12.0) as usize;
    let text = format!("claimed is {factor:.digits$} times the difference");
    match off < 0.1 {
        true => format!("{text}, a relative error of {off:.1e}"),
        false => text,
    }
}

/// In which way a claim is wrong: by a constant factor, or worst in some row.
fn explain(claim: &[f64], floor: &[f64], difference: &[f64]) -> String {
    let triples = || claim.iter().zip(difference).zip(floor);
    let scales: Vec<f64> = triples()
        .map(|((c, d), f)| size(&[c.abs().max(d.abs()).max(*f)]))
        .collect();
    let scaled = |x: &[f64]| -> Vec<f64> { x.iter().zip(&scales).map(|(x, s)| x / s).collect() };
    let (c, d) = (scaled(claim), scaled(difference));
    let factor = ratio(dot(&c, &d), dot(&d, &d));
    let rest: Vec<f64> = c.iter().zip(&d).map(|(c, d)| c - factor * d).collect();
    let gap: Vec<f64> = c.iter().zip(&d).map(|(c, d)| c - d).collect();
    // What is left must be small beside the claim, and beside what the factor is to explain.
    let explained = (1e-6 * dot(&c, &c)).min(1e-2 * dot(&gap, &gap));
    if dot(&rest, &rest) <= explained && dot(&d, &d) > 0.0 {
        return times(factor);
    }
    let off = |i: usize| (c[i] - d[i]).abs();
    let row = (0..c.len()).fold(0, |row, i| if off(i) > off(row) { i } else { row });
    match (claim.get(row), difference.get(row)) {
        (Some(c), Some(d)) => {
            format!("worst in row {row}: claimed {c:.6e}, differences say {d:.6e}")
        }
        _ => String::new(),
    }
}
