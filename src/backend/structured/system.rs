//! What the iterative solvers iterate on: a stencil, one side of it, a preconditioner, and when to be content.

use super::dilu::Dilu;
use super::lanes::{PerLane, squares};
use super::multigrid::Multigrid;
use super::room::{Coarse, wide_mut};
use crate::operator::{Real, Side, Stencil};

/// An approximate inverse, in the precision of T.
pub(super) enum Precondition<T> {
    Dilu(Dilu<T>),
    Multigrid(Multigrid<T>),
}

/// A x = b or Aᵀ x = b, as it is solved by iteration.
pub(super) struct System<'a, T> {
    pub(super) stencil: &'a Stencil,
    pub(super) side: Side,
    pub(super) precondition: &'a Precondition<T>,
    /// ‖b − Ax‖₂ / ‖b‖₂ that is asked for.
    pub(super) tolerance: f64,
    /// Most products with A.
    pub(super) products: usize,
    /// Whether the matrix is regular by construction, whatever it does to a right-hand side.
    pub(super) regular: bool,
    /// The method, for messages.
    pub(super) name: &'static str,
}

/// A residual this many roundings of |A||x| large is as small as it gets.
const ROUNDINGS: f64 = 16.0;

impl<T: Real> System<'_, T> {
    /// x ← an approximation of A⁻¹ b.
    pub(super) fn precondition<const W: usize>(
        &self,
        b: &[[T; W]],
        x: &mut [[T; W]],
        room: &mut Coarse<T>,
    ) {
        match self.precondition {
            Precondition::Dilu(dilu) => dilu.solve(self.side, (b, x), wide_mut(&mut room.row)),
            Precondition::Multigrid(multigrid) => multigrid.cycle(self.side, (b, x), room),
        }
    }

    /// out ← b − A x, and its norms.
    pub(super) fn residual<const W: usize>(
        &self,
        b: &[[f64; W]],
        (x, out): (&[[f64; W]], &mut [[f64; W]]),
    ) -> PerLane {
        self.stencil.product(self.side, (x, out), |cells, out| {
            for (out, b) in out.iter_mut().zip(&b[cells]) {
                (0..W).for_each(|l| out[l] = b[l] - out[l]);
            }
        });
        squares(out).map(f64::sqrt)
    }

    /// The size of the residuals that rounding alone leaves behind; `work` is overwritten.
    pub(super) fn rounding<const W: usize>(
        &self,
        (x, work): (&[[f64; W]], &mut [[f64; W]]),
    ) -> PerLane {
        self.stencil.magnitude(self.side, (x, work));
        squares(work).map(|square| ROUNDINGS * f64::EPSILON * square.sqrt())
    }
}
