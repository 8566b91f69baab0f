//! What the iterations on a device need of a matrix.

use super::args::Pointer;
use super::device::Device;
use super::passes::{Passes, Width};
use super::plan::Plan;
use crate::error::Result;
use crate::linalg::operator::{Side, Stencil};

/// Vectors of a preconditioner: a right-hand side, a solution, and room that is its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vectors<'r> {
    pub(super) b: Pointer,
    pub(super) x: Pointer,
    pub(super) workspace: &'r [Pointer],
}

/// A matrix on a device with a preconditioner, one side of it at a time.
pub(super) trait Equations: Send + Sync {
    /// Rows, and columns.
    fn cells(&self) -> usize;

    /// The precision of the preconditioner.
    fn width(&self) -> Width;

    /// out ← A x, divided by the scale if it is scaled; sums ⟨with, out⟩ and ‖out‖².
    fn image(
        &self,
        passes: &Passes,
        side: Side,
        x: (Pointer, Width, Scaled),
        out: [Pointer; 2],
    ) -> Result<()>;

    /// out ← b − A x; sums ‖out‖².
    fn residual(&self, passes: &Passes, side: Side, x: Pointer, out: [Pointer; 2]) -> Result<()>;

    /// Sums ‖|A||x|‖².
    fn magnitude(&self, passes: &Passes, side: Side, x: Pointer) -> Result<()>;

    /// x ← an approximation of A⁻¹ b.
    fn precondition(&self, passes: &Passes, side: Side, vectors: Vectors<'_>) -> Result<()>;

    /// Takes the numbers of another stencil, if it was made for such a one.
    fn refill(&self, _device: &Device, _stencil: &Stencil, _plan: Plan) -> Result<bool> {
        Ok(false)
    }

    /// Lengths of the vectors that the preconditioner needs as room, in numbers of its precision a lane.
    fn workspace_lengths(&self) -> Vec<usize>;
}

/// Whether a vector has been multiplied by the scale of its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scaled {
    Yes,
    No,
}
