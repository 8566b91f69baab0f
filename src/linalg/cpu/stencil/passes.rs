//! Passes over planes of a box of cells: sweeps, restrictions and prolongations.

use std::ops::Range;

use super::level::{Level, LineSweep};
use super::window::Window;
use crate::linalg::operator::{LONG, Line, Pieces, Real, Rows};

/// Number of lines of workspace that a pass needs.
pub(crate) const LINES: usize = 2;

/// Pass over a plane. Coarse values belong to aggregates of 2×2×2 cells.
pub(crate) enum Stage<'c, T, const W: usize> {
    /// Sets x ← 0.
    Clear,
    /// Gauss-Seidel sweep within the plane. The sweep starts from the given ends of the second and third axis, true
    /// for the upper end.
    Sweep([bool; 2]),
    /// Adds the sums of b − A x over aggregates to the coarse values.
    Restrict(&'c mut [[T; W]]),
    /// Adds the coarse value of an aggregate to x in all cells of the aggregate.
    Prolong(&'c [[T; W]]),
}

impl<T, const W: usize> Stage<'_, T, W> {
    pub(super) fn is_sweep(&self) -> bool {
        matches!(self, Self::Sweep(_))
    }
}

/// Planes of a pass, which take their turns from the first or, if `descending`, from the last.
#[derive(Clone)]
pub(super) struct Planes {
    pub(super) range: Range<usize>,
    pub(super) descending: bool,
}

/// Part of the cells that one thread changes, with its workspace for `LINES` lines.
pub(super) struct Part<'w, T, const W: usize> {
    pub(super) window: Window<'w, T, W>,
    pub(super) row: &'w mut [[T; W]],
}

/// Equations of a level, for all passes over it.
#[derive(Clone, Copy)]
pub(super) struct Passes<'p, T, const W: usize> {
    pub(super) level: &'p Level<T>,
    pub(super) rows: Rows<'p, T>,
    pub(super) b: &'p [[T; W]],
}

