//! The four things that are done to vectors everywhere.

/// ⟨a, b⟩.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// ‖a‖₂, without overflow or underflow on the way; NaN if an entry is.
pub(crate) fn norm(a: &[f64]) -> f64 {
    let size = largest(a);
    if size == 0.0 || size.is_infinite() {
        return a.iter().fold(0.0, |sum, x| sum + x.abs());
    }
    let squares = a.iter().fold(0.0, |sum, x| sum + (x / size) * (x / size));
    size * squares.sqrt()
}

/// ‖a‖∞; NaN entries do not count.
pub(crate) fn largest(a: &[f64]) -> f64 {
    a.iter().fold(0.0, |m, x| m.max(x.abs()))
}

/// c ← c − ⟨c⟩_r with the sum of r as `total`: the transpose of ζ ↦ ζ − r Σζ/Σr.
pub(crate) fn centre(c: &mut [f64], r: &[f64], total: f64) {
    let mean = c.iter().zip(r).map(|(c, r)| c * r).sum::<f64>() / total;
    c.iter_mut().for_each(|c| *c -= mean);
}
