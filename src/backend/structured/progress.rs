//! How the columns of a batch fare: which are done, and what is known of their residuals.

use super::lanes::{PerLane, copy_lanes};
use super::room::{WIDEST, kept};
use super::system::System;
use crate::backend::SolveStats;
use crate::error::{Error, Result};
use crate::operator::Real;

/// A singular matrix leaves of ‖b‖₂ at random about 1/√n. What rounding leaves must be this fraction of that, or the
/// matrix may be singular, x large, and its rounding large enough to hide the residual.
const HOPEFUL: f64 = 1e-2;

/// A residual that cannot be reduced is still accepted up to this size relative to |A||x|.
const LEAST_PROGRESS: f64 = 0.5;

/// What is known of the lanes' columns.
pub(super) struct Progress {
    /// ‖b‖₂.
    size: PerLane,
    /// Residuals when they were last computed from the solution.
    checked: PerLane,
    pub(super) active: [bool; WIDEST],
    iterations: usize,
    /// The largest relative residual of what is done.
    worst: f64,
}

/// b, x, the residual of the iteration, and room for a vector.
pub(super) type Vectors<'v, const W: usize> = (
    &'v [[f64; W]],
    &'v [[f64; W]],
    &'v mut [[f64; W]],
    &'v mut [[f64; W]],
);

impl Progress {
    /// For right-hand sides of this size.
    pub(super) fn new(size: PerLane) -> Self {
        Self {
            size,
            checked: size,
            active: size.map(|s| s > 0.0),
            iterations: 0,
            worst: 0.0,
        }
    }

    /// Starts from solutions that leave these residuals; some may be right already.
    pub(super) fn begin<T>(&mut self, system: &System<'_, T>, residual: &PerLane) {
        self.checked = *residual;
        for (l, &residual) in residual.iter().enumerate() {
            if self.active[l] && residual <= system.tolerance * self.size[l] {
                self.finish(l, residual);
            }
        }
    }

    /// Lanes that are not done.
    pub(super) fn unfinished(&self) -> usize {
        self.active.iter().filter(|&&active| active).count()
    }

    /// Counts an iteration of so many products; fails when there were too many.
    pub(super) fn count<T>(&mut self, system: &System<'_, T>, products: usize) -> Result<()> {
        if (self.iterations + 1) * products > system.products {
            return Err(self.stagnation(system.name));
        }
        self.iterations += 1;
        Ok(())
    }

    /// Looks at columns whose residual seems small enough (or is no number): those that are right are done. The
    /// others shall go on from their true residual, which is put in place of that of the iteration and its size in
    /// place of what it seemed, and are returned.
    pub(super) fn judge<T: Real, const W: usize>(
        &mut self,
        system: &System<'_, T>,
        seems: &mut PerLane,
        (b, x, r, work): Vectors<'_, W>,
    ) -> Result<[bool; WIDEST]> {
        let small = |l: usize, r: f64| r <= system.tolerance * self.size[l];
        let mut again: [bool; WIDEST] =
            std::array::from_fn(|l| self.active[l] && (small(l, seems[l]) || seems[l].is_nan()));
        if again == [false; WIDEST] {
            return Ok(again);
        }
        let found = system.residual(b, (x, work));
        for l in 0..W {
            if again[l] && found[l] <= system.tolerance * self.size[l] {
                self.finish(l, found[l]);
                again[l] = false;
            }
        }
        if again == [false; WIDEST] {
            return Ok(again);
        }
        copy_lanes(r, work, &again);
        let rounding = system.rounding((x, work));
        let unfinished = again;
        for l in (0..W).filter(|&l| unfinished[l]) {
            seems[l] = found[l];
            let last = std::mem::replace(&mut self.checked[l], found[l]);
            let improved = found[l] <= LEAST_PROGRESS * last;
            let most = HOPEFUL * self.size[l] / (b.len() as f64).sqrt();
            if found[l] <= rounding[l] && (system.regular || found[l] <= most) {
                self.finish(l, found[l]);
                again[l] = false;
            } else if !improved {
                return Err(self.stagnation(system.name));
            }
        }
        Ok(again)
    }

    fn finish(&mut self, l: usize, residual: f64) {
        self.active[l] = false;
        self.worst = self.worst.max(residual / self.size[l]);
    }

    /// Passes to these of the lanes.
    pub(super) fn narrow(&mut self, keep: &[usize]) {
        self.size = kept(self.size, keep, 0.0);
        self.checked = kept(self.checked, keep, 0.0);
        self.active = std::array::from_fn(|l| l < keep.len());
    }

    fn stagnation(&self, solver: &'static str) -> Error {
        let relative = |l: usize| match self.checked[l] / self.size[l] {
            r if r.is_nan() => f64::INFINITY,
            r => r,
        };
        let active = (0..WIDEST).filter(|&l| self.active[l]);
        Error::Stagnation {
            solver,
            iterations: self.iterations,
            residual: active.fold(0.0, |m, l| relative(l).max(m)),
        }
    }

    pub(super) fn stats(&self) -> SolveStats {
        SolveStats {
            residual: self.worst,
            amplification: 0.0,
            iterations: self.iterations,
            ..SolveStats::default()
        }
    }
}
