//! Properties of a stencil that determine the structure of its multigrid hierarchy on the device.
//!
//! Stencils for which all these properties are equal can reuse one hierarchy.

use super::passes::Width;
use crate::linalg::cpu::stencil::multigrid::COARSEST;
use crate::linalg::operator::{Side, Stencil};

/// Largest sum of the lengths of the axes. A sweep launches one kernel per hyperplane, and has this sum minus
/// 2 of them.
// At 1.5 µs per launch, the launches of a sweep with 8190 hyperplanes take 12 ms.
const MAX_EXTENT: usize = 8192;

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
}
