//! Interleaved columns: the W values of a cell, one per column, are contiguous. The position of a column is its lane.
//!
//! Operations on a column run in the same order for every W, so results are bitwise independent of W.

use faer::{MatMut, MatRef};

use super::workspace::WIDEST;
use crate::linalg::operator::{Real, vectorised};

/// One value per lane. Values beyond the last lane are unspecified.
pub(crate) type PerLane = [f64; WIDEST];

/// Evaluates `f` for the first W lanes.
pub(super) fn lanes<const W: usize>(f: impl FnMut(usize) -> f64) -> PerLane {
    let mut out = [0.0; WIDEST];
    out[..W].copy_from_slice(&std::array::from_fn::<f64, W, _>(f));
    out
}

/// Returns the values of the first W lanes.
pub(super) fn first<const W: usize>(numbers: &PerLane) -> [f64; W] {
    std::array::from_fn(|l| numbers[l])
}

/// Interleaves the columns of a batch, each multiplied by its factor. Lanes beyond the last column are set to
/// zero.
pub(super) fn interleave<const W: usize>(
    batch: MatRef<'_, f64>,
    factors: &PerLane,
    out: &mut [[f64; W]],
) {
    if batch.ncols() < W {
        out.fill([0.0; W]);
    }
    for j in 0..batch.ncols() {
        for (out, x) in out.iter_mut().zip(batch.col(j).iter()) {
            out[j] = factors[j] * x;
        }
    }
}

/// Multiplies lanes by factors and copies them into columns of a batch, for each (lane, column, factor) in
/// `places`.
///
/// Returns false if a result is not finite.
pub(super) fn separate<const W: usize>(
    x: &[[f64; W]],
    mut batch: MatMut<'_, f64>,
    places: impl Iterator<Item = (usize, usize, f64)>,
) -> bool {
    let mut finite = true;
    for (lane, column, factor) in places {
        for (out, x) in batch.as_mut().col_mut(column).iter_mut().zip(x) {
            *out = factor * x[lane];
            finite &= out.is_finite();
        }
    }
    finite
}

/// Computes sum ← sum + a b, lane by lane.
#[inline(always)]
pub(super) fn add_products<const W: usize>(sum: &mut [f64; W], a: &[f64; W], b: &[f64; W]) {
    // Each lane is summed separately in the order of the cells. Pairwise sums within a column would be faster
    // for W = 1, but results would no longer be bitwise independent of the width.
    for l in 0..W {
        sum[l] += a[l] * b[l];
    }
}

/// Returns ‖a‖² of every lane.
pub(super) fn squares<const W: usize>(a: &[[f64; W]]) -> PerLane {
    let mut sum = [0.0; W];
    vectorised(
        #[inline(always)]
        || a.iter().for_each(|a| add_products(&mut sum, a, a)),
    );
    lanes::<W>(|l| sum[l])
}

/// Copies y ← x in the lanes marked true.
pub(super) fn copy_lanes<const W: usize>(
    y: &mut [[f64; W]],
    x: &[[f64; W]],
    which: &[bool; WIDEST],
) {
    if which[..W] == [false; W] {
        return;
    }
    for (y, x) in y.iter_mut().zip(x) {
        for l in (0..W).filter(|&l| which[l]) {
            y[l] = x[l];
        }
    }
}

/// Returns s x for one cell, rounded to the precision of T.
#[inline(always)]
pub(super) fn rounded<T: Real, const W: usize>(s: &[f64; W], x: &[f64; W]) -> [T; W] {
    std::array::from_fn(|l| T::nearest(s[l] * x[l]))
}

/// Returns factors that scale the largest entry of every column to about 1, so that squares neither overflow nor
/// underflow.
///
/// The factors are powers of two, and therefore cause no rounding error.
pub(super) fn scales(batch: MatRef<'_, f64>) -> PerLane {
    let mut scales = [1.0; WIDEST];
    for (s, column) in scales.iter_mut().zip(batch.col_iter()) {
        *s = scale(column.iter().fold(0.0, |m: f64, x| m.max(x.abs())));
    }
    scales
}

/// Returns the power of two that scales a number of this size to about 1, well within the range of single precision.
pub(crate) fn scale(size: f64) -> f64 {
    // A double stores its exponent plus 1023 in bits 52 to 62: size = m 2^(e − 1023) with 1 ≤ m < 2. The scale
    // 2^(1023 − e) has the stored exponent 2046 − e, 2046 = 0x7fe. The bounds 1 and 0x7fd keep the scale and its
    // reciprocal normal, for zero, subnormal and huge sizes.
    const EXPONENT: u32 = 52;
    let exponent = size.to_bits() >> EXPONENT & 0x7ff;
    f64::from_bits((0x7fe_u64.saturating_sub(exponent)).clamp(1, 0x7fd) << EXPONENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_is_exact_and_brings_numbers_near_one() {
        for size in [1e-300, 3e-7, 1.0, 1.5, 7e9, 1e300] {
            let scaled = size * scale(size);
            assert!((0.5..=4.0).contains(&scaled), "{size} becomes {scaled}");
            assert_eq!(scaled / scale(size), size);
        }
        assert!(scale(0.0).is_normal() && scale(f64::MAX).is_normal());
    }
}
