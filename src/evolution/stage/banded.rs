//! Banded systems, factorised once for many right-hand sides.

use super::lanes::{on_lanes, scale, spread, subtract_back};
use crate::linalg::{Side, vectorised};

/// Number of diagonals below and above the main one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Band {
    pub(super) lower: usize,
    pub(super) upper: usize,
}

impl Band {
    /// Row length of the storage. Row i holds the columns from i − lower on. Row exchanges add `lower` diagonals.
    fn width(self) -> usize {
        2 * self.lower + self.upper + 1
    }

    /// Returns the place of an entry in the storage.
    pub(super) fn place(self, row: usize, column: usize) -> usize {
        row * self.width() + self.lower + column - row
    }

    /// Returns the length of the storage of n × n matrices.
    pub(super) fn len(self, n: usize) -> usize {
        n * self.width()
    }
}

/// LU factorisation with row pivoting of a banded matrix.
///
/// The steps are those of LAPACK's `gbtrf`. As in a dense factorisation, the rows of U are divided by their pivots.
pub(super) struct BandedLu {
    n: usize,
    band: Band,
    /// The matrix, and then U.
    rows: Vec<f64>,
    /// Factors of the eliminations, `band.lower` for every column.
    factors: Vec<f64>,
    reciprocals: Vec<f64>,
    pivots: Vec<usize>,
    /// Number of diagonals of U above the main one.
    reach: usize,
    /// Whether rows were exchanged.
    exchanged: bool,
}

impl BandedLu {
    /// Creates the memory for n × n matrices.
    pub(super) fn new(n: usize, band: Band) -> Self {
        Self {
            n,
            band,
            rows: vec![0.0; band.len(n)],
            factors: vec![0.0; n * band.lower],
            reciprocals: vec![0.0; n],
            pivots: vec![0; n],
            reach: 0,
            exchanged: false,
        }
    }

    /// Factorises the matrix that `write` writes to a storage of zeros. Returns whether all pivots are regular.
    pub(super) fn set(&mut self, write: impl FnOnce(&mut [f64])) -> bool {
        self.rows.fill(0.0);
        write(&mut self.rows);
        vectorised(
            #[inline(always)]
            || self.factorise(),
        )
    }

    #[inline(always)]
    fn factorise(&mut self) -> bool {
        let (n, Band { lower, upper }) = (self.n, self.band);
        let width = self.band.width();
        self.reach = upper;
        for k in 0..n {
            let below = lower.min(n - 1 - k);
            let pivot = self.pivot(k, below);
            self.pivots[k] = pivot;
            // Row i stores column k at place k − i of the part from its diagonal on, and one place earlier in every row below.
            let length = (self.reach.max(pivot - k + upper) + 1).min(n - k);
            self.reach = self.reach.max(pivot - k + upper);
            if pivot != k {
                let (above, rows) = self.rows.split_at_mut(pivot * width);
                let first = k * width + lower;
                let other = lower - (pivot - k);
                above[first..first + length].swap_with_slice(&mut rows[other..other + length]);
            }
            let (above, rows) = self.rows.split_at_mut((k + 1) * width);
            let upper_row = &mut above[k * width + lower..][..length];
            let reciprocal = 1.0 / upper_row[0];
            if !(reciprocal.is_finite() && reciprocal != 0.0) {
                return false;
            }
            self.reciprocals[k] = reciprocal;
            let factors = &mut self.factors[k * lower..k * lower + below];
            let rows = rows.chunks_exact_mut(width).zip(factors).enumerate();
            for (i, (row, factor)) in rows {
                let row = &mut row[lower - 1 - i..][..length];
                *factor = row[0] * reciprocal;
                if *factor != 0.0 {
                    let rest = row[1..].iter_mut().zip(&upper_row[1..]);
                    rest.for_each(|(x, u)| *x -= *factor * u);
                }
            }
            upper_row[1..].iter_mut().for_each(|u| *u *= reciprocal);
        }
        self.exchanged = self.pivots.iter().enumerate().any(|(k, pivot)| k != *pivot);
        true
    }

    /// Returns the row of the largest entry of column k among row k and those below.
    #[inline(always)]
    fn pivot(&self, k: usize, below: usize) -> usize {
        let (mut pivot, mut largest) = (k, 0.0);
        for row in k..=k + below {
            let size = self.rows[self.band.place(row, k)].abs();
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

    /// Returns the rows of U without their diagonal.
    #[inline(always)]
    fn upper_rows(&self) -> impl DoubleEndedIterator<Item = &[f64]> + ExactSizeIterator {
        let (first, reach) = (self.band.lower + 1, self.reach);
        let rows = self.rows.chunks_exact(self.band.width());
        rows.map(move |row| &row[first..first + reach])
    }

    /// Returns the factors of the eliminations of column k.
    #[inline(always)]
    fn factors(&self, k: usize) -> &[f64] {
        &self.factors[k * self.band.lower..(k + 1) * self.band.lower]
    }

    #[inline(always)]
    fn solve_plain<const L: usize>(&self, x: &mut [[f64; L]]) {
        for k in 0..self.n {
            if self.exchanged {
                x.swap(k, self.pivots[k]);
            }
            let (known, rest) = x.split_at_mut(k + 1);
            spread(self.factors(k), &known[k], rest);
        }
        scale(&self.reciprocals, x);
        for (k, row) in self.upper_rows().enumerate().rev() {
            let (rest, known) = x.split_at_mut(k + 1);
            // The unknown that was computed last comes last, so that the other terms need not wait for it.
            let known = &known[..row.len().min(known.len())];
            subtract_back(&row[..known.len()], known, &mut rest[k]);
        }
    }

    #[inline(always)]
    fn solve_transposed<const L: usize>(&self, x: &mut [[f64; L]]) {
        for (k, row) in self.upper_rows().enumerate() {
            let (known, rest) = x.split_at_mut(k + 1);
            spread(row, &known[k], rest);
        }
        scale(&self.reciprocals, x);
        for k in (0..self.n).rev() {
            let (rest, known) = x.split_at_mut(k + 1);
            let known = &known[..self.band.lower.min(known.len())];
            subtract_back(&self.factors(k)[..known.len()], known, &mut rest[k]);
            if self.exchanged {
                x.swap(k, self.pivots[k]);
            }
        }
    }
}
