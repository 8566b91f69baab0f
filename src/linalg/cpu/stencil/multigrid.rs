//! Aggregation multigrid: 2×2×2 cells become one, with piecewise constant Galerkin coarsening.
//!
//! Couplings of a coarse stencil are sums of those of fine faces, so that an M-matrix with given column sums stays
//! one, and the hierarchy of the transpose is the transposed hierarchy.

use std::sync::Arc;

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::{Mat, Par};

use super::level::{Level, reciprocals};
use super::pipeline;
use super::pipeline::{Stage, parent_line};
use super::workspace::{Coarse, wide_mut};
use crate::linalg::cpu::checked::Direct;
use crate::linalg::dense::DenseLu;
use crate::linalg::operator::{Line, Real, Side, Stencil, vectorised};

/// Levels with no more cells than this are solved by a dense inverse.
pub(crate) const COARSEST: usize = 130;

/// Four sweeps from these ends of the second and third axis, all from the lower end of the first, stand before the
/// coarse correction, and the four opposite ones after it: all eight corners, so that some sweep follows a flow
/// wherever it goes, and both fours in one pass over the memory.
pub(crate) const ENDS: [[bool; 2]; 4] =
    [[false, false], [true, true], [false, true], [true, false]];

/// Piecewise constant corrections of a Laplacian are too short by about this factor (Stüben 2001).
pub(crate) const OVER_CORRECTION: f64 = 1.6;

/// A hierarchy of stencils.
pub(crate) struct Multigrid<T> {
    pub(crate) levels: Vec<Level<T>>,
    /// The inverse on the coarsest level, by rows.
    coarsest: Vec<T>,
    cells: usize,
    /// Where there is no flow to follow, one sweep there and one back are enough.
    pub(crate) definite: bool,
}

impl<T: Real> Multigrid<T> {
    /// The hierarchy of a stencil times `unit`; `definite` says that it is symmetric positive definite.
    pub(crate) fn new(stencil: &Arc<Stencil>, definite: bool, unit: f64) -> Self {
        Self::down_to(COARSEST, stencil, definite, unit)
    }

    /// The same with no more than so many cells on the coarsest level.
    pub(crate) fn down_to(
        coarsest: usize,
        stencil: &Arc<Stencil>,
        definite: bool,
        unit: f64,
    ) -> Self {
        let mut levels = Vec::new();
        // How many cells of the finest level every cell holds.
        let mut sizes = vec![1.0; stencil.cells()];
        let mut last = Arc::clone(stencil);
        while last.cells() > coarsest {
            let parents = parents(&last);
            let coarse = coarsen(&last, &parents);
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

    /// Cells of every level, from the finest.
    pub(crate) fn cells(&self) -> Vec<usize> {
        let finer = self.levels.iter().map(Level::cells);
        finer.chain([self.cells]).collect()
    }

    /// x ← one V-cycle for b, from zero.
    pub(crate) fn cycle<const W: usize>(
        &self,
        side: Side,
        (b, x): (&[[T; W]], &mut [[T; W]]),
        room: &mut Coarse<T>,
    ) {
        let row = wide_mut(&mut room.row);
        self.descend((side, &self.levels), (b, x), (&mut room.levels, row));
    }

    fn descend<const W: usize>(
        &self,
        (side, levels): (Side, &[Level<T>]),
        (b, x): (&[[T; W]], &mut [[T; W]]),
        (room, row): (&mut [[Vec<T>; 2]], &mut [[T; W]]),
    ) {
        let (Some((level, coarser)), Some(([coarse_b, coarse_x], rest))) =
            (levels.split_first(), room.split_first_mut())
        else {
            return vectorised(|| self.solve_coarsest(side, b, x));
        };
        let cells = coarser.first().map_or(self.cells, Level::cells);
        let coarse_b = &mut wide_mut(coarse_b)[..cells];
        let coarse_x = &mut wide_mut(coarse_x)[..cells];
        coarse_b.fill([T::ZERO; W]);
        let [p, q, r, s] = ENDS.map(Stage::Sweep);
        let last = Stage::Restrict(coarse_b);
        let down = (level, side, false);
        if self.definite {
            pipeline::run(down, (b, x), &mut [Stage::Clear, p, last], row);
        } else {
            let stages = &mut [Stage::Clear, p, q, r, s, last];
            pipeline::run(down, (b, x), stages, row);
        }
        self.descend((side, coarser), (coarse_b, coarse_x), (rest, row));
        let [p, q, r, s] = ENDS.map(|ends| Stage::Sweep(ends.map(|end| !end)));
        let up = (level, side, true);
        if self.definite {
            let first = Stage::Prolong(T::nearest(OVER_CORRECTION), coarse_x);
            pipeline::run(up, (b, x), &mut [first, p], row);
        } else {
            let first = Stage::Prolong(T::nearest(1.0), coarse_x);
            pipeline::run(up, (b, x), &mut [first, s, r, q, p], row);
        }
    }

    #[inline(always)]
    fn solve_coarsest<const W: usize>(&self, side: Side, b: &[[T; W]], x: &mut [[T; W]]) {
        let n = self.cells;
        for (i, x) in x.iter_mut().enumerate() {
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

/// By rows, the inverse of a stencil times `unit`, with the gauge of the finest level and the cells that every cell holds.
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
    dense += Mat::from_fn(n, n, |i, j| gauge * sizes[i] * sizes[j]);
    // On one thread: whoever asks may hold what other threads wait for.
    let lu = DenseLu::by(dense.as_ref(), Par::Seq);
    let mut inverse = Mat::identity(n, n);
    let mut scratch = MemBuffer::new(lu.scratch(n));
    lu.solve(Side::Plain, inverse.as_mut(), MemStack::new(&mut scratch));
    let by_rows = (0..n * n).map(|at| T::nearest(inverse[(at / n, at % n)] / unit));
    by_rows.collect()
}

/// The cells of the next coarser level for all cells of this one, in order.
fn parents(fine: &Stencil) -> Vec<usize> {
    let rows = fine.rows(Side::Plain);
    let line = |line: Line| {
        let first = parent_line(rows.shape, line.at);
        (0..line.len).map(move |k| first + k / 2)
    };
    rows.lines().flat_map(line).collect()
}

/// The Galerkin stencil of the aggregates.
fn coarsen(fine: &Stencil, parents: &[usize]) -> Stencil {
    let mut coarse = Stencil::new(&fine.shape.map(|n| n.div_ceil(2)));
    for (d, p) in fine.centre.iter().zip(parents) {
        coarse.centre[*p] += d;
    }
    for axis in (0..3).filter(|&d| fine.shape[d] > 1) {
        let (stride, n) = (fine.stride(axis), fine.shape[axis]);
        for (cell, &p) in parents.iter().enumerate() {
            let index = cell / stride % n;
            if index + 1 == n {
                continue;
            }
            let (up, down) = (fine.up[axis][cell], fine.down[axis][cell]);
            if index % 2 == 0 {
                coarse.centre[p] += up + down;
            } else {
                coarse.up[axis][p] += up;
                coarse.down[axis][p] += down;
            }
        }
    }
    coarse
}

fn restrict_sizes(parents: &[usize], cells: usize, sizes: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; cells];
    for (size, p) in sizes.iter().zip(parents) {
        sums[*p] += size;
    }
    sums
}
