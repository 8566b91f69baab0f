//! Pipelined passes over a box of cells: several passes share one traversal, each one plane behind the previous pass.
//!
//! A pass over plane i needs plane i + 1 as the previous pass left it, and plane i − 1 as this pass left it.
//! A lag of one plane provides both. The result is therefore bitwise identical to that of separate passes,
//! while the planes are still in the cache.

use super::level::{Corner, Level, LineSweep};
use crate::linalg::operator::{Line, Real, Rows, Side, vectorised, with_sides};

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

/// Passes over a level for A or Aᵀ, with their vectors.
pub(crate) struct Pipeline<'p, T, const W: usize> {
    level: &'p Level<T>,
    rows: Rows<'p, T>,
    b: &'p [[T; W]],
    x: &'p mut [[T; W]],
    /// Workspace for one line of cells.
    row: &'p mut [[T; W]],
}

#[inline(always)]
fn passes<T: Real, const W: usize, const N: usize>(
    mut pipeline: Pipeline<'_, T, W>,
    descending: bool,
    stages: &mut [Stage<'_, T, W>],
) {
    // At each step, stage number `lag` is at plane step − lag. The last stage reaches the last plane at step
    // count + stages − 2. With s stages a step reads s + 2 neighbouring planes. If these fit into the cache,
    // x, b and the coefficients are loaded from memory once instead of s times. Memory bandwidth limits the
    // speed of sweeps.
    let count = pipeline.rows.shape[0];
    for step in 0..count + stages.len() - 1 {
        for (lag, stage) in stages.iter_mut().enumerate() {
            if let Some(i) = step.checked_sub(lag).filter(|&i| i < count) {
                let i = if descending { count - 1 - i } else { i };
                pipeline.pass::<N>(i, stage);
            }
        }
    }
}

impl<'p, T: Real, const W: usize> Pipeline<'p, T, W> {
    /// Prepares passes that read b and x and change x. `row` is workspace for a line.
    pub(crate) fn new(
        level: &'p Level<T>,
        side: Side,
        (b, x): (&'p [[T; W]], &'p mut [[T; W]]),
        row: &'p mut [[T; W]],
    ) -> Self {
        Self {
            level,
            rows: level.rows(side),
            b,
            x,
            row,
        }
    }

    /// Applies all stages to x, from the first plane to the last, or in descending order.
    pub(crate) fn run(self, descending: bool, stages: &mut [Stage<'_, T, W>]) {
        let rows = self.rows;
        vectorised(|| with_sides!(rows, passes::<T, W>(self, descending, stages)));
    }

    /// Performs one Gauss-Seidel sweep from a corner.
    pub(crate) fn sweep(self, corner: Corner) {
        let [x, rest @ ..] = corner;
        self.run(x, &mut [Stage::Sweep(rest)]);
    }

    #[inline(always)]
    fn pass<const N: usize>(&mut self, i: usize, stage: &mut Stage<'_, T, W>) {
        let lines = self.rows.shape[1];
        for j in 0..lines {
            let line = self.rows.line([i, j]);
            match stage {
                Stage::Clear => self.x[line.cells()].fill([T::ZERO; W]),
                Stage::Sweep([upper, descending]) => {
                    let j = if *upper { lines - 1 - j } else { j };
                    let sweep = LineSweep {
                        rows: self.rows,
                        line: self.rows.line([i, j]),
                        descending: *descending,
                    };
                    self.level.relax::<W, N>(sweep, self.b, self.x, self.row);
                }
                Stage::Restrict(coarse) => self.restrict::<N>(line, coarse),
                Stage::Prolong(coarse) => self.prolong(line, coarse),
            }
        }
    }

    #[inline(always)]
    fn restrict<const N: usize>(&mut self, line: Line, coarse: &mut [[T; W]]) {
        let row = &mut self.row[..line.len];
        self.rows
            .line_product::<T, W, N>(line, self.x, row, |a, x| a * x);
        // The piecewise constant prolongation P has entries 1, so that Pᵀ sums the residuals of an aggregate.
        // Along a line, cells belong to aggregates in pairs. Other lines add the other pairs of an aggregate.
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
    fn prolong(&mut self, line: Line, coarse: &[[T; W]]) {
        let coarse = &coarse[parent_line(self.rows.shape, line.at)..];
        for (c, pair) in coarse.iter().zip(self.x[line.cells()].chunks_mut(2)) {
            for x in pair {
                for l in 0..W {
                    x[l] = x[l] + c[l];
                }
            }
        }
    }
}

/// Returns the first coarse cell of the aggregates that contain the line with the indices `at`.
pub(super) fn parent_line(shape: [usize; 3], at: [usize; 2]) -> usize {
    let [_, ny, nz] = shape.map(|n| n.div_ceil(2));
    (at[0] / 2 * ny + at[1] / 2) * nz
}
