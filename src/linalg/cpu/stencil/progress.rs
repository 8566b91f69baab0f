//! How the columns of a batch fare: which are done, and what is known of their residuals.

use super::workspace::{WIDEST, kept};
use crate::error::{Error, Result};
use crate::linalg::SolveStats;

/// A singular matrix leaves of ‖b‖₂ at random about 1/√n. What rounding leaves must be this fraction of that, or the
/// matrix may be singular, x large, and its rounding large enough to hide the residual.
const HOPEFUL: f64 = 1e-2;

/// A residual that cannot be reduced is still accepted up to this size relative to |A||x|.
const LEAST_PROGRESS: f64 = 0.5;

/// When an iteration is content, and when it gives up.
#[derive(Clone, Copy)]
pub(crate) struct Criteria {
    /// ‖b − Ax‖₂ / ‖b‖₂ that is asked for.
    pub(crate) tolerance: f64,
    /// Most products with A.
    pub(crate) products: usize,
    /// Whether the matrix is regular by construction, whatever it does to a right-hand side.
    pub(crate) regular: bool,
    /// The method, for messages.
    pub(crate) name: &'static str,
}

/// What the solutions of up to N lanes are worth, by the equations themselves.
pub(crate) trait Truth<const N: usize> {
    /// Length of the vectors.
    fn rows(&self) -> usize;

    /// Computes b − A x, and its norms.
    fn residual(&mut self) -> Result<[f64; N]>;

    /// Puts those residuals in place of the iteration's, in these lanes.
    fn adopt(&mut self, which: &[bool; N]) -> Result<()>;

    /// The size of the residuals that rounding alone leaves behind.
    fn rounding(&mut self) -> Result<[f64; N]>;
}

/// A residual this many roundings of |A||x| large is as small as it gets.
pub(crate) const ROUNDINGS: f64 = 16.0;

/// What is known of the lanes' columns.
pub(crate) struct Progress<const N: usize = WIDEST> {
    /// ‖b‖₂.
    size: [f64; N],
    /// Residuals when they were last computed from the solution.
    checked: [f64; N],
    pub(crate) active: [bool; N],
    iterations: usize,
    /// The largest relative residual of what is done.
    worst: f64,
}

impl<const N: usize> Progress<N> {
    /// For right-hand sides of this size.
    pub(crate) fn new(size: [f64; N]) -> Self {
        Self {
            size,
            checked: size,
            active: size.map(|s| s > 0.0),
            iterations: 0,
            worst: 0.0,
        }
    }

    /// Starts from solutions that leave these residuals; some may be right already.
    pub(crate) fn begin(&mut self, tolerance: f64, residual: &[f64; N]) {
        self.checked = *residual;
        for (l, &residual) in residual.iter().enumerate() {
            if self.active[l] && residual <= tolerance * self.size[l] {
                self.finish(l, residual);
            }
        }
    }

    /// Lanes that are not done.
    pub(crate) fn unfinished(&self) -> usize {
        self.active.iter().filter(|&&active| active).count()
    }

    /// Counts an iteration of so many products; fails when there were too many.
    pub(crate) fn count(&mut self, criteria: &Criteria, products: usize) -> Result<()> {
        if (self.iterations + 1) * products > criteria.products {
            return Err(self.stagnation(criteria.name));
        }
        self.iterations += 1;
        Ok(())
    }

    /// Looks at columns whose residual seems small enough (or is no number): those that are right are done. The
    /// others shall go on from their true residual, which is put in place of that of the iteration and its size in
    /// place of what it seemed, and are returned.
    pub(crate) fn judge(
        &mut self,
        criteria: &Criteria,
        seems: &mut [f64; N],
        truth: &mut impl Truth<N>,
    ) -> Result<[bool; N]> {
        let tolerance = criteria.tolerance;
        let small = |l: usize, r: f64| r <= tolerance * self.size[l];
        let mut again: [bool; N] =
            std::array::from_fn(|l| self.active[l] && (small(l, seems[l]) || seems[l].is_nan()));
        if again == [false; N] {
            return Ok(again);
        }
        let found = truth.residual()?;
        for l in 0..N {
            if again[l] && found[l] <= tolerance * self.size[l] {
                self.finish(l, found[l]);
                again[l] = false;
            }
        }
        if again == [false; N] {
            return Ok(again);
        }
        truth.adopt(&again)?;
        let rounding = truth.rounding()?;
        let unfinished = again;
        for l in (0..N).filter(|&l| unfinished[l]) {
            seems[l] = found[l];
            let last = std::mem::replace(&mut self.checked[l], found[l]);
            let improved = found[l] <= LEAST_PROGRESS * last;
            let most = HOPEFUL * self.size[l] / (truth.rows() as f64).sqrt();
            if found[l] <= rounding[l] && (criteria.regular || found[l] <= most) {
                self.finish(l, found[l]);
                again[l] = false;
            } else if !improved {
                return Err(self.stagnation(criteria.name));
            }
        }
        Ok(again)
    }

    fn finish(&mut self, l: usize, residual: f64) {
        self.active[l] = false;
        self.worst = self.worst.max(residual / self.size[l]);
    }

    /// Passes to these of the lanes.
    pub(crate) fn narrow(&mut self, keep: &[usize]) {
        self.size = kept(self.size, keep, 0.0);
        self.checked = kept(self.checked, keep, 0.0);
        self.active = std::array::from_fn(|l| l < keep.len());
    }

    fn stagnation(&self, solver: &'static str) -> Error {
        let relative = |l: usize| match self.checked[l] / self.size[l] {
            r if r.is_nan() => f64::INFINITY,
            r => r,
        };
        let active = (0..N).filter(|&l| self.active[l]);
        Error::Stagnation {
            solver,
            iterations: self.iterations,
            residual: active.fold(0.0, |m, l| relative(l).max(m)),
        }
    }

    pub(crate) fn stats(&self) -> SolveStats {
        SolveStats {
            residual: self.worst,
            amplification: 0.0,
            iterations: self.iterations,
            ..SolveStats::default()
        }
    }
}
