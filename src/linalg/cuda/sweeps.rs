//! Gauss-Seidel sweeps on a device, by hyperplanes or by colours.
//!
//! In a sweep from a corner, a cell depends on its neighbours that are closer to the corner. If the indices t
//! are counted from the corner, these neighbours lie in the hyperplane t₀ + t₁ + t₂ − 1. The cells of one
//! hyperplane are therefore independent (Lamport 1974), and their parallel update gives the same result as
//! the sequential sweep.
//!
//! In a red-black sweep, the cells whose indices have an even sum come first. All neighbours of a cell have the other
//! colour, so that each colour takes one launch on a grid of any size.

use super::args::{Arg, Corners, Plane, Rows, Shape};
use super::equations::Vectors;
use super::hierarchy::Hierarchy;
use super::passes::{Passes, THREADS};
use super::plan::{across, fits_one_block, group, hyperplanes};
use crate::error::Result;
use crate::linalg::cpu::stencil::multigrid::ENDS;
use crate::linalg::operator::Side;
use crate::linalg::sweep_order::Order;

/// Largest number of threads of a block that runs whole sweeps. It must equal `SWEEPERS` in the kernels.
const MAX_SWEEPERS: u32 = 1024;
/// Number of threads of a warp.
const WARP: u32 = 32;

/// Packs the end of each axis at which a sweep starts, true for the upper end, into the bits of a number.
fn corner(ends: [bool; 3]) -> u32 {
    (0..3).map(|axis| u32::from(ends[axis]) << axis).sum()
}

impl Hierarchy {
    /// Runs the sweeps before a coarse correction.
    pub(super) fn sweeps_before(
        &self,
        passes: &Passes,
        (rows, order): (Rows, Order),
        v: Vectors<'_>,
    ) -> Result<()> {
        match order {
            Order::Corners => {
                let corners = self.corners().map(|[y, z]| corner([false, y, z]));
                self.corner_sweeps(passes, rows, v, &corners.collect::<Vec<_>>())
            }
            Order::RedBlack => self.colour_sweeps(passes, rows, v, 0),
        }
    }

    /// Runs the sweeps after a coarse correction: those before it in reverse order, from the opposite corners or from the
    /// other colour.
    // Each sweep is the adjoint of its partner before the correction, so that the cycle is symmetric for symmetric
    // matrices, as conjugate gradients require.
    pub(super) fn sweeps_after(
        &self,
        passes: &Passes,
        (rows, order): (Rows, Order),
        v: Vectors<'_>,
    ) -> Result<()> {
        match order {
            Order::Corners => {
                let corners = self.corners().map(|[y, z]| corner([true, !y, !z]));
                self.corner_sweeps(passes, rows, v, &corners.rev().collect::<Vec<_>>())
            }
            Order::RedBlack => self.colour_sweeps(passes, rows, v, 1),
        }
    }

    /// Returns the ends of the second and third axis at which the sweeps before a coarse correction start.
    fn corners(&self) -> impl DoubleEndedIterator<Item = [bool; 2]> {
        ENDS.into_iter().take(self.plan.sweeps())
    }

    fn corner_sweeps(
        &self,
        passes: &Passes,
        rows: Rows,
        v: Vectors<'_>,
        corners: &[u32],
    ) -> Result<()> {
        // On coarse levels, hyperplanes are too small to fill the device, and launches dominate the run time.
        // One block then runs a sweep over all hyperplanes, with a barrier after each. Lanes are independent,
        // so that other blocks process other lanes.
        if fits_one_block(rows.shape, passes.shift) {
            return self.sweep_small(passes, rows, v, corners);
        }
        corners
            .iter()
            .try_for_each(|corner| self.sweep(passes, rows, v, *corner))
    }

    /// Runs red-black sweeps that begin with the colour `first`.
    fn colour_sweeps(&self, passes: &Passes, rows: Rows, v: Vectors<'_>, first: u32) -> Result<()> {
        let halves = 2 * self.plan.sweeps() as u32;
        (first..first + halves).try_for_each(|half| self.relax_colour(passes, rows, v, half % 2))
    }

