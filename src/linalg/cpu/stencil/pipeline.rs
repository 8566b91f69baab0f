//! Several passes over a box of cells in one: each follows the one before it at a distance of one plane.
//!
//! A pass over a plane needs the plane ahead as the pass before has left it, and the plane behind as it has left it
//! itself. Following by one plane it finds both, so the result has the bits of one pass after the other, and the
//! planes are still in the cache.

use super::level::{Corner, Level};
use crate::linalg::operator::{Line, Real, Rows, Side, vectorised, with_sides};

/// What is done to every plane. The coarse values are those of aggregates of 2×2×2 cells.
pub(crate) enum Stage<'c, T, const W: usize> {
    /// x ← 0.
    Clear,
    /// A Gauss-Seidel sweep within the plane from these ends of the second and third axis.
    Sweep([bool; 2]),
    /// coarse ← coarse + sums of b − A x over aggregates.
    Restrict(&'c mut [[T; W]]),
    /// x ← x + s · coarse value of the aggregate.
    Prolong(T, &'c [[T; W]]),
}

/// Passes over x, from the first plane to the last or the other way.
pub(crate) fn run<T: Real, const W: usize>(
    (level, side, descending): (&Level<T>, Side, bool),
    (b, x): (&[[T; W]], &mut [[T; W]]),
    stages: &mut [Stage<'_, T, W>],
    row: &mut [[T; W]],
) {
    let rows = level.rows(side);
    let planes = Planes {
        level,
        rows,
        b,
        x,
        row,
    };
    vectorised(|| with_sides!(rows, passes::<T, W>(planes, descending, stages)));
}

/// One Gauss-Seidel sweep from a corner.
pub(crate) fn sweep<T: Real, const W: usize>(
    (level, side, corner): (&Level<T>, Side, Corner),
    vectors: (&[[T; W]], &mut [[T; W]]),
    row: &mut [[T; W]],
) {
    let [x, rest @ ..] = corner;
    run((level, side, x), vectors, &mut [Stage::Sweep(rest)], row);
}

struct Planes<'p, T, const W: usize> {
    level: &'p Level<T>,
    rows: Rows<'p, T>,
    b: &'p [[T; W]],
    x: &'p mut [[T; W]],
    /// Room for a line.
    row: &'p mut [[T; W]],
}

#[inline(always)]
fn passes<T: Real, const W: usize, const N: usize>(
    mut planes: Planes<'_, T, W>,
    descending: bool,
    stages: &mut [Stage<'_, T, W>],
) {
    let count = planes.rows.shape[0];
    for step in 0..count + stages.len() - 1 {
        for (lag, stage) in stages.iter_mut().enumerate() {
            if let Some(i) = step.checked_sub(lag).filter(|&i| i < count) {
                let i = if descending { count - 1 - i } else { i };
                planes.pass::<N>(i, stage);
            }
        }
    }
}

impl<T: Real, const W: usize> Planes<'_, T, W> {
    #[inline(always)]
    fn pass<const N: usize>(&mut self, i: usize, stage: &mut Stage<'_, T, W>) {
        let lines = self.rows.shape[1];
        for j in 0..lines {
            let line = self.rows.line([i, j]);
            match stage {
                Stage::Clear => self.x[line.cells()].fill([T::ZERO; W]),
                Stage::Sweep([upper, descending]) => {
                    let j = if *upper { lines - 1 - j } else { j };
                    let line = (self.rows, self.rows.line([i, j]), *descending);
                    self.level.relax::<W, N>(line, self.b, self.x, self.row);
                }
                Stage::Restrict(coarse) => self.restrict::<N>(line, coarse),
                Stage::Prolong(s, coarse) => self.prolong(line, *s, coarse),
            }
        }
    }

    #[inline(always)]
    fn restrict<const N: usize>(&mut self, line: Line, coarse: &mut [[T; W]]) {
        let row = &mut self.row[..line.len];
        self.rows
            .line_product::<T, W, N>(line, self.x, row, |a, x| a * x);
        let coarse = &mut coarse[parent_line(self.rows.shape, line.at)..];
        let residual = self.b[line.cells()].chunks(2).zip(row.chunks(2));
        for (sum, (b, ax)) in coarse.iter_mut().zip(residual) {
            for (b, ax) in b.iter().zip(ax) {
                for l in 0..W {
                    sum[l] = sum[l] + (b[l] - ax[l]);
                }
            }
        }
    }

    #[inline(always)]
    fn prolong(&mut self, line: Line, s: T, coarse: &[[T; W]]) {
        let coarse = &coarse[parent_line(self.rows.shape, line.at)..];
        for (c, pair) in coarse.iter().zip(self.x[line.cells()].chunks_mut(2)) {
            for x in pair {
                for l in 0..W {
                    x[l] = x[l] + s * c[l];
                }
            }
        }
    }
}

/// The first coarse cell beneath the line at these indices of a box of this shape.
pub(super) fn parent_line(shape: [usize; 3], at: [usize; 2]) -> usize {
    let [_, ny, nz] = shape.map(|n| n.div_ceil(2));
    (at[0] / 2 * ny + at[1] / 2) * nz
}
