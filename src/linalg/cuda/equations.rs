//! Interface between the Krylov iterations on a device and a matrix with its preconditioner.

use super::args::Pointer;
use super::device::Device;
use super::passes::{Passes, Width};
use super::plan::Plan;
use crate::error::Result;
use crate::linalg::operator::{Side, Stencil};
use crate::linalg::sweep_order::Order;

/// Device vectors of one application of a preconditioner: right-hand side, solution, and a workspace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vectors<'r> {
    pub(super) b: Pointer,
    pub(super) x: Pointer,
    pub(super) workspace: &'r [Pointer],
}

/// Form of a step: whether it is for A or Aᵀ, and the order of the sweeps of its preconditioner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) side: Side,
    pub(super) order: Order,
}

/// Argument x of a product A x.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub(super) address: Pointer,
    /// Precision of the entries of x.
    pub(super) width: Width,
    /// Whether each column of x is scaled by the power of two that was chosen for the preconditioner.
    pub(super) scaled: bool,
}

/// Square matrix A on a device with a preconditioner. `side` selects A or Aᵀ.
pub(super) trait Equations: Send + Sync {
    /// Returns the number of rows of the matrix.
    fn cells(&self) -> usize;

    /// Returns the precision of the preconditioner.
    fn width(&self) -> Width;

    /// Computes out = A x, divided by the column's scale if x is scaled, and the sums ⟨with, out⟩ and ‖out‖². The last
    /// argument is `[with, out]`.
    fn image(&self, passes: &Passes, side: Side, x: Operand, out: [Pointer; 2]) -> Result<()>;

    /// Computes out = b − A x, and the sum ‖out‖². The last argument is `[b, out]`.
    fn residual(&self, passes: &Passes, side: Side, x: Pointer, out: [Pointer; 2]) -> Result<()>;

    /// Computes the sum ‖|A||x|‖².
    fn magnitude(&self, passes: &Passes, side: Side, x: Pointer) -> Result<()>;

    /// Applies the preconditioner: x ≈ A⁻¹ b. Preconditioners without sweeps over cells ignore the order.
    fn precondition(&self, passes: &Passes, form: Form, vectors: Vectors<'_>) -> Result<()>;

    /// Takes the coefficients of another stencil if the plans agree, and returns whether they do. By default the plans
    /// never agree.
    fn refill(&self, _device: &Device, _stencil: &Stencil, _plan: Plan) -> Result<bool> {
        Ok(false)
    }

    /// Returns the length per lane of each workspace vector of the preconditioner, in entries of its
    /// precision.
    fn workspace_lengths(&self) -> Vec<usize>;
}
