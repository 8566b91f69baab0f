//! The residual b − A x, and the size |A||x| beside which it is judged, without allocations.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::prelude::Reborrow;
use faer::sparse::SparseColMatRef;
use faer::{Accum, ColRef, MatMut, MatRef, Par};

use super::product::scale;
use super::{Line, Operator, Rows, Side, Stencil, View, vectorised, with_sides};

/// Columns of a dense matrix whose moduli are taken at a time.
const PANEL: usize = 64;

/// Vectors of a residual b − A x. Columns are contiguous in x and r.
pub(crate) struct Residual<'v> {
    pub(crate) x: &'v [f64],
    pub(crate) b: MatRef<'v, f64>,
    pub(crate) r: &'v mut [f64],
    /// At least [`magnitude_room`](Operator::magnitude_room) numbers.
    pub(crate) workspace: &'v mut [f64],
}

impl Operator<'_> {
    /// The numbers that [`residual_into`](Operator::residual_into) needs room for besides r.
    pub(crate) fn magnitude_room(&self, columns: usize) -> usize {
        match self.view() {
            // |A||x| and |x| of all columns, and a panel of |A|.
            View::Dense(m) => m.nrows() * (2 * columns + PANEL.min(m.ncols())),
            // A line, and what the gauge adds.
            View::Stencil(stencil) => stencil.rows(Side::Plain).shape[2] + 2 * columns,
            _ => self.nrows(),
        }
    }

    /// r ← b − A x for columns that stand one after another; the operator is square. `each` gets, of every column j, the
    /// rows, r and |A||x| once, or in parts that make up the whole.
    ///
    /// Where products and sizes come from the same numbers, one pass over the matrix makes both.
    pub(crate) fn residual_into(
        &self,
        side: Side,
        vectors: Residual<'_>,
        mut each: impl FnMut(usize, Range<usize>, &[f64], &[f64]),
    ) {
        if let View::Stencil(stencil) = self.view() {
            return lines(stencil, side, vectors, each);
        }
        let Residual { x, b, r, workspace } = vectors;
        let n = b.nrows();
        if let View::Dense(m) = self.view() {
            let m = match side {
                Side::Plain => m,
                Side::Transpose => m.transpose(),
            };
            let (size, rest) = workspace.split_at_mut(x.len());
            dense(m, x, r, (size, rest));
            for j in 0..b.ncols() {
                let (r, size) = (&mut r[j * n..][..n], &size[j * n..][..n]);
                subtract_from(b.col(j), r);
                each(j, 0..n, r, size);
            }
            return;
        }
        let size = &mut workspace[..n];
        for j in 0..b.ncols() {
            let (x, r) = (&x[j * n..][..n], &mut r[j * n..][..n]);
            self.product_and_size(side, x, (r, size));
            subtract_from(b.col(j), r);
            each(j, 0..n, r, size);
        }
    }

    /// out ← A x, size ← |A||x|.
    fn product_and_size(&self, side: Side, x: &[f64], (out, size): (&mut [f64], &mut [f64])) {
        match self.view() {
            View::Diagonal(d) => {
                scale(d, x, out);
                size.iter_mut().zip(&*out).for_each(|(s, o)| *s = o.abs());
            }
            View::Sparse(m) => sparse(m, side, x, (out, size)),
            _ => {
                let n = x.len();
                let x = MatRef::from_column_major_slice(x, n, 1);
                let seen = |v| MatMut::from_column_major_slice_mut(v, n, 1);
                self.apply_into(side, x, seen(out));
                self.magnitude_into(side, x, seen(size));
            }
        }
    }
}

/// Those of a stencil: for all columns one line of cells after another, whose coefficients stay in the caches.
fn lines(
    stencil: &Stencil,
    side: Side,
    vectors: Residual<'_>,
    mut each: impl FnMut(usize, Range<usize>, &[f64], &[f64]),
) {
    let Residual { x, b, r, workspace } = vectors;
    let (n, columns, rows) = (b.nrows(), b.ncols(), stencil.rows(side));
    let (shifts, size) = workspace.split_at_mut(2 * columns);
    let shifts = shifts.as_chunks_mut().0;
    for (shift, x) in shifts.iter_mut().zip(x.chunks_exact(n)) {
        *shift = gauge_terms(stencil.gauge(), x);
    }
    for line in rows.lines() {
        let (cells, size) = (line.cells(), &mut size[..line.len]);
        for (j, shift) in shifts.iter().enumerate() {
            let x = &x[j * n..][..n];
            let r = &mut r[j * n..][cells.clone()];
            vectorised(|| {
                with_sides!(rows, line_products(rows, line, x, (r, size)));
                add_shift(*shift, (r, size));
            });
            subtract_from(b.col(j).get(cells.clone()), r);
            each(j, cells.clone(), r, size);
        }
    }
}

