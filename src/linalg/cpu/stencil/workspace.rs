//! Room for a solve of interleaved columns: cell by cell, W numbers side by side, one of every column.

use crate::linalg::operator::Real;

/// Most columns side by side.
pub(super) const WIDEST: usize = 16;

/// How many columns stand side by side.
pub(super) const WIDTHS: [usize; 4] = [1, 4, 8, WIDEST];

/// The narrowest width for so many columns.
pub(super) fn width(columns: usize) -> usize {
    let fits = |w: &usize| *w >= columns;
    WIDTHS.into_iter().find(fits).unwrap_or(WIDEST)
}

/// Numbers in groups of W.
pub(super) fn wide_mut<T, const W: usize>(numbers: &mut [T]) -> &mut [[T; W]] {
    numbers.as_chunks_mut().0
}

/// The vectors of one solve.
pub(crate) struct Room<T> {
    cells: usize,
    lanes: usize,
    /// What the iteration computes with.
    pub(crate) exact: Vec<Vec<f64>>,
    /// What comes out of the preconditioner.
    pub(super) rough: [Vec<T>; 2],
    /// What goes into it, unless a vector of the iteration can lend its place.
    input: Vec<T>,
    pub(crate) coarse: Coarse<T>,
}

/// Room for a V-cycle: a right-hand side and a solution for every level but the finest, and a line.
pub(crate) struct Coarse<T> {
    pub(crate) levels: Vec<[Vec<T>; 2]>,
    pub(crate) row: Vec<T>,
}

/// What room is wanted: cells on every level from the finest, cells of the longest line, vectors of the iteration.
pub(crate) struct Extent {
    pub(crate) levels: Vec<usize>,
    pub(crate) line: usize,
    pub(crate) vectors: usize,
}

impl Extent {
    fn cells(&self) -> usize {
        self.levels.first().copied().unwrap_or(0)
    }

    /// Bytes of the room for so many lanes, with numbers of this kind in the preconditioner.
    pub(super) fn bytes<T: Real>(&self, lanes: usize) -> usize {
        let coarse: usize = self.levels.iter().skip(1).sum();
        let exact = self.vectors * self.cells() * size_of::<f64>();
        let rough = if T::ROWS.is_some() { 2 } else { 3 };
        let rough = rough * self.cells() + 2 * coarse + self.line;
        lanes * (exact + size_of::<T>() * rough)
    }
}

impl<T: Real> Room<T> {
    pub(crate) fn new(extent: &Extent, lanes: usize) -> Self {
        let zeros = |cells: usize| vec![T::ZERO; cells * lanes];
        let cells = extent.cells();
        let coarse = extent.levels.iter().skip(1);
        Self {
            cells,
            lanes,
            exact: (0..extent.vectors)
                .map(|_| vec![0.0; cells * lanes])
                .collect(),
            rough: [zeros(cells), zeros(cells)],
            input: zeros(if T::ROWS.is_some() { 0 } else { cells }),
            coarse: Coarse {
                levels: coarse.map(|&n| [zeros(n), zeros(n)]).collect(),
                row: zeros(extent.line),
            },
        }
    }

    /// Whether it has so many lanes or more.
    pub(super) fn has(&self, lanes: usize) -> bool {
        self.lanes >= lanes
    }

    /// Its vectors as W lanes, K of the iteration and those of the preconditioner.
    pub(super) fn parts<const W: usize, const K: usize>(&mut self) -> Parts<'_, T, W, K> {
        let cells = self.cells;
        let mut exact = self.exact.iter_mut();
        let exact = std::array::from_fn(|_| match exact.next() {
            Some(v) => &mut wide_mut(v)[..cells],
            None => &mut [],
        });
        let rough = self.rough.each_mut().map(|v| &mut wide_mut(v)[..cells]);
        let input = wide_mut(&mut self.input);
        let given = input.len().min(cells);
        Parts {
            exact,
            rough,
            input: &mut input[..given],
            coarse: &mut self.coarse,
        }
    }

    /// Keeps these of the lanes, in order, of `from`, and makes them `to` lanes; what is left over is zero.
    pub(super) fn narrow(&mut self, from: usize, to: usize, keep: &[usize]) {
        for v in &mut self.exact {
            // Numbers move towards the front only, so none is overwritten before it has been read.
            for cell in 0..self.cells {
                for (l, &kept) in keep.iter().enumerate() {
                    v[cell * to + l] = v[cell * from + kept];
                }
                v[cell * to + keep.len()..(cell + 1) * to].fill(0.0);
            }
        }
    }
}

/// A room seen as W lanes.
pub(super) struct Parts<'r, T, const W: usize, const K: usize> {
    pub(super) exact: [&'r mut [[f64; W]]; K],
    pub(super) rough: [&'r mut [[T; W]]; 2],
    pub(super) input: &'r mut [[T; W]],
    pub(super) coarse: &'r mut Coarse<T>,
}

/// What these of the lanes have, in order, and `rest` for all others.
pub(crate) fn kept<V: Copy, const N: usize>(values: [V; N], keep: &[usize], rest: V) -> [V; N] {
    std::array::from_fn(|l| keep.get(l).map_or(rest, |&kept| values[kept]))
}
