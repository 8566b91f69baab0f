//! System of equations of an iterative solver: a stencil, its side, a preconditioner and stopping criteria.

use std::ops::Range;

use faer::MatRef;

use super::dilu::Dilu;
use super::lanes::{PerLane, copy_lanes, squares};
use super::multigrid::Multigrid;
use super::progress::{Criteria, ROUNDINGS, Truth};
use super::workspace::{Coarse, WIDEST, wide_mut};
use crate::error::Result;
use crate::linalg::operator::{Real, Side, Stencil};

/// Preconditioner in the precision of T.
pub(crate) enum Precondition<T> {
    Dilu(Dilu<T>),
    Multigrid(Multigrid<T>),
}

/// System A x = b or Aᵀ x = b with its preconditioner and stopping criteria.
pub(crate) struct System<'a, T> {
    pub(crate) stencil: &'a Stencil,
    pub(crate) side: Side,
    pub(crate) precondition: &'a Precondition<T>,
    pub(crate) criteria: Criteria,
}

/// Right-hand sides of the lanes: columns of a batch, each multiplied by a factor.
#[derive(Clone, Copy)]
pub(crate) struct Sides<'s> {
    pub(crate) batch: MatRef<'s, f64>,
    pub(crate) columns: &'s [usize],
    pub(crate) factors: &'s PerLane,
}

impl Sides<'_> {
    /// Computes out ← b − out in a range of cells.
    fn minus<const W: usize>(self, cells: Range<usize>, out: &mut [[f64; W]]) {
        // b stays 0 in lanes without a column.
        let mut b = [0.0; W];
        for (cell, out) in cells.zip(out) {
            for (b, (&j, s)) in b.iter_mut().zip(self.columns.iter().zip(self.factors)) {
                *b = s * self.batch[(cell, j)];
            }
            (0..W).for_each(|l| out[l] = b[l] - out[l]);
        }
    }
}

/// Approximate solution x with its right-hand side b, the recursive residual r of the iteration, and a work vector.
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
    /// Applies the preconditioner: x ← K⁻¹ b ≈ A⁻¹ b.
    pub(super) fn precondition<const W: usize>(
        &self,
        b: &[[T; W]],
        x: &mut [[T; W]],
        coarse: &mut Coarse<T>,
    ) {
        match self.precondition {
            Precondition::Dilu(dilu) => dilu.solve(self.side, (b, x), wide_mut(&mut coarse.row)),
            Precondition::Multigrid(multigrid) => multigrid.cycle(self.side, (b, x), coarse),
        }
    }

    /// Computes out ← b − A x, and returns the norms ‖b − A x‖₂.
    pub(super) fn residual<const W: usize>(
        &self,
        b: Sides<'_>,
        (x, out): (&[[f64; W]], &mut [[f64; W]]),
    ) -> PerLane {
        // The product calls `minus` for each line of A x while the line is in the cache, so that b is
        // subtracted in the same pass.
        let minus = |cells, out: &mut [[f64; W]]| b.minus(cells, out);
        self.stencil.product(self.side, (x, out), minus);
        squares(out).map(f64::sqrt)
    }

    /// Returns an upper bound, for each lane, on the norm of a residual that consists of rounding errors
    /// only. Overwrites `work`.
    pub(super) fn rounding<const W: usize>(
        &self,
        (x, work): (&[[f64; W]], &mut [[f64; W]]),
    ) -> PerLane {
        // Entry by entry, the computed b − A x differs from the exact one by at most about m ε |A||x|, for
        // sums of m terms: at most seven coefficients, the gauge and b. `ROUNDINGS` exceeds m. The sum Σx of
        // the gauge c 11ᵀ counts as one term, although its error is typically √N ε Σ|x|. In the equations of
        // an invariant measure, |c| Σ|x| is about a thousandth of the other terms, which compensates for
        // √N up to 10⁸ cells, roughly.
        self.stencil.magnitude(self.side, (x, work));
        squares(work).map(|square| ROUNDINGS * f64::EPSILON * square.sqrt())
    }
}
