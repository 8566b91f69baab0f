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

/// Writes x + h Σ aⱼ Kⱼ to `out`, where the slopes Kⱼ stand one after the other.
pub(in crate::evolution) fn combine<const L: usize>(
    x: &[[f64; L]],
    slopes: &[[f64; L]],
    weights: &[f64],
    out: &mut [[f64; L]],
) {
    on_lanes::<L, _>(
        #[inline(always)]
        || {
            let n = out.len();
            // Every entry is summed in registers, and written once.
            for (i, (out, x)) in out.iter_mut().zip(x).enumerate() {
                let mut sum = *x;
                for (weight, k) in weights.iter().zip(slopes[i..].iter().step_by(n)) {
                    sum.iter_mut().zip(k).for_each(|(s, k)| *s += weight * k);
                }
                *out = sum;
            }
        },
    );
}

/// Adds a vector, times its weight, to every one of the slopes that stand one after the other.
pub(in crate::evolution) fn distribute<const L: usize>(
    x: &[[f64; L]],
    weights: &[f64],
    slopes: &mut [[f64; L]],
) {
    on_lanes::<L, _>(
        #[inline(always)]
        || {
            for (weight, slope) in weights.iter().zip(slopes.chunks_exact_mut(x.len())) {
                for (k, x) in slope.iter_mut().zip(x) {
                    k.iter_mut().zip(x).for_each(|(k, x)| *k += weight * x);
                }
            }
        },
    );
}

/// Adds h Σ aⱼ Kⱼ to `out`, for one column.
pub(in crate::evolution) fn add_slopes(slopes: &[f64], h: f64, a: &[f64], out: &mut [f64]) {
    for (slope, a) in slopes.chunks_exact(out.len()).zip(a) {
        let factor = h * a;
        if factor != 0.0 {
            out.iter_mut()
                .zip(slope)
                .for_each(|(o, k)| *o += factor * k);
        }
    }
}

/// Returns a vector as one column.
pub(in crate::evolution) fn column(x: &mut [f64]) -> &mut [[f64; 1]] {
    x.as_chunks_mut().0
}
