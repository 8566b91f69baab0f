//! Seeded directions of the right size, and relative errors that let no NaN through.

use faer::MatRef;

use crate::random;

/// How many random directions a check looks along.
pub(super) const DIRECTIONS: usize = 3;

/// max |xᵢ|, or 1 for a vector of zeros.
pub(super) fn size(x: &[f64]) -> f64 {
    let largest = largest(x);
    if largest > 0.0 { largest } else { 1.0 }
}

/// ‖x‖∞.
pub(super) fn largest(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |m, x| worst(m, x.abs()))
}

/// The larger of two numbers, NaN if either is.
pub(super) fn worst(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// |xᵢ|, and the size of x where xᵢ = 0: perturbations h·ξᵢ|xᵢ| keep positive numbers positive.
pub(super) fn relative(x: &[f64]) -> Vec<f64> {
    let size = size(x);
    let weight = |x: &f64| if *x == 0.0 { size } else { x.abs() };
    x.iter().map(weight).collect()
}

/// |xᵢ|, but at least this fraction of the largest.
pub(super) fn floored(x: &[f64], floor: f64) -> Vec<f64> {
    let least = floor * size(x);
    x.iter().map(|x| x.abs().max(least)).collect()
}

/// Standard normal numbers times the weights.
pub(super) fn direction(weights: &[f64], seed: u64, stream: u64) -> Vec<f64> {
    let xi = random::normal(weights.len(), seed, stream);
    xi.iter().zip(weights).map(|(x, w)| x * w).collect()
}

/// x + h v.
pub(super) fn moved(x: &[f64], h: f64, v: &[f64]) -> Vec<f64> {
    x.iter().zip(v).map(|(x, v)| x + h * v).collect()
}

/// A batch of one column.
pub(super) fn column(x: &[f64]) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(x, x.len(), 1)
}

/// ⟨a, b⟩.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// a/b, with 0/0 = 0.
pub(super) fn ratio(a: f64, b: f64) -> f64 {
    if a == 0.0 { 0.0 } else { a / b }
}

/// |⟨a, b⟩ − ⟨c, d⟩| relative to the larger of Σ|aᵢbᵢ| and Σ|cᵢdᵢ|.
pub(super) fn pairing((a, b): (&[f64], &[f64]), (c, d): (&[f64], &[f64])) -> f64 {
    let terms = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a * b).abs()).sum::<f64>();
    let off = (dot(a, b) - dot(c, d)).abs();
    ratio(off, worst(terms(a, b), terms(c, d)))
}

/// Σ wᵢ|aᵢ − bᵢ| relative to Σ wᵢ max(|aᵢ|, |bᵢ|).
pub(super) fn distance(a: &[f64], b: &[f64], w: &[f64]) -> f64 {
    let pairs = || a.iter().zip(b).zip(w);
    let off: f64 = pairs().map(|((a, b), w)| w * (a - b).abs()).sum();
    let all: f64 = pairs().map(|((a, b), w)| w * a.abs().max(b.abs())).sum();
    ratio(off, all)
}