    /// Relaxes the cells of one colour: 0 for indices with an even sum, 1 for those with an odd sum.
    pub(super) fn relax_colour(
        &self,
        passes: &Passes,
        rows: Rows,
        v: Vectors<'_>,
        colour: u32,
    ) -> Result<()> {
        let args = [
            Arg::Rows(rows),
            Arg::Pointer(v.b),
            Arg::Pointer(v.x),
            Arg::Count(colour),
            Arg::Count(passes.shift),
        ];
        let kernel = self.plan.width.of(["relax_colour_f", "relax_colour_d"]);
        passes.over(kernel, rows.cells.div_ceil(2), &args)
    }

    /// Runs whole sweeps from the given corners, with one block per group of lanes.
    fn sweep_small(
        &self,
        passes: &Passes,
        rows: Rows,
        v: Vectors<'_>,
        corners: &[u32],
    ) -> Result<()> {
        let group = group(passes.shift);
        let threads = (across(rows.shape) << group).next_multiple_of(WARP);
        let shape = Shape {
            blocks: (1 << (passes.shift - group), 1),
            threads: (threads.min(MAX_SWEEPERS), 1),
        };
        let args = [
            Arg::Rows(rows),
            Arg::Pointer(v.b),
            Arg::Pointer(v.x),
            Arg::Corners(Corners::new(corners)),
            Arg::Count(group),
            Arg::Count(passes.shift),
        ];
        let kernel = self.plan.width.of(["relax_small_f", "relax_small_d"]);
        // SAFETY: the arguments are those of `relax_small`; the level's vectors have one entry per cell and
        // lane, and its coefficient arrays one per cell.
        unsafe { passes.device.launch(kernel, shape, &args) }
    }

    /// Runs one Gauss-Seidel sweep with one launch per hyperplane, over all lanes of its cells.
    pub(super) fn sweep(
        &self,
        passes: &Passes,
        rows: Rows,
        v: Vectors<'_>,
        corner: u32,
    ) -> Result<()> {
        let kernel = self.plan.width.of(["relax_f", "relax_d"]);
        let last = rows.shape.map(|n| n - 1);
        let total = last.iter().sum();
        // Kernels in one stream run in order: a hyperplane starts when the previous one is complete. No other
        // synchronisation is needed.
        for plane in 0..=total {
            // t₁ + t₂ = plane − t₀ is at most (n₁ − 1) + (n₂ − 1), which bounds t₀ from below.
            let first = u32::saturating_sub(plane, last[1] + last[2]);
            let count = plane.min(last[0]) - first + 1;
            let widest = rows.shape[1].min(rows.shape[2]);
            // Near either end of the diagonal, a hyperplane has fewer cells along an axis.
            let widest = widest.min(plane + 1).min(total - plane + 1);
            let shape = Shape {
                blocks: ((widest << passes.shift).div_ceil(THREADS), count),
                threads: (THREADS, 1),
            };
            let plane = Plane {
                plane,
                first,
                corner,
            };
            let args = [
                Arg::Rows(rows),
                Arg::Pointer(v.b),
                Arg::Pointer(v.x),
                Arg::Plane(plane),
                Arg::Count(passes.shift),
            ];
            // SAFETY: the arguments are those of `relax`; the level's vectors have one entry per cell and
            // lane, and its coefficient arrays one per cell.
            unsafe { passes.device.launch(kernel, shape, &args) }?;
        }
        Ok(())
    }

    /// Runs one sweep on the finest level, from the first corner or from the first colour. Does nothing if the finest
    /// level is the coarsest.
    pub(super) fn sweep_finest(
        &self,
        passes: &Passes,
        (side, order): (Side, Order),
        v: Vectors<'_>,
    ) -> Result<()> {
        let Some(finest) = self.levels.first() else {
            return Ok(());
        };
        let rows = finest.rows(side);
        match order {
            Order::Corners => self.sweep(passes, rows, v, 0),
            Order::RedBlack => {
                (0..2).try_for_each(|colour| self.relax_colour(passes, rows, v, colour))
            }
        }
    }

    /// Returns the number of launches of a sweep on the finest level.
    pub(super) fn launches_a_sweep(&self, order: Order) -> usize {
        match order {
            Order::Corners => hyperplanes(self.plan.shape),
            Order::RedBlack => 2,
        }
    }
}
