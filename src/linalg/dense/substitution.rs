//! Substitutions with triangles whose rows stand one after the other, each with an entry of the right-hand side at its end.

use crate::vector::dot;

/// Solves R x = −c for the rows of [R | c].
pub(super) fn back_substitute(rows: &[f64], x: &mut [f64]) {
    let columns = x.len();
    for (i, row) in rows.chunks_exact(columns + 1).enumerate().rev() {
        let known = dot(&row[i + 1..columns], &x[i + 1..]);
        x[i] = (-row[columns] - known) / row[i];
    }
}

/// Replaces c by the solution of Rᵀc = ∇ for the rows of [R | c].
pub(super) fn substitute_gradient(rows: &mut [f64], gradient: &[f64]) {
    let columns = gradient.len();
    let width = columns + 1;
    for (j, entry) in gradient.iter().enumerate() {
        let term = |i: usize| rows[i * width + j] * rows[i * width + columns];
        let known: f64 = (0..j).map(term).sum();
        let c = (entry - known) / rows[j * width + j];
        // A pivot of zero has nothing to solve for.
        rows[j * width + columns] = if c.is_finite() { c } else { 0.0 };
    }
}
