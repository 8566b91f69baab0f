//! Residual b − A x together with |A||x|, which bounds its rounding errors, without allocations.
//!
//! For m terms, a computed sum Σ aᵢⱼxⱼ differs from the exact one by at most about m ε Σ |aᵢⱼ||xⱼ| (Higham,
//! Accuracy and Stability of Numerical Algorithms, chapter 3). Residuals are therefore judged relative to
//! |A||x|.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::prelude::Reborrow;
use faer::sparse::SparseColMatRef;
use faer::{Accum, ColRef, MatMut, MatRef, Par};

use super::product::scale;
use super::{Line, Operator, Rows, Side, Stencil, View, vectorised, with_sides};

/// Number of columns of a dense matrix whose absolute values are computed at the same time.
const PANEL: usize = 64;

/// Vectors of a residual r = b − A x. The columns of x and r are stored one after another.
pub(crate) struct Residual<'v> {
    pub(crate) x: &'v [f64],
    pub(crate) b: MatRef<'v, f64>,
    pub(crate) r: &'v mut [f64],
    /// Buffer of at least [`magnitude_workspace`](Operator::magnitude_workspace) entries.
    pub(crate) workspace: &'v mut [f64],
}

impl Operator<'_> {
    /// Returns the length of the workspace of [`residual_into`](Operator::residual_into).
    pub(crate) fn magnitude_workspace(&self, columns: usize) -> usize {
        match self.view() {
            // |A||x| and |x| for all columns, and a panel of |A|.
            View::Dense(m) => m.nrows() * (2 * columns + PANEL.min(m.ncols())),
            // |A||x| on one line, and two gauge terms per column.
            View::Stencil(stencil) => stencil.rows(Side::Plain).shape[2] + 2 * columns,
            _ => self.nrows(),
        }
    }

    /// Computes r ← b − A x, and passes r and |A||x| to `each`. The operator must be square.
    ///
    /// The arguments of `each` are a column j, a range of rows, and r and |A||x| in these rows. The ranges of a column
    /// cover all rows once. A x and |A||x| are computed in one pass over the matrix if its entries are stored.
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
        // A x and |A||x| are computed in one pass, which loads every entry once for both, since memory
        // traffic dominates the cost of a product.
        let size = &mut workspace[..n];
        for j in 0..b.ncols() {
            let (x, r) = (&x[j * n..][..n], &mut r[j * n..][..n]);
            self.product_and_size(side, x, (r, size));
            subtract_from(b.col(j), r);
            each(j, 0..n, r, size);
        }
    }

    /// Computes out ← A x and size ← |A||x|.
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
                let column = |v| MatMut::from_column_major_slice_mut(v, n, 1);
                self.apply_into(side, x, column(out));
                self.magnitude_into(side, x, column(size));
            }
        }
    }
}

/// Computes the residuals of a stencil, line by line. The coefficients of a line stay in the cache for all columns.
fn lines(
    stencil: &Stencil,
    side: Side,
    vectors: Residual<'_>,
    mut each: impl FnMut(usize, Range<usize>, &[f64], &[f64]),
) {
    let Residual { x, b, r, workspace } = vectors;
    let (n, columns, rows) = (b.nrows(), b.ncols(), stencil.rows(side));
    // c 11ᵀx has the same value in every row. One sum per column adds the dense term without forming it.
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
            vectorised(
                #[inline(always)]
                || {
                    with_sides!(rows, line_products(rows, line, x, (r, size)));
                    add_shift(*shift, (r, size));
                },
            );
            subtract_from(b.col(j).get(cells.clone()), r);
            each(j, cells.clone(), r, size);
        }
    }
}

/// Returns the contributions c Σ xᵢ and |c| Σ |xᵢ| of a gauge c 11ᵀ to A x and to |A||x|.
fn gauge_terms(c: f64, x: &[f64]) -> [f64; 2] {
    if c == 0.0 {
        return [0.0; 2];
    }
    let sizes = x.iter().map(|x| x.abs());
    [c * x.iter().sum::<f64>(), c.abs() * sizes.sum::<f64>()]
}

/// Computes out ← A x and size ← |A||x| on a line, without the gauge. Terms are added as in `Rows::line_product`.
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
    // The couplings along the line come last, in one loop for the previous and one for the next cell.
    for k in 1..n {
        [out[k], size[k]] = add([out[k], size[k]], lower[k - 1] * x[k - 1]);
    }
    for k in 1..n {
        [out[k - 1], size[k - 1]] = add([out[k - 1], size[k - 1]], upper[k - 1] * x[k]);
    }
}

/// Adds the contributions of the gauge to A x and to |A||x|.
#[inline(always)]
fn add_shift(shift: [f64; 2], (out, size): (&mut [f64], &mut [f64])) {
    for (row, shift) in [out, size].into_iter().zip(shift) {
        row.iter_mut().for_each(|out| *out += shift);
    }
}

/// Adds a term to a sum, and its absolute value to the sum of absolute values.
#[inline(always)]
fn add([sum, size]: [f64; 2], term: f64) -> [f64; 2] {
    [sum + term, size + term.abs()]
}

/// Computes r ← b − r.
fn subtract_from(b: ColRef<'_, f64>, r: &mut [f64]) {
    r.iter_mut().zip(b.iter()).for_each(|(r, b)| *r = b - *r);
}

/// Computes out ← A x and size ← |A||x| for a sparse matrix.
fn sparse(
    m: SparseColMatRef<'_, usize, f64>,
    side: Side,
    x: &[f64],
    (out, size): (&mut [f64], &mut [f64]),
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

/// Computes out ← M X and size ← |M||X| as matrix products. |M| is formed panel by panel in the workspace.
fn dense(
    m: MatRef<'_, f64>,
    x: &[f64],
    out: &mut [f64],
    (size, workspace): (&mut [f64], &mut [f64]),
) {
    let n = m.nrows();
    let columns = x.len().checked_div(n).unwrap_or(0);
    let batch = |v| MatMut::from_column_major_slice_mut(v, n, columns);
    let x = MatRef::from_column_major_slice(x, n, columns);
    matmul(batch(out), Accum::Replace, m, x, 1.0, Par::Seq);
    let (x_abs, panel) = workspace.split_at_mut(n * columns);
    let mut x_abs = batch(x_abs);
    faer::zip!(&mut x_abs, &x).for_each(|faer::unzip!(y, x)| *y = x.abs());
    let x_abs = x_abs.rb();
    let mut size = batch(size);
    // |M||X| = Σ |M_J||X_J| over panels J of columns of M, with the rows J of X. Panels bound
    // the memory for |M|.
    size.fill(0.0);
    for first in (0..n).step_by(PANEL) {
        let width = PANEL.min(n - first);
        let mut block = MatMut::from_column_major_slice_mut(&mut panel[..n * width], n, width);
        let part = m.subcols(first, width);
        faer::zip!(&mut block, &part).for_each(|faer::unzip!(y, a)| *y = a.abs());
        let x = x_abs.subrows(first, width);
        matmul(&mut size, Accum::Add, block.rb(), x, 1.0, Par::Seq);
    }
}
