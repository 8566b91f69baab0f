//! Products with stencil matrices for interleaved columns.

use std::ops::Range;

use super::blocks::{BLOCK, plus, sum_blocks};
use super::rows::{Pieces, Real, Rows, vectorised, with_sides};
use super::{Side, Stencil};

impl Stencil {
    /// Computes out ← A x or Aᵀ x for interleaved columns. Calls `each` with every line of the result while
    /// the line is in the cache.
    pub(crate) fn product<S: Real, const W: usize>(
        &self,
        side: Side,
        (x, out): (&[[S; W]], &mut [[f64; W]]),
        each: impl FnMut(Range<usize>, &mut [[f64; W]]),
    ) {
        let rows = self.rows(side);
        let sum = RowSum {
            term: |c: f64, x: S| c * x.into(),
            shift: self.gauge_term(x, self.gauge(), |x| x),
        };
        vectorised(
            #[inline(always)]
            || with_sides!(rows, product::<_, _, _, W>(rows, (x, out), sum, each)),
        );
    }

    /// Computes out ← A x or Aᵀ x as [`product`](Stencil::product) does, on all threads, and K sums per lane. `each` adds
    /// the terms of every line to them.
    pub(crate) fn product_with_sums<S: Real, const W: usize, const K: usize>(
        &self,
        side: Side,
        (x, out): (&[[S; W]], &mut [[f64; W]]),
        each: impl Fn(Range<usize>, &mut [[f64; W]], &mut [[f64; W]; K]) + Sync,
    ) -> [[f64; W]; K] {
        let rows = self.rows(side);
        let shift = self.gauge_term(x, self.gauge(), |x| x);
        let [nx, ny, _] = rows.shape;
        let block = |range: Range<usize>, out: &mut [[f64; W]]| {
            let lines = Lines { rows, range };
            let sum = RowSum {
                term: |c: f64, x: S| c * x.into(),
                shift,
            };
            let mut sums = [[0.0; W]; K];
            vectorised(
                #[inline(always)]
                || {
                    let each = (
                        #[inline(always)]
                        |cells: Range<usize>, out: &mut [[f64; W]]| each(cells, out, &mut sums),
                    );
                    with_sides!(
                        rows,
                        block_product::<_, _, _, W>(lines, (x, out), sum, each.0)
                    );
                },
            );
            sums
        };
        share(0..nx * ny, out, &block)
    }

    /// Computes out ← |A||x| or |Aᵀ||x|.
    pub(crate) fn magnitude<const W: usize>(
        &self,
        side: Side,
        (x, out): (&[[f64; W]], &mut [[f64; W]]),
    ) {
        let rows = self.rows(side);
        let sum = RowSum {
            term: |c: f64, x: f64| c.abs() * x.abs(),
            shift: self.gauge_term(x, self.gauge().abs(), f64::abs),
        };
        vectorised(
            #[inline(always)]
            || with_sides!(rows, product::<_, _, _, W>(rows, (x, out), sum, |_, _| ())),
        );
    }

    /// Returns c Σ size(xᵢ) for every column.
    fn gauge_term<S: Real, const W: usize>(
        &self,
        x: &[[S; W]],
        c: f64,
        size: impl Fn(f64) -> f64 + Sync,
    ) -> [f64; W] {
        // c 11ᵀ x = c (Σ xᵢ) 1 adds the same value to all rows. A + c 11ᵀ is non-singular if the null vector
        // of A has a non-zero sum. If 1ᵀA = 0, then 1ᵀ(A + c 11ᵀ)x = cN Σx, so that the solution has the sum
        // Σb/(cN), whatever A is.
        if c == 0.0 {
            return [0.0; W];
        }
        let [total] = sum_blocks(x, &|x| {
            let mut total = [0.0; W];
            for x in x {
                (0..W).for_each(|l| total[l] += size(x[l].into()));
            }
            [total]
        });
        total.map(|t| c * t)
    }
}

/// Sum Σⱼ term(aᵢⱼ, xⱼ) + shift of a row i.
struct RowSum<F, const W: usize> {
    term: F,
    /// Contribution of the gauge, which is the same for all rows.
    shift: [f64; W],
}

/// Computes out ← Σ term(aᵢⱼ, xⱼ) + shift, line by line, and passes every line to `each`.
#[inline(always)]
fn product<
    S: Real,
    F: Fn(f64, S) -> f64,
    E: FnMut(Range<usize>, &mut [[f64; W]]),
    const W: usize,
    const N: usize,
>(
    rows: Rows<'_, f64>,
    (x, out): (&[[S; W]], &mut [[f64; W]]),
    sum: RowSum<F, W>,
    each: E,
) {
    let range = 0..rows.shape[0] * rows.shape[1];
    block_product::<S, F, E, W, N>(Lines { rows, range }, (x, out), sum, each);
}

/// Consecutive lines of a matrix.
struct Lines<'l> {
    rows: Rows<'l, f64>,
    range: Range<usize>,
}

/// Computes out ← Σ term(aᵢⱼ, xⱼ) + shift on consecutive lines, and passes every line to `each`.
#[inline(always)]
fn block_product<
    S: Real,
    F: Fn(f64, S) -> f64,
    E: FnMut(Range<usize>, &mut [[f64; W]]),
    const W: usize,
    const N: usize,
>(
    Lines { rows, range }: Lines<'_>,
    (x, out): (&[[S; W]], &mut [[f64; W]]),
    RowSum { term, shift }: RowSum<F, W>,
    mut each: E,
) {
    let [_, ny, nz] = rows.shape;
    for (i, row) in range.zip(out.chunks_mut(nz)) {
        let line = rows.line([i / ny, i % ny]);
        rows.line_product::<S, W, N>(line, Pieces::whole(x), row, &term);
        // The gauge is added after the couplings, as the last term of every row.
        if shift != [0.0; W] {
            for out in row.iter_mut() {
                (0..W).for_each(|l| out[l] += shift[l]);
            }
        }
        each(line.cells(), row);
    }
}

/// Calls `block` for blocks of lines and adds the sums that it returns, in pairs, pairs of pairs, and so on.
fn share<const W: usize, const K: usize>(
    lines: Range<usize>,
    out: &mut [[f64; W]],
    block: &(impl Fn(Range<usize>, &mut [[f64; W]]) -> [[f64; W]; K] + Sync),
) -> [[f64; W]; K] {
    let count = lines.len();
    if out.len() <= BLOCK || count < 2 {
        return block(lines, out);
    }
    let middle = lines.start + count / 2;
    let (lower, upper) = out.split_at_mut(out.len() / count * (count / 2));
    let (sums, others) = rayon::join(
        || share(lines.start..middle, lower, block),
        || share(middle..lines.end, upper, block),
    );
    plus(sums, others)
}
