//! Aggregation multigrid: 2×2×2 cells form one coarse cell, with piecewise constant prolongation.
//!
//! Couplings of a coarse stencil are sums of the couplings across fine faces, or of parts of them. The coarse stencil
//! of an M-matrix is therefore an M-matrix, whose column sums are the sums of the fine ones. The hierarchy of the
//! transpose is the transposed hierarchy.

use std::sync::Arc;

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::{Mat, Par};

use super::coarsening::{coarsen, least_share, parents, restrict_sizes};
use super::level::{Level, reciprocals};
use super::pipeline::{LINES, Pipeline, Stage};
use super::workspace::{Coarse, wide_mut};
use crate::linalg::cpu::checked::Direct;
use crate::linalg::dense::DenseLu;
use crate::linalg::operator::{Real, Side, Stencil, vectorised};

/// Largest number of cells on a level that is solved by a dense inverse.
pub(crate) const COARSEST: usize = 130;

/// Ends of the second and third axis at which the four sweeps before a coarse correction start; true is the upper end.
///
/// All four start at the lower end of the first axis. The four sweeps after the correction start at the opposite
/// corners. Together they start at all eight corners, so that some sweep follows a flow in any direction. Each group
/// of four takes one pass over the memory. A symmetric matrix has no flow to follow, so that the first pair, of opposite
/// sweeps, is enough.
pub(crate) const ENDS: [[bool; 2]; 4] =
    [[false, false], [true, true], [false, true], [true, false]];

/// Hierarchy of stencils for a multigrid cycle.
pub(crate) struct Multigrid<T> {
    pub(crate) levels: Vec<Level<T>>,
    /// Inverse of the matrix on the coarsest level, row by row.
    coarsest: Vec<T>,
    /// Number of cells of the coarsest level.
    cells: usize,
    /// Whether the matrix is symmetric positive definite. Without a flow to follow, two sweeps before the coarse
    /// correction and two after it are enough.
    pub(crate) definite: bool,
}

impl<T: Real> Multigrid<T> {
    /// Builds the hierarchy of a stencil times `unit`. `definite` means that the matrix is symmetric positive definite.
    pub(crate) fn new(stencil: &Arc<Stencil>, definite: bool, unit: f64) -> Self {
        Self::down_to(COARSEST, stencil, definite, unit)
    }

    /// Builds the hierarchy down to a level with at most `coarsest` cells.
    pub(crate) fn down_to(
        coarsest: usize,
        stencil: &Arc<Stencil>,
        definite: bool,
        unit: f64,
    ) -> Self {
        let least = least_share(stencil, definite);
        let mut levels = Vec::new();
        // Number of cells of the finest level in every cell of the current level.
        let mut sizes = vec![1.0; stencil.cells()];
        let mut last = Arc::clone(stencil);
        // With d axes, a level has about 2⁻ᵈ times the cells of the next finer one. Both the construction of
        // the hierarchy and a V-cycle therefore cost O(N) operations.
        while last.cells() > coarsest {
            let parents = parents(&last);
            let coarse = coarsen(&last, &parents, least);
            // The sum of a prolonged x over the finest cells is sᵀx with s = Pᵀ1. On a coarse level the gauge
            // is thus c s sᵀ. It is added on the coarsest level only, where the matrix is dense anyway.
            sizes = restrict_sizes(&parents, coarse.cells(), &sizes);
            levels.push(Level::new(&last, &reciprocals(&last), unit));
            last = Arc::new(coarse);
        }
        Self {
            coarsest: inverse(&last, (stencil.gauge(), &sizes), unit),
            cells: last.cells(),
            levels,
            definite,
        }
    }

    /// Returns the number of cells of each level, from the finest to the coarsest.
    pub(crate) fn cells(&self) -> Vec<usize> {
        let finer = self.levels.iter().map(Level::cells);
        finer.chain([self.cells]).collect()
    }

    /// Sets x to the result of one V-cycle for A x = b that starts from x = 0.
    pub(crate) fn cycle<const W: usize>(
        &self,
        side: Side,
        (b, x): (&[[T; W]], &mut [[T; W]]),
        coarse: &mut Coarse<T>,
    ) {
        let mut cycle = Cycle {
            multigrid: self,
            side,
            row: wide_mut(&mut coarse.row),
            threads: coarse.threads,
        };
        cycle.run(&self.levels, &mut coarse.levels, b, x);
    }

    #[inline(always)]
    fn solve_coarsest<const W: usize>(&self, side: Side, b: &[[T; W]], x: &mut [[T; W]]) {
        let n = self.cells;
        for (i, x) in x.iter_mut().enumerate() {
            // Row i of the inverse begins at i n. Row i of its transpose is column i.
            let (first, stride) = match side {
                Side::Plain => (i * n, 1),
                Side::Transpose => (i, n),
            };
            let mut sum = [T::ZERO; W];
            for (c, b) in self.coarsest[first..].iter().step_by(stride).zip(b) {
                for l in 0..W {
                    sum[l] = sum[l] + *c * b[l];
                }
            }
            *x = sum;
        }
    }
}

