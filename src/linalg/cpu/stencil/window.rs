//! Parts of a vector that one thread changes while other threads change other parts.

use std::mem::take;
use std::ops::Range;

use crate::linalg::operator::{Line, Pieces};

/// Consecutive cells that one thread may change, and cells before and after them that it may read.
pub(super) struct Window<'w, T, const W: usize> {
    before: &'w [[T; W]],
    /// Index of the first cell of the part that may change.
    first: usize,
    cells: &'w mut [[T; W]],
    after: &'w [[T; W]],
}

impl<'w, T, const W: usize> Window<'w, T, W> {
    /// Creates a window that is open on a whole vector.
    pub(super) fn whole(cells: &'w mut [[T; W]]) -> Self {
        Self {
            before: &[],
            first: 0,
            cells,
            after: &[],
        }
    }

    /// Returns the values of all cells that may be read.
    #[inline(always)]
    pub(super) fn pieces(&self) -> Pieces<'_, T, W> {
        Pieces {
            before: self.before,
            first: self.first,
            cells: self.cells,
            after: self.after,
        }
    }

    /// Returns the values of lines, which must be in the order of their cells.
    #[inline(always)]
    pub(super) fn lines<const M: usize>(&mut self, lines: [Line; M]) -> [&mut [[T; W]]; M] {
        let (mut rest, mut passed) = (&mut *self.cells, self.first);
        let mut values = std::array::from_fn(|_| Default::default());
        for m in 0..M {
            let Line { start, len, .. } = lines[m];
            let (cells, after) = take(&mut rest).split_at_mut(start + len - passed);
            values[m] = &mut cells[start - passed..];
            (rest, passed) = (after, start + len);
        }
        values
    }

    /// Closes the window up to a cell, and returns the values of the cells before it, for a window that was open from
    /// the first cell on.
    pub(super) fn leave(&mut self, cell: usize) -> &'w [[T; W]] {
        let (left, cells) = take(&mut self.cells).split_at_mut(cell - self.first);
        (self.before, self.first, self.cells) = (left, cell, cells);
        self.before
    }

    /// Splits the window at a range of cells that both parts may read and neither may change.
    pub(super) fn split(self, shared: Range<usize>) -> [Self; 2] {
        let end = self.first + self.cells.len();
        let [from, to] = [shared.start, shared.end].map(|cell| cell.clamp(self.first, end));
        let (lower, rest) = self.cells.split_at_mut(from - self.first);
        let (shared, upper) = rest.split_at_mut(to - from);
        let shared: &[[T; W]] = shared;
        // A part at an end of the window keeps what stands beyond that end.
        let after = if from < end { shared } else { self.after };
        let before = if to > self.first { shared } else { self.before };
        let lower = Self {
            before: self.before,
            first: self.first,
            cells: lower,
            after,
        };
        let upper = Self {
            before,
            first: to,
            cells: upper,
            after: self.after,
        };
        [lower, upper]
    }
}
