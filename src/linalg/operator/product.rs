//! Products A x with an operator, and |A||x|, which bounds their rounding errors.

use faer::linalg::matmul::matmul;
use faer::prelude::ReborrowMut;
use faer::sparse::SparseColMatRef;
use faer::{Accum, MatMut, MatRef, Par};

use super::block::each_block;
use super::blocks::BLOCK;
use super::{Kind, Operator, Side, View};
use crate::linalg::pool::{SHARED, share_pieces};

impl Operator<'_> {
    /// Computes out ← A X or Aᵀ X. The shapes must match.
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
                View::Sparse(m) => each_column(x, out, |x, out| match side {
                    Side::Plain => sparse(m, side, x, out, |v| v),
                    Side::Transpose => transposed(m, x, out),
                }),
                View::Stencil(s) => each_column(x, out, |x, out| {
                    s.product::<f64, 1>(side, one_lane(x, out), |_, _| ());
                }),
                View::Repeated { block, count } => {
                    each_block(count, x, out, |x, out| block.apply_into(side, x, out));
                }
                View::Identity | View::Free => {}
            },
        }
    }

    /// Returns |A|1 or |Aᵀ|1, the row norms ‖Aᵢ‖₁. A norm that is zero, subnormal, not finite or unknown is
    /// replaced by 1.
    pub(crate) fn row_sizes(&self, side: Side) -> Vec<f64> {
        let (rows, cols) = self.shape_of(side);
        let ones = vec![1.0; cols];
        let mut sizes = vec![0.0; rows];
        self.magnitude_into(
            side,
            MatRef::from_column_major_slice(&ones, cols, 1),
            MatMut::from_column_major_slice_mut(&mut sizes, rows, 1),
        );
        // A row of zeros has no scale. With the norm 1, only the right-hand side decides whether the equation
        // holds. The reciprocal of a subnormal norm may be infinite.
        for size in sizes.iter_mut().filter(|s| !s.is_normal()) {
            *size = 1.0;
        }
        sizes
    }

    /// Computes out ← |A||x| or |Aᵀ||x|, or zero if entries are unknown. Rounding errors in A x are of the
    /// size ε |A||x|.
    pub(crate) fn magnitude_into(&self, side: Side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        match self.view() {
            View::Identity => each_column(x, out, |x, out| {
                out.iter_mut().zip(x).for_each(|(o, x)| *o = x.abs());
            }),
            View::Diagonal(d) => each_column(x, out, |x, out| {
                scale(d, x, out);
                out.iter_mut().for_each(|o| *o = o.abs());
            }),
            View::Dense(m) => each_column(x, out, |x, out| dense_magnitude(m, side, x, out)),
            View::Sparse(m) => each_column(x, out, |x, out| sparse(m, side, x, out, f64::abs)),
            View::Stencil(s) => {
                each_column(x, out, |x, out| s.magnitude::<1>(side, one_lane(x, out)));
            }
            View::Repeated { block, count } => {
                each_block(count, x, out, |x, out| block.magnitude_into(side, x, out));
            }
            View::Free => out.fill(0.0),
        }
    }
}

/// Applies f to every column of x and the same column of out, as slices. Columns that are not contiguous are
/// copied.
fn each_column(
    x: MatRef<'_, f64>,
    mut out: MatMut<'_, f64>,
    mut f: impl FnMut(&[f64], &mut [f64]),
) {
    for j in 0..x.ncols() {
        let (x, mut out) = (x.col(j), out.rb_mut().col_mut(j));
        let copied: Vec<f64>;
        let x = match x.try_as_col_major() {
            Some(x) => x.as_slice(),
            None => {
                copied = x.iter().copied().collect();
                &copied
            }
        };
        if let Some(out) = out.rb_mut().try_as_col_major_mut() {
            f(x, out.as_slice_mut());
        } else {
            let mut column = vec![0.0; out.nrows()];
            f(x, &mut column);
            out.iter_mut().zip(column).for_each(|(o, c)| *o = c);
        }
    }
}

/// Views two vectors as vectors of one interleaved column each.
pub(super) fn one_lane<'a>(
    x: &'a [f64],
    out: &'a mut [f64],
) -> (&'a [[f64; 1]], &'a mut [[f64; 1]]) {
    (x.as_chunks().0, out.as_chunks_mut().0)
}

/// Computes out ← diag(d) x.
pub(super) fn scale(d: &[f64], x: &[f64], out: &mut [f64]) {
    for ((o, x), d) in out.iter_mut().zip(x).zip(d) {
        *o = d * x;
    }
}

/// Computes out ← A x or Aᵀ x if `size` is the identity, and out ← |A||x| or |Aᵀ||x| if `size` is the
/// absolute value.
fn sparse(
    m: SparseColMatRef<'_, usize, f64>,
    side: Side,
    x: &[f64],
    out: &mut [f64],
    size: impl Fn(f64) -> f64,
) {
    let (rows, values) = (m.symbolic().row_idx(), m.val());
    // `col_range` is used rather than two successive pointers, because columns of an uncompressed matrix may
    // end before the next one starts.
    let column = |j: usize| {
        let range = m.symbolic().col_range(j);
        rows[range.clone()].iter().zip(&values[range])
    };
    // A x is a linear combination of the columns of A, and Aᵀ x consists of inner products with them.
    match side {
        Side::Plain => {
            out.fill(0.0);
            for (j, xj) in x.iter().enumerate() {
                let xj = size(*xj);
                for (&i, &a) in column(j) {
                    out[i] += size(a) * xj;
                }
            }
        }
        Side::Transpose => {
            for (j, out) in out.iter_mut().enumerate() {
                *out = column(j).map(|(&i, &a)| size(a) * size(x[i])).sum();
            }
        }
    }
}

/// Computes out ← Aᵀ x, block of rows by block of rows on several threads.
fn transposed(m: SparseColMatRef<'_, usize, f64>, x: &[f64], out: &mut [f64]) {
    let (rows, values) = (m.symbolic().row_idx(), m.val());
    let entry = |j: usize| {
        let range = m.symbolic().col_range(j);
        let entries = rows[range.clone()].iter().zip(&values[range]);
        entries.map(|(&i, &a)| a * x[i]).sum()
    };
    share_pieces(values.len() >= SHARED, out, BLOCK, |first, out| {
        (first..).zip(out).for_each(|(j, out)| *out = entry(j));
    });
}

/// Computes out ← |A||x| or |Aᵀ||x|.
fn dense_magnitude(m: MatRef<'_, f64>, side: Side, x: &[f64], out: &mut [f64]) {
    let m = match side {
        Side::Plain => m,
        Side::Transpose => m.transpose(),
    };
    out.fill(0.0);
    for (j, xj) in x.iter().enumerate() {
        for (o, a) in out.iter_mut().zip(m.col(j).iter()) {
            *o += a.abs() * xj.abs();
        }
    }
}
