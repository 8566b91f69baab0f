//! Elementary vector operations.

/// Returns the inner product ⟨a, b⟩.
#[inline]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// Returns the Euclidean norm ‖a‖₂ without spurious overflow or underflow, or NaN if an entry is NaN.
pub(crate) fn norm(a: &[f64]) -> f64 {
    // ‖a‖ = s ‖a/s‖ with s = ‖a‖∞. For s = 0 or ∞ the quotients are NaN; the sum of absolute values then gives 0, ∞ or,
    // since `largest` ignores NaN, NaN.
    let size = largest(a);
    if size == 0.0 || size.is_infinite() {
        return a.iter().fold(0.0, |sum, x| sum + x.abs());
    }
    let squares = a.iter().fold(0.0, |sum, x| sum + (x / size) * (x / size));
    size * squares.sqrt()
}

/// Returns the maximum norm ‖a‖∞, ignoring NaN entries.
pub(crate) fn largest(a: &[f64]) -> f64 {
    a.iter().fold(0.0, |m, x| m.max(x.abs()))
}

/// Sets entries to 0 that are so small that products with them lose their digits.
pub(crate) fn clear_subnormal(a: &mut [f64]) {
    const LEAST: f64 = f64::MIN_POSITIVE / f64::EPSILON;
    let small = a.iter_mut().filter(|x| x.abs() < LEAST);
    small.for_each(|x| *x = 0.0);
}

/// Subtracts from a covector c its mean with weights r: c ← c − (c·r)/Σr, where `total` is Σr.
///
/// The map is the transpose of ζ ↦ ζ − r Σζ/Σr, which removes the mass of a tangent ζ.
pub(crate) fn centre(c: &mut [f64], r: &[f64], total: f64) {
    let mean = c.iter().zip(r).map(|(c, r)| c * r).sum::<f64>() / total;
    c.iter_mut().for_each(|c| *c -= mean);
}
