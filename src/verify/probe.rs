//! Seeded random directions, and relative errors that propagate NaN.

use faer::MatRef;

use crate::random;

/// Number of random directions of a check.
pub(super) const DIRECTIONS: usize = 3;

/// Returns the size of a vector: max |xᵢ|, or 1 for a vector of zeros.
pub(super) fn size(x: &[f64]) -> f64 {
    let largest = largest(x);
    if largest > 0.0 { largest } else { 1.0 }
}

/// Returns the maximum norm ‖x‖∞, or NaN if an entry is NaN.
pub(super) fn largest(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |m, x| worst(m, x.abs()))
}

/// Returns the larger of two numbers, or NaN if either is NaN.
pub(super) fn worst(a: f64, b: f64) -> f64 {
    // `f64::max` returns the other number, and would let a NaN pass every check.
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// Returns |xᵢ| for every entry of x, or the size of x where xᵢ = 0.
///
/// Perturbations h·ξᵢ|xᵢ| with these weights keep positive numbers positive for small h.
pub(super) fn relative(x: &[f64]) -> Vec<f64> {
    let size = size(x);
    let weight = |x: &f64| if *x == 0.0 { size } else { x.abs() };
    x.iter().map(weight).collect()
}

/// Returns |xᵢ| for every entry of x, raised to at least the fraction `floor` of the largest.
pub(super) fn floored(x: &[f64], floor: f64) -> Vec<f64> {
    // Far smaller entries would contribute little to sums, and errors in their rows or columns could hide.
    let least = floor * size(x);
    x.iter().map(|x| x.abs().max(least)).collect()
}

/// Returns a direction of standard normal numbers times the weights.
pub(super) fn direction(weights: &[f64], seed: u64, stream: u64) -> Vec<f64> {
    // The error of a claim that is linear in v vanishes only for v in a subspace, which a random v misses
    // with probability one.
    let xi = random::normal(weights.len(), seed, stream);
    xi.iter().zip(weights).map(|(x, w)| x * w).collect()
}

/// Returns x + h v.
pub(super) fn moved(x: &[f64], h: f64, v: &[f64]) -> Vec<f64> {
    x.iter().zip(v).map(|(x, v)| x + h * v).collect()
}

/// Views a vector as a batch of one column.
pub(super) fn column(x: &[f64]) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(x, x.len(), 1)
}

/// Returns the inner product ⟨a, b⟩.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Returns a/b, with 0/b = 0 for every b.
pub(super) fn ratio(a: f64, b: f64) -> f64 {
    if a == 0.0 { 0.0 } else { a / b }
}

/// Returns the error |⟨a, b⟩ − ⟨c, d⟩| relative to the larger of Σ|aᵢbᵢ| and Σ|cᵢdᵢ|.
///
/// The scale is that of the rounding errors of the sums, even if their terms cancel.
pub(super) fn pairing((a, b): (&[f64], &[f64]), (c, d): (&[f64], &[f64])) -> f64 {
    let terms = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a * b).abs()).sum::<f64>();
    // The rounding error of ⟨a, b⟩ is at most about nε Σ|aᵢbᵢ|.
    let error = (dot(a, b) - dot(c, d)).abs();
    ratio(error, worst(terms(a, b), terms(c, d)))
}

/// Returns the distance Σ wᵢ|aᵢ − bᵢ| relative to Σ wᵢ max(|aᵢ|, |bᵢ|).
pub(super) fn distance(a: &[f64], b: &[f64], w: &[f64]) -> f64 {
    let entries = || a.iter().zip(b).zip(w);
    let error: f64 = entries().map(|((a, b), w)| w * (a - b).abs()).sum();
    let size: f64 = entries().map(|((a, b), w)| w * a.abs().max(b.abs())).sum();
    ratio(error, size)
}

/// Returns 1/xᵢ for every entry of x, or 1 where xᵢ = 0.
pub(super) fn reciprocals(x: &[f64]) -> Vec<f64> {
    let reciprocal = |x: &f64| if *x > 0.0 { x.recip() } else { 1.0 };
    x.iter().map(reciprocal).collect()
}
