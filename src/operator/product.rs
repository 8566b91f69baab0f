//! Products with an operator, and the size |A||x| against which rounding is judged.

use faer::linalg::matmul::matmul;
use faer::sparse::SparseColMatRef;
use faer::{Accum, ColMut, ColRef, MatMut, MatRef, Par};

use super::{Kind, Operator, Side, View};

impl Operator<'_> {
    /// out ← A X or Aᵀ X; the shapes must fit.
    pub(crate) fn apply_into(&self, side: Side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        match &self.kind {
            Kind::Identity(_) => out.copy_from(x),
            Kind::Free { product, .. } => product(side, x, out),
            _ => match self.view() {
                View::Diagonal(d) => {
                    each_column(x, out, |x, out| scale(d, x, out));
                }
                View::Dense(m) => {
                    let m = match side {
                        Side::Plain => m,
                        Side::Transpose => m.transpose(),
                    };
                    matmul(out, Accum::Replace, m, x, 1.0, Par::Seq);
                }
                View::Sparse(m) => each_column(x, out, |x, out| sparse(m, side, x, out, |v| v)),
                View::Identity | View::Free => {}
            },
        }
    }

    /// out ← |A||x| (or |Aᵀ||x|), the scale of the rounding errors in A x; 0 where entries are unknown.
    pub(crate) fn magnitude_into(&self, side: Side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        match self.view() {
            View::Identity => each_column(x, out, |x, out| {
                out.iter_mut().zip(x.iter()).for_each(|(o, x)| *o = x.abs());
            }),
            View::Diagonal(d) => each_column(x, out, |x, mut out| {
                scale(d, x, out.rb_mut());
                out.iter_mut().for_each(|o| *o = o.abs());
            }),
            View::Dense(m) => each_column(x, out, |x, out| dense_magnitude(m, side, x, out)),
            View::Sparse(m) => each_column(x, out, |x, out| sparse(m, side, x, out, f64::abs)),
            View::Free => out.fill(0.0),
        }
    }
}

use faer::prelude::ReborrowMut;

fn each_column(
    x: MatRef<'_, f64>,
    mut out: MatMut<'_, f64>,
    mut f: impl FnMut(ColRef<'_, f64>, ColMut<'_, f64>),
) {
    for j in 0..x.ncols() {
        f(x.col(j), out.rb_mut().col_mut(j));
    }
}

fn scale(d: &[f64], x: ColRef<'_, f64>, out: ColMut<'_, f64>) {
    for ((o, x), d) in out.iter_mut().zip(x.iter()).zip(d) {
        *o = d * x;
    }
}

/// One column of the product, every factor passed through `size` (identity or modulus).
fn sparse(
    m: SparseColMatRef<'_, usize, f64>,
    side: Side,
    x: ColRef<'_, f64>,
    mut out: ColMut<'_, f64>,
    size: impl Fn(f64) -> f64,
) {
    let (pointers, rows, values) = (m.symbolic().col_ptr(), m.symbolic().row_idx(), m.val());
    if side == Side::Plain {
        out.fill(0.0);
    }
    for j in 0..m.ncols() {
        let entries = pointers[j]..pointers[j + 1];
        match side {
            Side::Plain => {
                let xj = size(x[j]);
                for k in entries {
                    out[rows[k]] += size(values[k]) * xj;
                }
            }
            Side::Transpose => {
                out[j] = entries.map(|k| size(values[k]) * size(x[rows[k]])).sum();
            }
        }
    }
}

fn dense_magnitude(m: MatRef<'_, f64>, side: Side, x: ColRef<'_, f64>, mut out: ColMut<'_, f64>) {
    let m = match side {
        Side::Plain => m,
        Side::Transpose => m.transpose(),
    };
    out.fill(0.0);
    for j in 0..m.ncols() {
        let xj = x[j].abs();
        for (o, a) in out.rb_mut().iter_mut().zip(m.col(j).iter()) {
            *o += a.abs() * xj;
        }
    }
}
