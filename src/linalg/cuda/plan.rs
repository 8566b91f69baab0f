//! Shape and properties of a stencil on which its multigrid hierarchy on the device depends.
//!
//! Stencils that agree in all of them can reuse one hierarchy.

use super::passes::Width;
use crate::linalg::cpu::stencil::multigrid::COARSEST;
use crate::linalg::operator::{Side, Stencil};

/// Largest sum of the axes' lengths. A sweep launches one kernel per hyperplane, and their number is this sum minus 2.
// At 1.5 µs a launch, a sweep of 8190 hyperplanes takes 12 ms for launches alone.
const MAX_EXTENT: usize = 8192;

/// Whether the kernels support a stencil, and the sweeps of the stencil consist of few enough hyperplanes.
pub(super) fn suits(stencil: &Stencil) -> bool {
    let shape = stencil.rows(Side::Plain).shape;
    let small = u32::try_from(stencil.cells()).is_ok() && shape.iter().sum::<usize>() <= MAX_EXTENT;
    // Row sums that the diagonal has lost cannot be recovered by an iteration, in whatever place it runs.
    small && stencil.excess().is_none()
}

/// Structure of a stencil's hierarchy. Stencils with equal plans can reuse each other's buffers and recorded steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) shape: [u32; 3],
    pub(super) definite: bool,
    pub(super) gauged: bool,
    pub(super) width: Width,
    /// Largest number of cells on the coarsest level.
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
}
