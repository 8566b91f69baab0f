//! Reduction of tall matrices with few columns to triangles, row block by row block.

use std::ops::Range;

use faer::{Mat, MatRef};
use rayon::prelude::*;

use super::least_squares;
use crate::linalg::vectorised;
use crate::vector::norm;

/// Rows that are reflected at once. With up to eight columns they stay in the first cache.
pub(super) const BLOCK: usize = 256;

/// Rows that one thread reduces. The number is fixed, so that results do not depend on the number of threads.
const SHARE: usize = 1 << 15;

/// Number of partial sums of an inner product, as many as fill the vector units.
const LANES: usize = 8;

/// Rows [A | b] of a least-squares problem: some columns of a matrix, and b.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) matrix: MatRef<'a, f64>,
    /// Columns of the matrix that belong to A.
    pub(crate) kept: &'a [usize],
    pub(crate) b: &'a [f64],
}

impl<'a> Rows<'a> {
    /// Returns column j of [A | b], unless it is strided.
    #[inline]
    fn column(&self, j: usize) -> Option<&'a [f64]> {
        match self.kept.get(j) {
            None => Some(self.b),
            Some(&column) => Some(self.matrix.col(column).try_as_col_major()?.as_slice()),
        }
    }

    /// Appends these rows of column j of [A | b] to `out`, times `scale`.
    #[inline]
    pub(super) fn append(&self, j: usize, scale: f64, range: Range<usize>, out: &mut Vec<f64>) {
        match self.column(j) {
            Some(column) => out.extend(column[range].iter().map(|x| x * scale)),
            None => out.extend(range.map(|i| self.matrix[(i, self.kept[j])] * scale)),
        }
    }
}

/// Triangle [R | c] of the rows [A | b] that it has taken up, with ‖A x + b‖² = ‖R x + c‖² + const, in buffers that are used
/// again.
#[derive(Default)]
pub(crate) struct Triangle {
    columns: usize,
    /// Rows of [R | c] one after the other, with zeros left of the diagonal.
    entries: Vec<f64>,
    /// Next rows of [A | b], column by column.
    block: Vec<f64>,
}

impl Triangle {
    /// Empties the triangle for this number of columns.
    pub(crate) fn clear(&mut self, columns: usize) {
        self.columns = columns;
        self.entries.clear();
        self.entries.resize(columns * (columns + 1), 0.0);
    }

    /// Appends column j of [R | c] to `out`.
    pub(super) fn append(&self, j: usize, out: &mut Vec<f64>) {
        out.extend(self.entries.iter().skip(j).step_by(self.columns + 1));
    }

    /// Takes up the rows [A diag(s) | b], on all threads if there are many.
    pub(crate) fn take(&mut self, rows: Rows<'_>, scale: &[f64]) {
        let count = rows.b.len();
        if count <= SHARE {
            self.take_part(rows, scale, (0, count));
            return;
        }
        // The triangles of all shares are rows themselves (Demmel, Grigori, Hoemmen and Langou 2012).
        let columns = self.columns;
        let parts = (0..count.div_ceil(SHARE)).into_par_iter().map(|share| {
            let mut part = Self::default();
            part.clear(columns);
            part.take_part(
                rows,
                scale,
                (share * SHARE, ((share + 1) * SHARE).min(count)),
            );
            part
        });
        for part in parts.collect::<Vec<_>>() {
            self.block.clear();
            (0..=columns).for_each(|j| part.append(j, &mut self.block));
            self.reflect(columns);
        }
    }

    /// Takes up the rows from `first` to before `end`.
    fn take_part(&mut self, rows: Rows<'_>, scale: &[f64], (first, end): (usize, usize)) {
        for start in (first..end).step_by(BLOCK) {
            let range = start..(start + BLOCK).min(end);
            self.block.clear();
            for (j, s) in scale.iter().chain(&[1.0]).enumerate() {
                rows.append(j, *s, range.clone(), &mut self.block);
            }
            self.reflect(range.len());
        }
    }

    /// Sets the triangle to that of a matrix [A | b] with any number of columns.
    pub(crate) fn set(&mut self, augmented: Mat<f64>) {
        self.columns = augmented.ncols() - 1;
        let triangle = least_squares::triangle(augmented);
        self.entries.clear();
        for i in 0..self.columns {
            self.entries.extend(triangle.row(i).iter());
        }
    }

    /// Reflects the block with this number of rows into the triangle.
    fn reflect(&mut self, height: usize) {
        let (width, columns) = (self.columns + 1, self.columns);
        let (entries, block) = (&mut self.entries, &mut self.block);
        vectorised(
            #[inline(always)]
            || {
                for j in 0..columns {
                    let row = &mut entries[j * width..(j + 1) * width];
                    let (left, right) = block.split_at_mut((j + 1) * height);
                    let below = &left[j * height..];
                    let square = lane_dot(below, below);
                    if square == 0.0 {
                        continue;
                    }
                    // v = (r + sign(r) ℓ, y) with ℓ² = r² + ‖y‖² reflects the column (r, y) to (−sign(r) ℓ, 0):
                    // (I − 2vvᵀ/vᵀv) with vᵀv = 2(ℓ² + |r| ℓ). All rows of the triangle but the j-th stay as they are.
                    let length = (row[j] * row[j] + square).sqrt().copysign(row[j]);
                    let head = row[j] + length;
                    let half_square = length * head;
                    row[j] = -length;
                    for (entry, column) in
                        row[j + 1..].iter_mut().zip(right.chunks_exact_mut(height))
                    {
                        let share = (head * *entry + lane_dot(below, column)) / half_square;
                        *entry -= share * head;
                        column
                            .iter_mut()
                            .zip(below)
                            .for_each(|(y, v)| *y -= share * v);
                    }
                }
            },
        );
    }
}

/// Returns the norm of column j of A, which may come in several parts.
pub(super) fn column_norm(parts: &[Rows<'_>], j: usize) -> f64 {
    let copied = |part: &Rows<'_>| {
        let mut column = Vec::new();
        part.append(j, 1.0, 0..part.b.len(), &mut column);
        column
    };
    let square = |part: &Rows<'_>| match part.column(j) {
        Some(column) => long_dot(column, column),
        None => {
            let column = copied(part);
            long_dot(&column, &column)
        }
    };
    let square: f64 = parts.iter().map(square).sum();
    // The square may overflow or underflow where the norm does not.
    match square.is_normal() {
        true => square.sqrt(),
        false => norm(&parts.iter().flat_map(copied).collect::<Vec<_>>()),
    }
}

/// Returns ⟨a, b⟩, on all threads if the vectors are long.
pub(crate) fn long_dot(a: &[f64], b: &[f64]) -> f64 {
    if a.len() <= SHARE {
        return vectorised(
            #[inline(always)]
            || lane_dot(a, b),
        );
    }
    let shares = a.par_chunks(SHARE).zip(b.par_chunks(SHARE));
    let sums = shares.map(|(a, b)| {
        vectorised(
            #[inline(always)]
            || lane_dot(a, b),
        )
    });
    sums.collect::<Vec<_>>().iter().sum()
}

/// Returns ⟨a, b⟩ by several partial sums.
#[inline(always)]
pub(super) fn lane_dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest
}
