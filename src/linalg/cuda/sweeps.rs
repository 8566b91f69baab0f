//! Gauss-Seidel sweeps on a device, by hyperplanes.
//!
//! In a sweep from a corner, a cell depends on its neighbours that are closer to the corner. If the indices t
//! are counted from the corner, these neighbours lie in the hyperplane t₀ + t₁ + t₂ − 1. The cells of one
//! hyperplane are therefore independent (Lamport 1974), and their parallel update gives the same result as
//! the sequential sweep.

use super::args::{Arg, Corners, Plane, Rows, Shape};
use super::equations::Vectors;
use super::hierarchy::Hierarchy;
use super::passes::{Passes, THREADS};
use crate::error::Result;
use crate::linalg::cpu::stencil::multigrid::{ENDS, ends};
use crate::linalg::operator::Side;

/// Largest number of unknowns per hyperplane and group of lanes for which one block runs whole sweeps. A barrier
/// between the threads of a block takes less time than the launch of a kernel for the next hyperplane.
const MAX_AT_ONCE: u32 = 4096;
/// Binary logarithm of the largest number of lanes per block. One memory access transfers as many entries.
const MAX_GROUPED: u32 = 2;
/// Largest number of threads of a block that runs whole sweeps. It must equal `SWEEPERS` in the kernels.
const MAX_SWEEPERS: u32 = 1024;
/// Number of threads of a warp.
const WARP: u32 = 32;

/// Returns an upper bound on the number of cells in a hyperplane.
fn across([a, b, c]: [u32; 3]) -> u32 {
    // A hyperplane has at most one cell for every pair of indices along the two shorter axes. The bound saturates at
    // 2²⁰, far above `MAX_AT_ONCE`, so that a shift by the group does not overflow.
    let longest = a.max(b).max(c);
    let product = u64::from(a) * u64::from(b) * u64::from(c) / u64::from(longest.max(1));
    u32::try_from(product).map_or(1 << 20, |n| n.min(1 << 20))
}

/// Returns the binary logarithm of the number of lanes per block, for blocks that run whole sweeps.
fn group(passes: &Passes) -> u32 {
    passes.shift.min(MAX_GROUPED)
}

impl Hierarchy {
    /// Runs the sweeps before a coarse correction, or those after it. The latter start from the opposite
    /// corners, in reverse order.
    pub(super) fn sweeps(
        &self,
        passes: &Passes,
        rows: Rows,
        v: Vectors<'_>,
        after: bool,
    ) -> Result<()> {
        let count = ends(self.plan.definite).len();
        let mut corners = [0; ENDS.len()];
        for (corner, [y, z]) in corners.iter_mut().zip(ENDS) {
            let ends = if after { [true, !y, !z] } else { [false, y, z] };
            *corner = (0..3).map(|axis| u32::from(ends[axis]) << axis).sum();
        }
        let corners = &mut corners[..count];
        if after {
            corners.reverse();
        }
        // On coarse levels, hyperplanes are too small to fill the device, and launches dominate the run time.
        // One block then runs a sweep over all hyperplanes, with a barrier after each. Lanes are independent,
        // so that other blocks process other lanes.
        if across(rows.shape) << group(passes) <= MAX_AT_ONCE {
            return self.sweep_small(passes, rows, v, corners);
        }
        corners
            .iter()
            .try_for_each(|corner| self.sweep(passes, rows, v, *corner))
    }

    /// Runs whole sweeps from the given corners, with one block per group of lanes.
    fn sweep_small(
        &self,
        passes: &Passes,
        rows: Rows,
        v: Vectors<'_>,
        corners: &[u32],
    ) -> Result<()> {
        let group = group(passes);
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

    /// Runs one sweep on the finest level. Does nothing if the finest level is the coarsest.
    pub(super) fn sweep_finest(
        &self,
        passes: &Passes,
        side: Side,
        v: Vectors<'_>,
        corner: u32,
    ) -> Result<()> {
        match self.levels.first() {
            Some(finest) => self.sweep(passes, finest.rows(side), v, corner),
            None => Ok(()),
        }
    }

    /// Returns the number of hyperplanes of the finest level, which is the number of launches of a sweep.
    pub(super) fn hyperplanes(&self) -> usize {
        let last = self.plan.shape.map(|n| n as usize - 1);
        last.iter().sum::<usize>() + 1
    }
}