/// What a gauge adds to A x and to |A||x|.
fn gauge_terms(c: f64, x: &[f64]) -> [f64; 2] {
    if c == 0.0 {
        return [0.0; 2];
    }
    let sizes = x.iter().map(|x| x.abs());
    [c * x.iter().sum::<f64>(), c.abs() * sizes.sum::<f64>()]
}

/// out ← A x, size ← |A||x| on a line, in the order of sums of `Rows::line_product`.
#[inline(always)]
fn line_products<const N: usize>(
    rows: Rows<'_, f64>,
    line: Line,
    x: &[f64],
    (out, size): (&mut [f64], &mut [f64]),
) {
    let n = line.len;
    let beside = rows.beside::<N>(line);
    let beside = beside.map(|(c, start)| (&c[..n], &x[start..][..n]));
    let (lower, upper) = rows.along(line);
    let (centre, x) = (&rows.centre[line.cells()][..n], &x[line.cells()][..n]);
    for (k, (out, size)) in out[..n].iter_mut().zip(&mut size[..n]).enumerate() {
        let first = centre[k] * x[k];
        let sums = beside
            .iter()
            .fold([first, first.abs()], |sums, (c, x)| add(sums, c[k] * x[k]));
        [*out, *size] = sums;
    }
    // The cells before and behind, for which whole lines are moved by one.
    for k in 1..n {
        [out[k], size[k]] = add([out[k], size[k]], lower[k - 1] * x[k - 1]);
    }
    for k in 1..n {
        [out[k - 1], size[k - 1]] = add([out[k - 1], size[k - 1]], upper[k - 1] * x[k]);
    }
}

/// Adds to A x and to |A||x| what the gauge contributes.
#[inline(always)]
fn add_shift(shift: [f64; 2], (out, size): (&mut [f64], &mut [f64])) {
    for (row, shift) in [out, size].into_iter().zip(shift) {
        row.iter_mut().for_each(|out| *out += shift);
    }
}

#[inline(always)]
fn add([sum, size]: [f64; 2], term: f64) -> [f64; 2] {
    [sum + term, size + term.abs()]
}

/// r ← b − r.
fn subtract_from(b: ColRef<'_, f64>, r: &mut [f64]) {
    r.iter_mut().zip(b.iter()).for_each(|(r, b)| *r = b - *r);
}

fn sparse(
    m: SparseColMatRef<'_, usize, f64>,
    side: Side,
    x: &[f64],
    (out, size): (&mut [f64], &mut [f64]),
) {
    let (rows, values) = (m.symbolic().row_idx(), m.val());
    let column = |j: usize| {
        let range = m.symbolic().col_range(j);
        rows[range.clone()].iter().zip(&values[range])
    };
    match side {
        Side::Plain => {
            out.fill(0.0);
            size.fill(0.0);
            for (j, x) in x.iter().enumerate() {
                for (&i, a) in column(j) {
                    let term = a * x;
                    out[i] += term;
                    size[i] += term.abs();
                }
            }
        }
        Side::Transpose => {
            for (j, (out, size)) in out.iter_mut().zip(size).enumerate() {
                (*out, *size) = (0.0, 0.0);
                for (&i, a) in column(j) {
                    let term = a * x[i];
                    *out += term;
                    *size += term.abs();
                }
            }
        }
    }
}

/// out ← M X by products of blocks, and likewise size ← |M||X|, for which moduli are taken a panel at a time.
fn dense(m: MatRef<'_, f64>, x: &[f64], out: &mut [f64], (size, room): (&mut [f64], &mut [f64])) {
    let n = m.nrows();
    let columns = x.len().checked_div(n).unwrap_or(0);
    let seen = |v| MatMut::from_column_major_slice_mut(v, n, columns);
    let x = MatRef::from_column_major_slice(x, n, columns);
    matmul(seen(out), Accum::Replace, m, x, 1.0, Par::Seq);
    let (moduli, panel) = room.split_at_mut(n * columns);
    let mut x_moduli = seen(moduli);
    faer::zip!(&mut x_moduli, &x).for_each(|faer::unzip!(y, x)| *y = x.abs());
    let x_moduli = x_moduli.rb();
    let mut size = seen(size);
    size.fill(0.0);
    for first in (0..n).step_by(PANEL) {
        let width = PANEL.min(n - first);
        let mut block = MatMut::from_column_major_slice_mut(&mut panel[..n * width], n, width);
        let part = m.subcols(first, width);
        faer::zip!(&mut block, &part).for_each(|faer::unzip!(y, a)| *y = a.abs());
        let x = x_moduli.subrows(first, width);
        matmul(&mut size, Accum::Add, block.rb(), x, 1.0, Par::Seq);
    }
}
