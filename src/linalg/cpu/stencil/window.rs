//! Parts of a vector that one thread changes while other threads change other parts.

use std::mem::take;

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

    /// Creates a window on cells from `first` on, with the cells before and after them.
    pub(super) fn between(
        before: &'w [[T; W]],
        (first, cells): (usize, &'w mut [[T; W]]),
        after: &'w [[T; W]],
    ) -> Self {
        Self {
            before,
            first,
            cells,
            after,
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
}
