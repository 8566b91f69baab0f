//! Aggregation multigrid: 2×2×2 cells become one, with piecewise constant Galerkin coarsening.
//!
//! Couplings of a coarse stencil are sums of those of fine faces, so that an M-matrix with given column sums stays
//! one, and the hierarchy of the transpose is the transposed hierarchy.

use std::sync::Arc;

use faer::Mat;
use faer::linalg::solvers::{PartialPivLu, Solve};

use super::sweep::{Corner, Sweeps};
use crate::operator::{Side, Stencil};

/// Levels with no more cells than this are solved by a dense factorisation.
const COARSEST: usize = 130;

/// From these corners, four sweeps follow a flow in any direction before the coarse correction; after it
/// come the four opposite ones.
const CORNERS: [Corner; 4] = [
    [false, false, false],
    [true, false, true],
    [false, true, true],
    [true, true, false],
];

/// A hierarchy of stencils.
pub(super) struct Multigrid {
    levels: Vec<Level>,
    coarsest: PartialPivLu<f64>,
    cells: usize,
    /// Sweeps before the coarse correction; the opposite corners follow it.
    corners: &'static [Corner],
    /// Piecewise constant corrections of a Laplacian are too short by about this factor (Stüben 2001).
    over_correction: f64,
}

struct Level {
    stencil: Arc<Stencil>,
    /// Reciprocals of the diagonal.
    inverse: Vec<f64>,
}

/// Room for one V-cycle, a right-hand side and a solution for every level but the finest.
#[derive(Default)]
pub(super) struct Room<const W: usize>(Vec<[Vec<[f64; W]>; 2]>);

impl Multigrid {
    /// The hierarchy of a stencil; `definite` says that it is symmetric positive definite.
    pub(super) fn new(stencil: &Arc<Stencil>, definite: bool) -> Self {
        let mut levels = Vec::new();
        // How many cells of the finest level every cell holds.
        let mut sizes = vec![1.0; stencil.cells()];
        let mut last = Arc::clone(stencil);
        while last.cells() > COARSEST {
            let coarse = coarsen(&last);
            sizes = restrict_sizes(&last, &coarse, &sizes);
            levels.push(Level::new(last));
            last = Arc::new(coarse);
        }
        let n = last.cells();
        let mut dense = Mat::zeros(n, n);
        let compressed = last.compress();
        for triplet in compressed.triplet_iter() {
            dense[(triplet.row, triplet.col)] = *triplet.val;
        }
        let gauge = stencil.gauge();
        dense += Mat::from_fn(n, n, |i, j| gauge * sizes[i] * sizes[j]);
        Self {
            levels,
            coarsest: PartialPivLu::new(dense.as_ref()),
            cells: n,
            corners: if definite { &CORNERS[..1] } else { &CORNERS },
            over_correction: if definite { 1.6 } else { 1.0 },
        }
    }

    pub(super) fn room<const W: usize>(&self) -> Room<W> {
        let coarser = self.levels.iter().skip(1).map(|l| l.inverse.len());
        let sizes = coarser.chain([self.cells]);
        Room(
            sizes
                .map(|n| [vec![[0.0; W]; n], vec![[0.0; W]; n]])
                .collect(),
        )
    }

    /// x ← one V-cycle for b, from zero.
    pub(super) fn cycle<const W: usize>(
        &self,
        side: Side,
        b: &[[f64; W]],
        x: &mut [[f64; W]],
        room: &mut Room<W>,
    ) {
        self.descend(side, &self.levels, (b, x), &mut room.0);
    }

    fn descend<const W: usize>(
        &self,
        side: Side,
        levels: &[Level],
        (b, x): (&[[f64; W]], &mut [[f64; W]]),
        room: &mut [[Vec<[f64; W]>; 2]],
    ) {
        let (Some((level, coarser)), Some(([coarse_b, coarse_x], rest))) =
            (levels.split_first(), room.split_first_mut())
        else {
            return self.solve_coarsest(side, b, x);
        };
        x.fill([0.0; W]);
        let sweeps = Sweeps::new(&level.stencil, side, &level.inverse);
        for corner in self.corners {
            sweeps.gauss_seidel(*corner, b, x);
        }
        level.restrict_residual(side, b, x, coarse_b);
        self.descend(side, coarser, (coarse_b, coarse_x), rest);
        level.prolong(self.over_correction, coarse_x, x);
        for corner in self.corners.iter().rev() {
            sweeps.gauss_seidel(corner.map(|c| !c), b, x);
        }
    }

