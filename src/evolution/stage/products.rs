//! Products with J = ∂f/∂x and F = ∂f/∂θ.

use std::ops::Range;

use super::lanes::on_lanes;
use super::pattern::Columns;
use super::structure::Structure;

impl Structure {
    /// Adds a J x to `out`.
    pub(in crate::evolution) fn add_state<const L: usize>(
        &self,
        values: &[f64],
        a: f64,
        x: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        let n = self.moves.len();
        self.add(0..n, (values, a), x, out);
    }

    /// Adds a Jᵀ w to `out`.
    pub(in crate::evolution) fn add_state_transposed<const L: usize>(
        &self,
        values: &[f64],
        a: f64,
        w: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        let n = self.moves.len();
        self.add_transposed(0..n, (values, a), w, out);
    }

    /// Adds a F v to `out`.
    pub(in crate::evolution) fn add_parameters<const L: usize>(
        &self,
        values: &[f64],
        a: f64,
        v: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        let n = self.moves.len();
        self.add(n..n + self.parameters, (values, a), v, out);
    }

    /// Adds a Fᵀ w to `out`.
    pub(in crate::evolution) fn add_parameters_transposed<const L: usize>(
        &self,
        values: &[f64],
        a: f64,
        w: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        let n = self.moves.len();
        self.add_transposed(n..n + self.parameters, (values, a), w, out);
    }

    /// Adds `a` times the product with these columns of [J F].
    fn add<const L: usize>(
        &self,
        columns: Range<usize>,
        (values, a): (&[f64], f64),
        x: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        let n = self.moves.len();
        on_lanes::<L, _>(
            #[inline(always)]
            || match self.columns() {
                None => add_dense(&values[columns.start * n..], a, x, out),
                Some(pattern) => add_sparse((pattern, columns, values), a, x, out),
            },
        );
    }

    /// Adds `a` times the product with the transpose of these columns of [J F].
    fn add_transposed<const L: usize>(
        &self,
        columns: Range<usize>,
        (values, a): (&[f64], f64),
        w: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        let n = self.moves.len();
        on_lanes::<L, _>(
            #[inline(always)]
            || match self.columns() {
                None => add_dense_transposed(&values[columns.start * n..], a, w, out),
                Some(pattern) => add_sparse_transposed((pattern, columns, values), a, w, out),
            },
        );
    }
}

/// Pattern, some of its columns, and the values of all of them.
type Sparse<'a> = (&'a Columns, Range<usize>, &'a [f64]);

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
fn add_sparse<const L: usize>(j: Sparse<'_>, a: f64, x: &[[f64; L]], out: &mut [[f64; L]]) {
    for ((rows, values), x) in columns(j).zip(x) {
        let x = x.map(|x| a * x);
        for (&row, j) in rows.iter().zip(values) {
            let out = &mut out[row];
            out.iter_mut().zip(&x).for_each(|(o, x)| *o += j * x);
        }
    }
}

#[inline(always)]
fn add_sparse_transposed<const L: usize>(
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