impl<T: Real, const W: usize> Passes<'_, T, W> {
    /// Applies one stage to planes.
    #[inline(always)]
    pub(super) fn apply<const N: usize>(
        self,
        stage: &mut Stage<'_, T, W>,
        planes: Planes,
        part: &mut Part<'_, T, W>,
    ) {
        match stage {
            // The lanes of one cell fill registers, and their chains of operations overlap. With fewer lanes, the
            // chains of two lines do.
            Stage::Sweep(ends) if W < LONG => self.sweep::<N, LINES>(*ends, planes, part),
            Stage::Sweep(ends) => self.sweep::<N, 1>(*ends, planes, part),
            Stage::Clear => {
                let [line] = part.window.lines([self.lines(planes.range)]);
                line.fill([T::ZERO; W]);
            }
            Stage::Restrict(coarse) => {
                let finished = self.finished(planes.range);
                let width = self.rows.shape[2].div_ceil(2);
                let coarse = &mut coarse[finished.start * width..finished.end * width];
                self.restrict::<N>(finished, (part.window.pieces(), coarse), part.row);
            }
            Stage::Prolong(coarse) => {
                for i in planes.range {
                    for j in 0..self.rows.shape[1] {
                        let line = self.rows.line([i, j]);
                        let [x] = part.window.lines([line]);
                        prolong(&coarse[parent_line(self.rows.shape, line.at)..], x);
                    }
                }
            }
        }
    }

    /// Returns all lines of planes as one.
    pub(super) fn lines(self, planes: Range<usize>) -> Line {
        let [_, ny, nz] = self.rows.shape;
        Line {
            at: [planes.start, 0],
            start: planes.start * ny * nz,
            len: planes.len() * ny * nz,
        }
    }

    /// Sweeps over planes, M at a time.
    #[inline(always)]
    fn sweep<const N: usize, const M: usize>(
        self,
        ends: [bool; 2],
        planes: Planes,
        part: &mut Part<'_, T, W>,
    ) {
        let Range { mut start, mut end } = planes.range;
        while start < end {
            let several = end - start >= M;
            let count = if several { M } else { 1 };
            let range = if planes.descending {
                end -= count;
                end..end + count
            } else {
                start += count;
                start - count..start
            };
            let planes = Planes {
                range,
                descending: planes.descending,
            };
            if several {
                self.diagonals::<N, M>(planes, ends, part);
            } else {
                self.diagonals::<N, 1>(planes, ends, part);
            }
        }
    }

    /// Sweeps over M planes at once.
    #[inline(always)]
    fn diagonals<const N: usize, const M: usize>(
        self,
        planes: Planes,
        ends: [bool; 2],
        part: &mut Part<'_, T, W>,
    ) {
        // A cell needs the new values of the previous cell, of the previous line and of the previous plane. Lines
        // whose turns in their planes and planes add up to the same number do not depend on each other. One step
        // sweeps over such a diagonal of lines, so that their recurrences overlap. Every value is computed from the
        // same numbers as in plane after plane.
        let (lines, first, [upper, backwards]) = (self.rows.shape[1], planes.range.start, ends);
        let line = |m: usize, turn: usize| LineSweep {
            rows: self.rows,
            line: self
                .rows
                .line([first + m, if upper { lines - 1 - turn } else { turn }]),
            descending: backwards,
        };
        for step in 0..lines + M - 1 {
            let turn = |m: usize| {
                let lag = if planes.descending { M - 1 - m } else { m };
                step.checked_sub(lag).filter(|&turn| turn < lines)
            };
            let Part { window, row } = &mut *part;
            if step + 1 >= M && step < lines {
                let sweeps = std::array::from_fn(|m| line(m, turn(m).unwrap_or(0)));
                self.level.relax::<W, N, M>(sweeps, self.b, window, row);
                continue;
            }
            for m in 0..M {
                if let Some(turn) = turn(m) {
                    let sweeps = [line(m, turn)];
                    self.level.relax::<W, N, 1>(sweeps, self.b, window, row);
                }
            }
        }
    }

    /// Returns the coarse lines, counted through all planes, of the aggregates whose last plane is one of these.
    pub(super) fn finished(self, planes: Range<usize>) -> Range<usize> {
        let [nx, ny, _] = self.rows.shape;
        let coarse = |plane: usize| {
            if plane == nx {
                nx.div_ceil(2)
            } else {
                plane / 2
            }
        };
        let lines = ny.div_ceil(2);
        coarse(planes.start) * lines..coarse(planes.end) * lines
    }

    /// Adds the sums of b − A x over aggregates to coarse lines, which begin with the first of `lines`.
    #[inline(always)]
    pub(super) fn restrict<const N: usize>(
        self,
        lines: Range<usize>,
        (x, coarse): (Pieces<'_, T, W>, &mut [[T; W]]),
        row: &mut [[T; W]],
    ) {
        // The piecewise constant prolongation P has entries 1, so that Pᵀ sums the residuals of an aggregate. Along a
        // line, cells belong to aggregates in pairs. Up to four lines belong to the same aggregates.
        let [nx, ny, nz] = self.rows.shape;
        let row = &mut row[..nz];
        let across = ny.div_ceil(2);
        for (at, coarse) in lines.zip(coarse.chunks_mut(nz.div_ceil(2))) {
            let [i, j] = [2 * (at / across), 2 * (at % across)];
            for i in i..nx.min(i + 2) {
                for j in j..ny.min(j + 2) {
                    let line = self.rows.line([i, j]);
                    self.rows
                        .line_product::<T, W, N>(line, x, row, |a, x| a * x);
                    let residual = self.b[line.cells()].chunks(2).zip(row.chunks(2));
                    for (sum, (b, ax)) in coarse.iter_mut().zip(residual) {
                        for (b, ax) in b.iter().zip(ax) {
                            for l in 0..W {
                                sum[l] = sum[l] + (b[l] - ax[l]);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Adds s times coarse values to the cells of a line.
#[inline(always)]
fn prolong<T: Real, const W: usize>(coarse: &[[T; W]], x: &mut [[T; W]]) {
    for (c, pair) in coarse.iter().zip(x.chunks_mut(2)) {
        for x in pair {
            for l in 0..W {
                x[l] = x[l] + c[l];
            }
        }
    }
}

/// Returns the first coarse cell of the aggregates that contain the line with the indices `at`.
pub(crate) fn parent_line(shape: [usize; 3], at: [usize; 2]) -> usize {
    let [_, ny, nz] = shape.map(|n| n.div_ceil(2));
    (at[0] / 2 * ny + at[1] / 2) * nz
}
