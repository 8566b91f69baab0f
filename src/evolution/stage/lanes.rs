//! Operations on L columns at a time.

use crate::linalg::vectorised;

/// Runs a kernel on L columns with the widest vector instructions that pay.
#[inline(always)]
pub(super) fn on_lanes<const L: usize, R>(kernel: impl FnOnce() -> R) -> R {
    // One column has no lanes to vectorise over.
    if L == 1 { kernel() } else { vectorised(kernel) }
}

/// Subtracts Σ aⱼ xⱼ from `out`.
#[inline(always)]
pub(super) fn subtract<const L: usize>(a: &[f64], x: &[[f64; L]], out: &mut [f64; L]) {
    let mut sum = *out;
    for (a, x) in a.iter().zip(x) {
        for (sum, x) in sum.iter_mut().zip(x) {
            *sum -= a * x;
        }
    }
    *out = sum;
}

/// Subtracts Σ aⱼ xⱼ from `out`, the last term first.
#[inline(always)]
pub(super) fn subtract_back<const L: usize>(a: &[f64], x: &[[f64; L]], out: &mut [f64; L]) {
    let mut sum = *out;
    for (a, x) in a.iter().zip(x).rev() {
        for (sum, x) in sum.iter_mut().zip(x) {
            *sum -= a * x;
        }
    }
    *out = sum;
}

/// Subtracts aⱼ x from every entry j of `out`.
#[inline(always)]
pub(super) fn spread<const L: usize>(a: &[f64], x: &[f64; L], out: &mut [[f64; L]]) {
    for (a, out) in a.iter().zip(out) {
        for (out, x) in out.iter_mut().zip(x) {
            *out -= a * x;
        }
    }
}

/// Multiplies every entry by its factor.
#[inline(always)]
pub(super) fn scale<const L: usize>(factors: &[f64], x: &mut [[f64; L]]) {
    for (x, factor) in x.iter_mut().zip(factors) {
        x.iter_mut().for_each(|x| *x *= factor);
    }
}

/// Adds h Σ aⱼ Kⱼ to `out`, where the slopes Kⱼ stand one after the other.
pub(in crate::evolution) fn add_slopes<const L: usize>(
    slopes: &[[f64; L]],
    h: f64,
    a: &[f64],
    out: &mut [[f64; L]],
) {
    for (slope, a) in slopes.chunks_exact(out.len()).zip(a) {
        let factor = h * a;
        if factor != 0.0 {
            for (out, k) in out.iter_mut().zip(slope) {
                out.iter_mut().zip(k).for_each(|(o, k)| *o += factor * k);
            }
        }
    }
}

/// Returns a vector as one column.
pub(in crate::evolution) fn column(x: &mut [f64]) -> &mut [[f64; 1]] {
    x.as_chunks_mut().0
}
