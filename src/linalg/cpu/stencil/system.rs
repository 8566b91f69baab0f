//! What the iterative solvers iterate on: a stencil, one side of it, a preconditioner, and when to be content.

use std::ops::Range;

use faer::MatRef;

use super::dilu::Dilu;
use super::lanes::{PerLane, copy_lanes, squares};
use super::multigrid::Multigrid;
use super::progress::{Criteria, ROUNDINGS, Truth};
use super::workspace::{Coarse, WIDEST, wide_mut};
use crate::error::Result;
use crate::linalg::operator::{Real, Side, Stencil};

/// An approximate inverse, in the precision of T.
pub(crate) enum Precondition<T> {
    Dilu(Dilu<T>),
    Multigrid(Multigrid<T>),
}

/// A x = b or Aᵀ x = b, as it is solved by iteration.
pub(crate) struct System<'a, T> {
    pub(crate) stencil: &'a Stencil,
    pub(crate) side: Side,
    pub(crate) precondition: &'a Precondition<T>,
    pub(crate) criteria: Criteria,
}

/// The right-hand sides of lanes: these columns of a batch, times these factors.
#[derive(Clone, Copy)]
pub(crate) struct Sides<'s> {
    pub(crate) batch: MatRef<'s, f64>,
    pub(crate) columns: &'s [usize],
    pub(crate) factors: &'s PerLane,
}

impl Sides<'_> {
    /// out ← b − out in these cells.
    fn minus<const W: usize>(self, cells: Range<usize>, out: &mut [[f64; W]]) {
        let mut rest = [0.0; W];
        for (cell, out) in cells.zip(out) {
            for (rest, (&j, s)) in rest.iter_mut().zip(self.columns.iter().zip(self.factors)) {
                *rest = s * self.batch[(cell, j)];
            }
            (0..W).for_each(|l| out[l] = rest[l] - out[l]);
        }
    }
}

/// b, x, the residual of an iteration, and room for a vector.
pub(super) struct Solution<'s, T, const W: usize> {
    pub(super) system: &'s System<'s, T>,
    pub(super) b: Sides<'s>,
    pub(super) x: &'s [[f64; W]],
    pub(super) r: &'s mut [[f64; W]],
    pub(super) work: &'s mut [[f64; W]],
}

impl<T: Real, const W: usize> Truth<WIDEST> for Solution<'_, T, W> {
    fn rows(&self) -> usize {
        self.x.len()
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
        b: Sides<'_>,
        (x, out): (&[[f64; W]], &mut [[f64; W]]),
    ) -> PerLane {
        let minus = |cells, out: &mut [[f64; W]]| b.minus(cells, out);
        self.stencil.product(self.side, (x, out), minus);
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
