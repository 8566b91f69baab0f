//! What the iterative solvers iterate on: a stencil, one side of it, a preconditioner, and when to be content.

use super::dilu::Dilu;
use super::lanes::{Lanes, lanes, norm};
use super::multigrid::{Multigrid, Room};
use crate::backend::SolveStats;
use crate::error::{Error, Result};
use crate::operator::{Side, Stencil};

/// An approximate inverse.
#[derive(Clone, Copy)]
pub(super) enum Precondition<'a> {
    Dilu(&'a Dilu),
    Multigrid(&'a Multigrid),
}

/// A x = b or Aᵀ x = b, as it is solved by iteration.
pub(super) struct System<'a> {
    pub(super) stencil: &'a Stencil,
    pub(super) side: Side,
    pub(super) precondition: Precondition<'a>,
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

/// A singular matrix leaves of ‖b‖₂ at random about 1/√n. What rounding leaves must be this fraction of that, or the
/// matrix may be singular, x large, and its rounding large enough to hide the residual.
const HOPEFUL: f64 = 1e-2;

/// A residual that cannot be reduced is still accepted up to this size relative to |A||x|.
const LEAST_PROGRESS: f64 = 0.5;

impl System<'_> {
    /// out ← A x.
    pub(super) fn apply<const W: usize>(&self, x: &[Lanes<W>], out: &mut [Lanes<W>]) {
        self.stencil.product(self.side, x, out, |v| v);
    }

    /// x ← an approximation of A⁻¹ b.
    pub(super) fn precondition<const W: usize>(
        &self,
        b: &[Lanes<W>],
        x: &mut [Lanes<W>],
        room: &mut Room<W>,
    ) {
        match self.precondition {
            Precondition::Dilu(dilu) => dilu.solve((self.stencil, self.side), b, x),
            Precondition::Multigrid(multigrid) => multigrid.cycle(self.side, b, x, room),
        }
    }

    pub(super) fn room<const W: usize>(&self) -> Room<W> {
        match self.precondition {
            Precondition::Dilu(_) => Room::default(),
            Precondition::Multigrid(multigrid) => multigrid.room(),
        }
    }

    /// out ← b − A x, and its norms.
    pub(super) fn residual<const W: usize>(
        &self,
        b: &[Lanes<W>],
        x: &[Lanes<W>],
        out: &mut [Lanes<W>],
    ) -> Lanes<W> {
        self.apply(x, out);
        for (out, b) in out.iter_mut().zip(b) {
            (0..W).for_each(|l| out[l] = b[l] - out[l]);
        }
        norm(out)
    }

    /// The size of the residuals that rounding alone leaves behind; `work` is overwritten.
    fn rounding<const W: usize>(&self, x: &[Lanes<W>], work: &mut [Lanes<W>]) -> Lanes<W> {
        self.stencil.product(self.side, x, work, f64::abs);
        norm(work).map(|size| ROUNDINGS * f64::EPSILON * size)
    }
}

/// How the columns of a batch fare: which are done, and what is known of their residuals.
pub(super) struct Progress<const W: usize> {
    size: Lanes<W>,
    /// Residuals when they were last computed from the solution.
    checked: Lanes<W>,
    pub(super) active: [bool; W],
    iterations: usize,
}

impl<const W: usize> Progress<W> {
    pub(super) fn new(b: &[Lanes<W>]) -> Self {
        let size = norm(b);
        Self {
            size,
            checked: size,
            active: size.map(|s| s > 0.0),
            iterations: 0,
        }
    }

    pub(super) fn done(&self) -> bool {
        self.active == [false; W]
    }

    /// Counts an iteration of so many products; fails when there were too many.
    pub(super) fn count(&mut self, system: &System<'_>, products: usize) -> Result<()> {
        if (self.iterations + 1) * products > system.products {
            return Err(self.stagnation(system));
        }
        self.iterations += 1;
        Ok(())
    }

    /// Looks at columns whose residual seems small enough (or is no number): those that are right are done. The
    /// others shall go on from their true residual, and are returned; `r` is overwritten with it there.
    pub(super) fn judge(
        &mut self,
        system: &System<'_>,
        seems: Lanes<W>,
        (b, x): (&[Lanes<W>], &[Lanes<W>]),
        (r, work): (&mut [Lanes<W>], &mut [Lanes<W>]),
    ) -> Result<[bool; W]> {
        let small = |l: usize, r: f64| r <= system.tolerance * self.size[l];
        let mut again: [bool; W] =
            std::array::from_fn(|l| self.active[l] && (small(l, seems[l]) || seems[l].is_nan()));
        if again == [false; W] {
            return Ok(again);
        }
        let found = system.residual(b, x, work);
        for l in 0..W {
            if again[l] && found[l] <= system.tolerance * self.size[l] {
                again[l] = false;
                self.active[l] = false;
                self.checked[l] = found[l];
            }
        }
        if again == [false; W] {
            return Ok(again);
        }
        super::lanes::copy_lanes(r, work, again);
        let rounding = system.rounding(x, work);
        let unfinished = again;
        for l in (0..W).filter(|&l| unfinished[l]) {
            let last = std::mem::replace(&mut self.checked[l], found[l]);
            let improved = found[l] <= LEAST_PROGRESS * last;
            let most = HOPEFUL * self.size[l] / (b.len() as f64).sqrt();
            if found[l] <= rounding[l] && (system.regular || found[l] <= most) {
                again[l] = false;
                self.active[l] = false;
            } else if !improved {
                return Err(self.stagnation(system));
            }
        }
        Ok(again)
    }

    fn stagnation(&self, system: &System<'_>) -> Error {
        let relative = lanes::<W>(|l| {
            let checked = self.checked[l];
            if checked.is_nan() {
                f64::INFINITY
            } else {
                checked / self.size[l]
            }
        });
        Error::Stagnation {
            solver: system.name,
            iterations: self.iterations,
            residual: (0..W)
                .filter(|&l| self.active[l])
                .fold(0.0, |m, l| relative[l].max(m)),
        }
    }

    pub(super) fn stats(&self) -> SolveStats {
        let relative = (0..W).filter(|&l| self.size[l] > 0.0);
        SolveStats {
            residual: relative.fold(0.0, |m, l| (self.checked[l] / self.size[l]).max(m)),
            amplification: 0.0,
            iterations: self.iterations,
        }
    }
}
