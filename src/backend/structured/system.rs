//! What the iterative solvers iterate on: a stencil, one side of it, a preconditioner, and when to be content.

use super::dilu::Dilu;
use super::lanes::{PerLane, copy_lanes, squares};
use super::multigrid::Multigrid;
use super::progress::{Criteria, ROUNDINGS, Truth};
use super::room::{Coarse, WIDEST, wide_mut};
use crate::error::Result;
use crate::operator::{Real, Side, Stencil};

/// An approximate inverse, in the precision of T.
pub(in crate::backend) enum Precondition<T> {
    Dilu(Dilu<T>),
    Multigrid(Multigrid<T>),
}

/// A x = b or Aᵀ x = b, as it is solved by iteration.
pub(in crate::backend) struct System<'a, T> {
    pub(in crate::backend) stencil: &'a Stencil,
    pub(in crate::backend) side: Side,
    pub(in crate::backend) precondition: &'a Precondition<T>,
    pub(in crate::backend) criteria: Criteria,
}

/// b, x, the residual of an iteration, and room for a vector.
pub(super) struct Solution<'s, T, const W: usize> {
    pub(super) system: &'s System<'s, T>,
    pub(super) b: &'s [[f64; W]],
    pub(super) x: &'s [[f64; W]],
    pub(super) r: &'s mut [[f64; W]],
    pub(super) work: &'s mut [[f64; W]],
}

impl<T: Real, const W: usize> Truth<WIDEST> for Solution<'_, T, W> {
    fn rows(&self) -> usize {
        self.b.len()
    }

    fn residual(&mut self) -> Result<PerLane> {
        Ok(self.system.residual(self.b, (self.x, self.work)))
    }

    fn adopt(&mut self, which: &[bool; WIDEST]) -> Result<()> {
        copy_lanes(self.r, self.work, which);
        Ok(())
    }

    fn rounding(&mut self) -> Result<PerLane> {
        Ok(self.system.rounding((self.x, self.work)))
    }
}

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
