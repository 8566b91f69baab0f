//! Kernels of products with dense and sparse matrices of derivatives.

use std::ops::Range;

use super::pattern::Columns;

/// Pattern, some of its columns, and the values of all of them.
pub(super) type Sparse<'a> = (&'a Columns, Range<usize>, &'a [f64]);

/// Returns the entries of these columns, as rows and values.
#[inline(always)]
fn columns((pattern, columns, values): Sparse<'_>) -> impl Iterator<Item = (&[usize], &[f64])> {
    let pointers = &pattern.col_ptr()[columns.start..columns.end + 1];
    pointers.windows(2).map(move |ends| {
        let range = ends[0]..ends[1];
        (&pattern.row_idx()[range.clone()], &values[range])
    })
}

#[inline(always)]
pub(super) fn add_sparse<const L: usize>(
    j: Sparse<'_>,
    a: f64,
    x: &[[f64; L]],
    out: &mut [[f64; L]],
) {
    for ((rows, values), x) in columns(j).zip(x) {
        let x = x.map(|x| a * x);
        for (&row, j) in rows.iter().zip(values) {
            let out = &mut out[row];
            out.iter_mut().zip(&x).for_each(|(o, x)| *o += j * x);
        }
    }
}

#[inline(always)]
pub(super) fn add_sparse_transposed<const L: usize>(
    j: Sparse<'_>,
    a: f64,
    w: &[[f64; L]],
    out: &mut [[f64; L]],
) {
    for ((rows, values), out) in columns(j).zip(out) {
        let mut sum = [0.0; L];
        for (&row, j) in rows.iter().zip(values) {
            sum.iter_mut().zip(&w[row]).for_each(|(s, w)| *s += j * w);
        }
        out.iter_mut().zip(&sum).for_each(|(o, s)| *o += a * s);
    }
}

#[inline(always)]
pub(super) fn add_dense<const L: usize>(j: &[f64], a: f64, x: &[[f64; L]], out: &mut [[f64; L]]) {
    for (column, x) in j.chunks_exact(out.len()).zip(x) {
        let x = x.map(|x| a * x);
        for (out, j) in out.iter_mut().zip(column) {
            out.iter_mut().zip(&x).for_each(|(o, x)| *o += j * x);
        }
    }
}

#[inline(always)]
pub(super) fn add_dense_transposed<const L: usize>(
    j: &[f64],
    a: f64,
    w: &[[f64; L]],
    out: &mut [[f64; L]],
) {
    for (column, out) in j.chunks_exact(w.len()).zip(out) {
        let mut sum = [0.0; L];
        for (j, w) in column.iter().zip(w) {
            sum.iter_mut().zip(w).for_each(|(s, w)| *s += j * w);
        }
        out.iter_mut().zip(&sum).for_each(|(o, s)| *o += a * s);
    }
}
