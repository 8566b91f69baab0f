//! Gauss-Seidel sweeps on a device, hyperplane by hyperplane.

use super::args::{Arg, Corners, Plane, Rows, Shape};
use super::equations::Vectors;
use super::hierarchy::Hierarchy;
use super::passes::{Passes, THREADS};
use crate::error::Result;
use crate::linalg::cpu::stencil::multigrid::ENDS;
use crate::linalg::operator::Side;

/// Where a hyperplane has no more numbers than these, for the lanes that are taken together, blocks sweep by themselves:
/// to wait for one's own threads takes less time than to send the next hyperplane.
const MAX_AT_ONCE: u32 = 4096;
/// 2 to this power lanes are taken together: as many as one access to memory brings.
const MAX_GROUPED: u32 = 2;
/// Threads of such a block, and how many run in step.
const MAX_SWEEPERS: u32 = 1024;
const WARP: u32 = 32;

/// Cells of the widest hyperplane, at most.
fn across([a, b, c]: [u32; 3]) -> u32 {
    let longest = a.max(b).max(c);
    let product = u64::from(a) * u64::from(b) * u64::from(c) / u64::from(longest.max(1));
    u32::try_from(product).map_or(1 << 20, |n| n.min(1 << 20))
}

impl Hierarchy {
    /// The sweeps before a coarse correction, or those after it, from the opposite corners and in the opposite order.
    pub(super) fn sweeps(
        &self,
        passes: &Passes,
        rows: Rows,
        v: Vectors<'_>,
        after: bool,
    ) -> Result<()> {
        let count = if self.plan.definite { 1 } else { ENDS.len() };
        let mut corners = [0; ENDS.len()];
        for (corner, [y, z]) in corners.iter_mut().zip(ENDS) {
            let ends = if after { [true, !y, !z] } else { [false, y, z] };
            *corner = (0..3).map(|axis| u32::from(ends[axis]) << axis).sum();
        }
        let corners = &mut corners[..count];
        if after {
            corners.reverse();
        }
        let group = passes.shift.min(MAX_GROUPED);
        if across(rows.shape) << group <= MAX_AT_ONCE {
            return self.sweep_small(passes, rows, v, (corners, group));
        }
        corners
            .iter()
            .try_for_each(|corner| self.sweep(passes, rows, v, *corner))
    }

    /// Sweeps from these corners by a block for every 2^group lanes.
    fn sweep_small(
        &self,
        passes: &Passes,
        rows: Rows,
        v: Vectors<'_>,
        (corners, group): (&[u32], u32),
    ) -> Result<()> {
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
        // SAFETY: those of `relax_small`; the level's rows and vectors have a number for every cell and lane.
        unsafe { passes.device.launch(kernel, shape, &args) }
    }

    /// A Gauss-Seidel sweep, hyperplane by hyperplane: no cell of one needs another, and all lanes of all its cells go
    /// at once.
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
        for plane in 0..=total {
            let first = u32::saturating_sub(plane, last[1] + last[2]);
            let count = plane.min(last[0]) - first + 1;
            let widest = rows.shape[1].min(rows.shape[2]);
            // Planes shrink towards either corner.
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
            // SAFETY: those of `relax`; the level's rows and vectors have a number for every cell and lane.
            unsafe { passes.device.launch(kernel, shape, &args) }?;
        }
        Ok(())
    }

    /// One sweep of the finest level.
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

    /// Kernels that such a sweep sends.
    pub(super) fn hyperplanes(&self) -> usize {
        let last = self.plan.shape.map(|n| n as usize - 1);
        last.iter().sum::<usize>() + 1
    }
}
