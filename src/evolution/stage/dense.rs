//! Dense systems, factorised once for many right-hand sides.

use super::lanes::{on_lanes, scale, spread, subtract, subtract_back};
use crate::linalg::Side;

/// LU factorisation with row pivoting of a dense matrix, by rows.
///
/// A = PL R⁻¹ U, where L and U have ones on the diagonal and R is the diagonal of `reciprocals`. A division or product with a
/// pivot in U would stand between the unknowns, which are computed one after the other.
pub(super) struct Lu {
    n: usize,
    lu: Vec<f64>,
    reciprocals: Vec<f64>,
    pivots: Vec<usize>,
}

impl Lu {
    /// Creates the memory for n × n matrices.
    pub(super) fn new(n: usize) -> Self {
        Self {
            n,
            lu: vec![0.0; n * n],
            reciprocals: vec![0.0; n],
            pivots: vec![0; n],
        }
    }

    /// Factorises D − a J with diagonal D, where J has its columns one after the other. Returns whether all pivots are regular.
    pub(super) fn set(&mut self, d: &[f64], a: f64, j: &[f64]) -> bool {
        let n = self.n;
        for (column, j) in j.chunks_exact(n).enumerate() {
            for (row, j) in self.lu.chunks_exact_mut(n).zip(j) {
                row[column] = -a * j;
            }
        }
        for (row, (entries, d)) in self.lu.chunks_exact_mut(n).zip(d).enumerate() {
            entries[row] += d;
        }
        vectorised_factorise(self)
    }

    #[inline(always)]
    fn factorise(&mut self) -> bool {
        let n = self.n;
        for k in 0..n {
            let pivot = self.pivot(k);
            self.pivots[k] = pivot;
            if pivot != k {
                let (above, below) = self.lu.split_at_mut(pivot * n);
                above[k * n..(k + 1) * n].swap_with_slice(&mut below[..n]);
            }
            let (above, below) = self.lu.split_at_mut((k + 1) * n);
            let upper = &above[k * n + k..];
            let reciprocal = 1.0 / upper[0];
            if !(reciprocal.is_finite() && reciprocal != 0.0) {
                return false;
            }
            self.reciprocals[k] = reciprocal;
            for row in below.chunks_exact_mut(n) {
                let factor = row[k] * reciprocal;
                row[k] = factor;
                if factor != 0.0 {
                    let rest = row[k + 1..].iter_mut().zip(&upper[1..]);
                    rest.for_each(|(x, u)| *x -= factor * u);
                }
            }
        }
        let rows = self.lu.chunks_exact_mut(n).zip(&self.reciprocals);
        for (k, (row, reciprocal)) in rows.enumerate() {
            row[k + 1..].iter_mut().for_each(|u| *u *= reciprocal);
        }
        true
    }

    /// Returns the row of the largest entry of column k from row k on.
    fn pivot(&self, k: usize) -> usize {
        let (mut pivot, mut largest) = (k, 0.0);
        for (row, entries) in self.lu.chunks_exact(self.n).enumerate().skip(k) {
            let size = entries[k].abs();
            if size > largest {
                (pivot, largest) = (row, size);
            }
        }
        pivot
    }

    /// Solves with the matrix or its transpose.
    pub(super) fn solve<const L: usize>(&self, side: Side, x: &mut [[f64; L]]) {
        on_lanes::<L, _>(
            #[inline(always)]
            || match side {
                Side::Plain => self.solve_plain(x),
                Side::Transpose => self.solve_transposed(x),
            },
        );
    }

    #[inline(always)]
    fn solve_plain<const L: usize>(&self, x: &mut [[f64; L]]) {
        let (n, lu) = (self.n, &self.lu);
        (0..n).for_each(|k| x.swap(k, self.pivots[k]));
        for (i, row) in lu.chunks_exact(n).enumerate() {
            let (known, rest) = x.split_at_mut(i);
            subtract(&row[..i], known, &mut rest[0]);
        }
        scale(&self.reciprocals, x);
        for (i, row) in lu.chunks_exact(n).enumerate().rev() {
            let (rest, known) = x.split_at_mut(i + 1);
            subtract_back(&row[i + 1..], known, &mut rest[i]);
        }
    }

    #[inline(always)]
    fn solve_transposed<const L: usize>(&self, x: &mut [[f64; L]]) {
        let (n, lu) = (self.n, &self.lu);
        for (i, row) in lu.chunks_exact(n).enumerate() {
            let (rest, later) = x.split_at_mut(i + 1);
            spread(&row[i + 1..], &rest[i], later);
        }
        scale(&self.reciprocals, x);
        for (i, row) in lu.chunks_exact(n).enumerate().rev() {
            let (earlier, rest) = x.split_at_mut(i);
            spread(&row[..i], &rest[0], earlier);
        }
        (0..n).rev().for_each(|k| x.swap(k, self.pivots[k]));
    }
}

/// Factorises with the widest vector instructions if the rows are long.
fn vectorised_factorise(lu: &mut Lu) -> bool {
    if lu.n < 8 {
        lu.factorise()
    } else {
        crate::linalg::vectorised(
            #[inline(always)]
            || lu.factorise(),
        )
    }
}
