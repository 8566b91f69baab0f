//! Interleaved columns: cell by cell, W numbers side by side, one of every column.
//!
//! Whatever is done to a column is done in the same order for any W, so that the width changes no bit of a result.

use faer::{MatMut, MatRef};

/// One number a column.
pub(super) type Lanes<const W: usize> = [f64; W];

/// W numbers from a function of the lane.
pub(super) fn lanes<const W: usize>(f: impl FnMut(usize) -> f64) -> Lanes<W> {
    std::array::from_fn(f)
}

/// The columns of a batch, interleaved; lanes beyond the last column are zero.
pub(super) fn interleave<const W: usize>(batch: MatRef<'_, f64>) -> Vec<Lanes<W>> {
    let mut out = vec![[0.0; W]; batch.nrows()];
    for j in 0..batch.ncols() {
        for (out, x) in out.iter_mut().zip(batch.col(j).iter()) {
            out[j] = *x;
        }
    }
    out
}

/// Back into columns.
pub(super) fn separate<const W: usize>(x: &[Lanes<W>], mut batch: MatMut<'_, f64>) {
    for (j, column) in batch.as_mut().col_iter_mut().enumerate() {
        for (out, x) in column.iter_mut().zip(x) {
            *out = x[j];
        }
    }
}

/// ⟨a, b⟩, column by column.
pub(super) fn dot<const W: usize>(a: &[Lanes<W>], b: &[Lanes<W>]) -> Lanes<W> {
    let mut sum = [0.0; W];
    for (a, b) in a.iter().zip(b) {
        (0..W).for_each(|l| sum[l] += a[l] * b[l]);
    }
    sum
}

/// ‖a‖₂, column by column.
pub(super) fn norm<const W: usize>(a: &[Lanes<W>]) -> Lanes<W> {
    dot(a, a).map(f64::sqrt)
}

/// y ← y + s x, column by column.
pub(super) fn add_scaled<const W: usize>(y: &mut [Lanes<W>], s: Lanes<W>, x: &[Lanes<W>]) {
    for (y, x) in y.iter_mut().zip(x) {
        for l in 0..W {
            y[l] += s[l] * x[l];
        }
    }
}

/// y ← x in these columns.
pub(super) fn copy_lanes<const W: usize>(y: &mut [Lanes<W>], x: &[Lanes<W>], which: [bool; W]) {
    for (y, x) in y.iter_mut().zip(x) {
        for l in (0..W).filter(|&l| which[l]) {
            y[l] = x[l];
        }
    }
}
