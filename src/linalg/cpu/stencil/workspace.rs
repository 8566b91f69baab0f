//! Workspace of a solve with interleaved columns: the W values of a cell, one per column, are contiguous.

use crate::linalg::operator::Real;

/// Largest number of interleaved columns.
pub(crate) const WIDEST: usize = 16;

/// Numbers of interleaved columns for which the kernels are compiled.
// The values of one cell fill vector registers: 4 and 8 doubles have 256 and 512 bits, 8 and 16 singles
// likewise. Two columns are half as much work and memory as four.
pub(super) const WIDTHS: [usize; 5] = [1, 2, 4, 8, WIDEST];

/// Returns the smallest entry of [`WIDTHS`] that is at least `columns`.
pub(super) fn width(columns: usize) -> usize {
    let fits = |w: &usize| *w >= columns;
    WIDTHS.into_iter().find(fits).unwrap_or(WIDEST)
}

/// Evaluates an expression with the constant W set to a width that is known only at run time, one of
/// `WIDTHS`.
macro_rules! with_width {
    ($width:expr, $W:ident => $call:expr) => {
        match $width {
            1 => {
                const $W: usize = 1;
                $call
            }
            2 => {
                const $W: usize = 2;
                $call
            }
            4 => {
                const $W: usize = 4;
                $call
            }
            8 => {
                const $W: usize = 8;
                $call
            }
            _ => {
                const $W: usize = $crate::linalg::cpu::stencil::workspace::WIDEST;
                $call
            }
        }
    };
}
pub(crate) use with_width;

/// Views a vector as W interleaved columns.
pub(crate) fn wide_mut<T, const W: usize>(numbers: &mut [T]) -> &mut [[T; W]] {
    numbers.as_chunks_mut().0
}

/// Workspace of one solve: the vectors of the Krylov method and of the preconditioner.
pub(crate) struct Workspace<T> {
    cells: usize,
    lanes: usize,
    /// Vectors of the Krylov method, in double precision.
    pub(crate) exact: Vec<Vec<f64>>,
    /// Result of the preconditioner.
    pub(super) output: Vec<T>,
    /// Argument of the preconditioner. The buffer is empty if a vector of the Krylov method serves instead.
    input: Vec<T>,
    pub(crate) coarse: Coarse<T>,
}

/// Workspace of a V-cycle: a right-hand side and a solution on every level but the finest, and lines of cells.
pub(crate) struct Coarse<T> {
    pub(crate) levels: Vec<[Vec<T>; 2]>,
    /// As many cells as [`lines`](super::pipeline::lines) says.
    pub(crate) row: Vec<T>,
    /// Number of threads that take part.
    pub(crate) threads: usize,
}

/// Size of a workspace: the number of cells of every level from the finest, of the lines that sweeps need, and the
/// number of vectors of the Krylov method.
pub(crate) struct Extent {
    pub(crate) levels: Vec<usize>,
    pub(crate) row: usize,
    pub(crate) vectors: usize,
}

impl Extent {
    fn cells(&self) -> usize {
        self.levels.first().copied().unwrap_or(0)
    }

    /// Returns the size in bytes of a workspace with `lanes` lanes and a preconditioner in the precision of
    /// T.
    pub(super) fn bytes<T: Real>(&self, lanes: usize) -> usize {
        // A V-cycle needs b and x on every coarse level, and a few lines. All coarse levels together have about
        // as many cells as the finest one in one dimension, a third of them in two and a seventh in three.
        let coarse: usize = self.levels.iter().skip(1).sum();
        let exact = self.vectors * self.cells() * size_of::<f64>();
        // The result of the preconditioner, and its argument unless a vector of the Krylov method serves as
        // buffer.
        let fine = if T::ROWS.is_some() { 1 } else { 2 };
        let preconditioner = fine * self.cells() + 2 * coarse + self.row;
        lanes * (exact + size_of::<T>() * preconditioner)
    }
}

impl<T: Real> Workspace<T> {
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
            output: zeros(cells),
            input: zeros(if T::ROWS.is_some() { 0 } else { cells }),
            coarse: Coarse {
                levels: coarse.map(|&n| [zeros(n), zeros(n)]).collect(),
                row: zeros(extent.row),
                threads: 1,
            },
        }
    }

    /// Returns whether the workspace has at least `lanes` lanes.
    pub(super) fn has(&self, lanes: usize) -> bool {
        self.lanes >= lanes
    }

    /// Returns the first K vectors of the Krylov method and the vectors of the preconditioner, as W interleaved
    /// columns.
    pub(super) fn parts<const W: usize, const K: usize>(&mut self) -> Parts<'_, T, W, K> {
        let cells = self.cells;
        let mut exact = self.exact.iter_mut();
        let exact = std::array::from_fn(|_| match exact.next() {
            Some(v) => &mut wide_mut(v)[..cells],
            None => &mut [],
        });
        let input = wide_mut(&mut self.input);
        let length = input.len().min(cells);
        Parts {
            exact,
            output: &mut wide_mut(&mut self.output)[..cells],
            input: &mut input[..length],
            coarse: &mut self.coarse,
        }
    }

    /// Keeps the lanes `keep` of the vectors, in increasing order, and pads them with zeros. The number of
    /// lanes changes from `from` to `to`.
    pub(super) fn narrow(&mut self, from: usize, to: usize, keep: &[usize]) {
        for v in &mut self.exact {
            // This works in place: since `to` ≤ `from` and l ≤ keep[l], every entry moves towards the front,
            // and none is overwritten before it has been read.
            for cell in 0..self.cells {
                for (l, &lane) in keep.iter().enumerate() {
                    v[cell * to + l] = v[cell * from + lane];
                }
                v[cell * to + keep.len()..(cell + 1) * to].fill(0.0);
            }
        }
    }
}

/// Vectors of a workspace, viewed as W interleaved columns.
pub(super) struct Parts<'r, T, const W: usize, const K: usize> {
    pub(super) exact: [&'r mut [[f64; W]]; K],
    pub(super) output: &'r mut [[T; W]],
    pub(super) input: &'r mut [[T; W]],
    pub(super) coarse: &'r mut Coarse<T>,
}

/// Returns the values of the lanes `keep`, in the order of the list, followed by `rest` in all other lanes.
pub(crate) fn select_lanes<V: Copy, const N: usize>(
    values: [V; N],
    keep: &[usize],
    rest: V,
) -> [V; N] {
    std::array::from_fn(|l| keep.get(l).map_or(rest, |&lane| values[lane]))
}