/// Data of a V-cycle for A or Aᵀ.
struct Cycle<'c, T, const W: usize> {
    multigrid: &'c Multigrid<T>,
    side: Side,
    /// Workspace for `LINES` lines of cells for every thread.
    row: &'c mut [[T; W]],
    threads: usize,
}

impl<T: Real, const W: usize> Cycle<'_, T, W> {
    /// Sets x to the result of one V-cycle for A x = b on `levels` that starts from x = 0. `coarse` holds a
    /// right-hand side and a solution for each coarser level.
    fn run(
        &mut self,
        levels: &[Level<T>],
        coarse: &mut [[Vec<T>; 2]],
        b: &[[T; W]],
        x: &mut [[T; W]],
    ) {
        let (multigrid, side) = (self.multigrid, self.side);
        let (Some((level, coarser)), Some(([coarse_b, coarse_x], rest))) =
            (levels.split_first(), coarse.split_first_mut())
        else {
            return vectorised(
                #[inline(always)]
                || multigrid.solve_coarsest(side, b, x),
            );
        };
        let cells = coarser.first().map_or(multigrid.cells, Level::cells);
        let coarse_b = &mut wide_mut(coarse_b)[..cells];
        let coarse_x = &mut wide_mut(coarse_x)[..cells];
        coarse_b.fill([T::ZERO; W]);
        let [p, q, r, s] = ENDS.map(Stage::Sweep);
        let last = Stage::Restrict(coarse_b);
        let line = level.rows(side).shape[2];
        let row = (LINES * line * self.threads).min(self.row.len());
        let down = Pipeline::new(level, side, (b, &mut *x), &mut self.row[..row]);
        if multigrid.definite {
            down.run(false, &mut [Stage::Clear, p, q, last]);
        } else {
            down.run(false, &mut [Stage::Clear, p, q, r, s, last]);
        }
        // The coarser levels are visited once (V-cycle). By itself, a cycle with piecewise constant
        // prolongation would converge more slowly with every refinement of the grid. Within a Krylov method
        // it needs 7, 9 and 13 iterations on 32³, 64³ and 128³ cells for a Lorenz generator
        // (benches/RESULTS.md).
        self.run(coarser, rest, coarse_b, coarse_x);
        // The sweeps after the correction are those before it in reverse order and from opposite corners.
        // Each sweep is then the adjoint of its partner, so that the cycle is symmetric for symmetric
        // matrices, as conjugate gradients require.
        let [p, q, r, s] = ENDS.map(|ends| Stage::Sweep(ends.map(|end| !end)));
        let up = Pipeline::new(level, side, (b, x), &mut self.row[..row]);
        let first = Stage::Prolong(coarse_x);
        if multigrid.definite {
            up.run(true, &mut [first, q, p]);
        } else {
            up.run(true, &mut [first, s, r, q, p]);
        }
    }
}

/// Returns the inverse, row by row, of a coarse stencil times `unit`, including the gauge c 11ᵀ of the finest
/// level.
///
/// `sizes` holds the number of finest cells in every coarse cell.
pub(crate) fn inverse<T: Real>(
    stencil: &Stencil,
    (gauge, sizes): (f64, &[f64]),
    unit: f64,
) -> Vec<T> {
    let n = stencil.cells();
    let mut dense = Mat::zeros(n, n);
    for triplet in stencil.compress().triplet_iter() {
        dense[(triplet.row, triplet.col)] = *triplet.val;
    }
    // Pᵀ c 11ᵀ P = c s sᵀ, where P is the prolongation from the coarsest to the finest level, with the column
    // sums s = `sizes`.
    dense += Mat::from_fn(n, n, |i, j| gauge * sizes[i] * sizes[j]);
    // This runs on one thread. The caller may hold a lock for which other threads wait, so that waiting for
    // these threads could cause a deadlock.
    let lu = DenseLu::by(dense.as_ref(), Par::Seq);
    let mut inverse = Mat::identity(n, n);
    let mut scratch = MemBuffer::new(lu.scratch(n));
    lu.solve(Side::Plain, inverse.as_mut(), MemStack::new(&mut scratch));
    // A product with the inverse takes as many operations as two triangular solves, but has no recurrence,
    // and serves both A and Aᵀ. Its error of the order κε is harmless in a preconditioner.
    let by_rows = (0..n * n).map(|at| T::nearest(inverse[(at / n, at % n)] / unit));
    by_rows.collect()
}
