//! What a stencil on a device is made for.

use super::passes::Width;
use crate::linalg::cpu::stencil::multigrid::COARSEST;
use crate::linalg::operator::{Side, Stencil};

/// Most cells along all axes together: every hyperplane of every sweep is sent by itself.
const MAX_EXTENT: usize = 8192;

/// Whether a stencil is within reach of the kernels, and its sweeps are parallel enough.
pub(super) fn suits(stencil: &Stencil) -> bool {
    let shape = stencil.rows(Side::Plain).shape;
    let small = u32::try_from(stencil.cells()).is_ok() && shape.iter().sum::<usize>() <= MAX_EXTENT;
    small && stencil.excess().is_none()
}

/// What a stencil and its hierarchy are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) shape: [u32; 3],
    pub(super) definite: bool,
    pub(super) gauged: bool,
    pub(super) width: Width,
    /// Most cells on the coarsest level.
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
