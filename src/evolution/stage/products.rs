//! Kernels of products with dense and sparse matrices of derivatives.

use super::lanes::on_lanes;

/// Some columns of a matrix.
pub(super) enum Block<'a> {
    /// Values column by column.
    Dense(&'a [f64]),
    Sparse {
        /// Bounds of the columns in the rows and values of the whole matrix.
        pointers: &'a [usize],
        rows: &'a [usize],
        values: &'a [f64],
    },
}

impl Block<'_> {
    /// Adds `a` times the product with x to `out`.
    pub(super) fn add<const L: usize>(&self, a: f64, x: &[[f64; L]], out: &mut [[f64; L]]) {
        on_lanes::<L, _>(
            #[inline(always)]
            || match *self {
                Block::Dense(values) => add_dense(values, a, x, out),
                Block::Sparse {
                    pointers,
                    rows,
                    values,
                } => add_sparse(columns(pointers, rows, values), a, x, out),
            },
        );
    }

    /// Adds `a` times the product of the transpose with w to `out`.
    pub(super) fn add_transposed<const L: usize>(
        &self,
        a: f64,
        w: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        on_lanes::<L, _>(
            #[inline(always)]
            || match *self {
                Block::Dense(values) => add_dense_transposed(values, a, w, out),
                Block::Sparse {
                    pointers,
                    rows,
                    values,
                } => add_sparse_transposed(columns(pointers, rows, values), a, w, out),
            },
        );
    }
}

/// Rows and values of a column.
type Column<'a> = (&'a [usize], &'a [f64]);

#[inline(always)]
fn columns<'a>(
    pointers: &'a [usize],
    rows: &'a [usize],
    values: &'a [f64],
) -> impl Iterator<Item = Column<'a>> {
    let ranges = pointers.windows(2).map(|ends| ends[0]..ends[1]);
    ranges.map(|range| (&rows[range.clone()], &values[range]))
}

#[inline(always)]
fn add_sparse<'a, const L: usize>(
    columns: impl Iterator<Item = Column<'a>>,
    a: f64,
    x: &[[f64; L]],
    out: &mut [[f64; L]],
) {
    for ((rows, values), x) in columns.zip(x) {
        let x = x.map(|x| a * x);
        for (&row, j) in rows.iter().zip(values) {
            let out = &mut out[row];
            out.iter_mut().zip(&x).for_each(|(o, x)| *o += j * x);
        }
    }
}

#[inline(always)]
fn add_sparse_transposed<'a, const L: usize>(
    columns: impl Iterator<Item = Column<'a>>,
    a: f64,
    w: &[[f64; L]],
    out: &mut [[f64; L]],
) {
    for ((rows, values), out) in columns.zip(out) {
        let mut sum = [0.0; L];
        for (&row, j) in rows.iter().zip(values) {
            sum.iter_mut().zip(&w[row]).for_each(|(s, w)| *s += j * w);
        }
        out.iter_mut().zip(&sum).for_each(|(o, s)| *o += a * s);
    }
}

#[inline(always)]
fn add_dense<const L: usize>(j: &[f64], a: f64, x: &[[f64; L]], out: &mut [[f64; L]]) {
    for (column, x) in j.chunks_exact(out.len()).zip(x) {
        let x = x.map(|x| a * x);
        for (out, j) in out.iter_mut().zip(column) {
            out.iter_mut().zip(&x).for_each(|(o, x)| *o += j * x);
        }
    }
}

#[inline(always)]
fn add_dense_transposed<const L: usize>(j: &[f64], a: f64, w: &[[f64; L]], out: &mut [[f64; L]]) {
    for (column, out) in j.chunks_exact(w.len()).zip(out) {
        let mut sum = [0.0; L];
        for (j, w) in column.iter().zip(w) {
            sum.iter_mut().zip(w).for_each(|(s, w)| *s += j * w);
        }
        out.iter_mut().zip(&sum).for_each(|(o, s)| *o += a * s);
    }
}