    /// Column by column, since dense solves of several at once round otherwise than those of one.
    fn solve_coarsest<const W: usize>(&self, side: Side, b: &[[f64; W]], x: &mut [[f64; W]]) {
        for l in 0..W {
            let mut column = Mat::from_fn(b.len(), 1, |i, _| b[i][l]);
            match side {
                Side::Plain => self.coarsest.solve_in_place(column.as_mut()),
                Side::Transpose => self.coarsest.solve_transpose_in_place(column.as_mut()),
            }
            for (x, solved) in x.iter_mut().zip(column.col_as_slice(0)) {
                x[l] = *solved;
            }
        }
    }
}

impl Level {
    fn new(stencil: Arc<Stencil>) -> Self {
        Self {
            inverse: reciprocals(&stencil),
            stencil,
        }
    }

    /// coarse ← sums of b − A x over aggregates.
    fn restrict_residual<const W: usize>(
        &self,
        side: Side,
        b: &[[f64; W]],
        x: &[[f64; W]],
        coarse: &mut [[f64; W]],
    ) {
        coarse.fill([0.0; W]);
        let mut residual = vec![[0.0; W]; self.stencil.shape[2]];
        for line in self.stencil.couplings(side).lines() {
            residual.copy_from_slice(&b[line.cells()]);
            let parts = (x, &mut residual[..]);
            self.stencil.add_line(side, line, parts, |a, x| -a * x);
            let coarse = &mut coarse[parent_line(&self.stencil, line.at)..];
            for (sum, pair) in coarse.iter_mut().zip(residual.chunks(2)) {
                for r in pair {
                    (0..W).for_each(|l| sum[l] += r[l]);
                }
            }
        }
    }

    /// x ← x + s · the coarse value of the aggregate.
    fn prolong<const W: usize>(&self, s: f64, coarse: &[[f64; W]], x: &mut [[f64; W]]) {
        for line in self.stencil.couplings(Side::Plain).lines() {
            let coarse = &coarse[parent_line(&self.stencil, line.at)..];
            for (c, pair) in coarse.iter().zip(x[line.cells()].chunks_mut(2)) {
                for x in pair {
                    (0..W).for_each(|l| x[l] += s * c[l]);
                }
            }
        }
    }
}

/// 1/d, and 0 where the diagonal is 0: sweeps leave such cells alone.
pub(super) fn reciprocals(stencil: &Stencil) -> Vec<f64> {
    let inverse = |d: &f64| if d.is_normal() { d.recip() } else { 0.0 };
    stencil.diagonal().iter().map(inverse).collect()
}

/// The first coarse cell beneath the line at these indices.
fn parent_line(fine: &Stencil, at: [usize; 2]) -> usize {
    let [_, ny, nz] = fine.shape.map(|n| n.div_ceil(2));
    (at[0] / 2 * ny + at[1] / 2) * nz
}

/// The cells of the next coarser level for all cells of this one, in order.
fn parents(fine: &Stencil) -> impl Iterator<Item = usize> + '_ {
    let lines = fine.couplings(Side::Plain).lines();
    lines.flat_map(|line| {
        let first = parent_line(fine, line.at);
        (0..line.len).map(move |k| first + k / 2)
    })
}

/// The Galerkin stencil of the aggregates.
fn coarsen(fine: &Stencil) -> Stencil {
    let mut coarse = Stencil::new(&fine.shape.map(|n| n.div_ceil(2)));
    let parent: Vec<usize> = parents(fine).collect();
    for (d, p) in fine.centre.iter().zip(&parent) {
        coarse.centre[*p] += d;
    }
    for axis in (0..3).filter(|&d| fine.shape[d] > 1) {
        let (stride, n) = (fine.stride(axis), fine.shape[axis]);
        for (cell, &p) in parent.iter().enumerate() {
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

fn restrict_sizes(fine: &Stencil, coarse: &Stencil, sizes: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; coarse.cells()];
    for (size, p) in sizes.iter().zip(parents(fine)) {
        sums[p] += size;
    }
    sums
}
