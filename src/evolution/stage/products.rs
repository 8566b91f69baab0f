//! Products with J = ∂f/∂x and F = ∂f/∂θ.

use std::ops::Range;

use super::lanes::on_lanes;
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
        self.state(values).add(a, x, out);
    }

    /// Adds a Jᵀ w to `out`.
    pub(in crate::evolution) fn add_state_transposed<const L: usize>(
        &self,
        values: &[f64],
        a: f64,
        w: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        self.state(values).add_transposed(a, w, out);
    }

    /// Adds a F v to `out`.
    pub(in crate::evolution) fn add_parameters<const L: usize>(
        &self,
        values: &[f64],
        a: f64,
        v: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        self.in_parameters(values).add(a, v, out);
    }

    /// Adds a Fᵀ w to `out`.
    pub(in crate::evolution) fn add_parameters_transposed<const L: usize>(
        &self,
        values: &[f64],
        a: f64,
        w: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        self.in_parameters(values).add_transposed(a, w, out);
    }

    /// Returns J.
    fn state<'a>(&'a self, values: &'a [f64]) -> Block<'a> {
        let n = self.moves.len();
        self.block(0..n, values)
    }

    /// Returns F.
    fn in_parameters<'a>(&'a self, values: &'a [f64]) -> Block<'a> {
        let n = self.moves.len();
        self.block(n..n + self.parameters, values)
    }

    fn block<'a>(&'a self, columns: Range<usize>, values: &'a [f64]) -> Block<'a> {
        match self.columns() {
            None => Block::Dense(&values[columns.start * self.moves.len()..]),
            Some(pattern) => Block::Sparse {
                pointers: &pattern.col_ptr()[columns.start..columns.end + 1],
                rows: pattern.row_idx(),
                values,
            },
        }
    }
}

/// Some columns of [J F].
enum Block<'a> {
    /// Values column by column.
    Dense(&'a [f64]),
    Sparse {
        /// Bounds of the columns in the rows and values of [J F].
        pointers: &'a [usize],
        rows: &'a [usize],
        values: &'a [f64],
    },
}

impl Block<'_> {
    fn add<const L: usize>(&self, a: f64, x: &[[f64; L]], out: &mut [[f64; L]]) {
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

    fn add_transposed<const L: usize>(&self, a: f64, w: &[[f64; L]], out: &mut [[f64; L]]) {
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
