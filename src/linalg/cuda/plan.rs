//! Properties of a stencil that determine the structure of its multigrid hierarchy on the device.
//!
//! Stencils for which all these properties are equal can reuse one hierarchy.

use super::passes::Width;
use crate::linalg::cpu::stencil::multigrid::{COARSEST, ENDS};
use crate::linalg::operator::{Side, Stencil};
use crate::linalg::sweep_order::{Order, levels};

/// Largest sum of the lengths of the axes. A sweep from a corner launches one kernel per hyperplane, and has this sum
/// minus 2 of them.
// At 1.5 µs per launch, the launches of a sweep with 8190 hyperplanes take 12 ms.
const MAX_EXTENT: usize = 8192;

/// Largest number of unknowns per hyperplane and group of lanes for which one block runs whole sweeps. A barrier
/// between the threads of a block takes less time than the launch of a kernel for the next hyperplane.
const MAX_AT_ONCE: u32 = 4096;
/// Binary logarithm of the largest number of lanes per block. One memory access transfers as many entries.
const MAX_GROUPED: u32 = 2;

/// Returns whether the kernels support a stencil and its sweeps have few enough hyperplanes.
pub(super) fn suits(stencil: &Stencil) -> bool {
    let shape = stencil.rows(Side::Plain).shape;
    let small = u32::try_from(stencil.cells()).is_ok() && shape.iter().sum::<usize>() <= MAX_EXTENT;
    // Row sums that are lost to rounding in the diagonal cannot be recovered by an iteration on any device.
    small && stencil.excess().is_none()
}

/// Structure of a stencil's hierarchy. Stencils with equal plans can reuse each other's buffers and recorded steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) shape: [u32; 3],
    pub(super) definite: bool,
    pub(super) gauged: bool,
    pub(super) width: Width,
    /// Number of cells up to which a level is the coarsest.
    pub(super) coarsest: usize,
}

impl Plan {
    pub(super) fn of(stencil: &Stencil, definite: bool, width: Width) -> Self {
        Self {
            shape: stencil.rows(Side::Plain).shape.map(|n| n as u32),
            definite,
            gauged: stencil.gauge() != 0.0,
            width,
            coarsest: COARSEST,
        }
    }

    /// Returns the number of sweeps before a coarse correction. As many follow it.
    pub(super) fn sweeps(&self) -> usize {
        // As in a cycle on the CPU.
        if self.definite { 2 } else { ENDS.len() }
    }

    /// Returns the number of kernels of a cycle on 2^shift lanes.
    pub(super) fn launches(&self, order: Order, shift: u32) -> usize {
        let sweeps = self.sweeps();
        let of_sweeps = |shape: [u32; 3]| match order {
            Order::RedBlack => 2 * sweeps,
            Order::Corners if fits_one_block(shape, shift) => 1,
            Order::Corners => sweeps * hyperplanes(shape),
        };
        let fine = levels(self.shape.map(|n| n as usize), self.coarsest);
        // A level is cleared, restricted from and prolonged to, and the coarsest one is solved.
        let of_level = |shape: [usize; 3]| 3 + 2 * of_sweeps(shape.map(|n| n as u32));
        fine.map(of_level).sum::<usize>() + 1
    }
}

/// Returns the number of hyperplanes of a grid, which is the number of launches of a sweep from a corner.
pub(super) fn hyperplanes(shape: [u32; 3]) -> usize {
    shape.iter().map(|&n| n as usize - 1).sum::<usize>() + 1
}

/// Returns an upper bound on the number of cells in a hyperplane.
pub(super) fn across([a, b, c]: [u32; 3]) -> u32 {
    // A hyperplane has at most one cell for every pair of indices along the two shorter axes. The bound saturates at
    // 2²⁰, far above `MAX_AT_ONCE`, so that a shift by the group does not overflow.
    let longest = a.max(b).max(c);
    let product = u64::from(a) * u64::from(b) * u64::from(c) / u64::from(longest.max(1));
    u32::try_from(product).map_or(1 << 20, |n| n.min(1 << 20))
}

/// Returns the binary logarithm of the number of lanes per block, for blocks that run whole sweeps.
pub(super) fn group(shift: u32) -> u32 {
    shift.min(MAX_GROUPED)
}

/// Returns whether one block runs whole sweeps from corners on a grid.
pub(super) fn fits_one_block(shape: [u32; 3], shift: u32) -> bool {
    across(shape) << group(shift) <= MAX_AT_ONCE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::cuda::krylov::Method;

    #[test]
    fn a_red_black_step_takes_few_launches_at_any_size() {
        let launches = |n, definite, order, shift| {
            let plan = Plan {
                shape: [n; 3],
                definite,
                gauged: !definite,
                width: Width::Double,
                coarsest: COARSEST,
            };
            let method = if definite {
                Method::ConjugateGradients
            } else {
                Method::BiCgStab
            };
            method.launches(&plan, order, shift)
        };
        for shift in [0, 6] {
            assert_eq!(launches(128, false, Order::RedBlack, shift), 208);
            assert_eq!(launches(128, true, Order::RedBlack, shift), 68);
            assert_eq!(launches(256, false, Order::RedBlack, shift), 246);
        }
        // With one lane, one block sweeps the level of 64³ cells.
        assert_eq!(launches(128, false, Order::Corners, 0), 6176);
        assert_eq!(launches(128, false, Order::Corners, 6), 9212);
        assert_eq!(launches(128, true, Order::Corners, 6), 2322);
    }
}
