//! Convergence of the columns of a batch: flags of the converged columns, and their residuals.

use super::workspace::{WIDEST, select_lanes};
use crate::error::{Error, Result};
use crate::linalg::SolveStats;

/// Largest residual, in units of ‖b‖₂/√n, that is accepted as a rounding error if the matrix may be singular.
///
/// A singular A with left null vector w, ‖w‖₂ = 1, leaves a residual of at least |⟨w, b⟩|. For a random b that is about
/// ‖b‖₂/√n. Without this limit a large x, whose rounding errors are large too, could hide that residual.
// At most a hundredth of the residual ⟨w, b⟩ ≈ ‖b‖/√n of a singular A may be accepted as a rounding error.
const ROUNDING_SHARE: f64 = 1e-2;

/// Largest ratio of two successive true residuals that counts as progress. With a larger ratio the iteration stagnates.
// Halving bounds the number of these restarts: there are at most 37 between 1 and the default tolerance
// 10⁻¹¹.
const LEAST_PROGRESS: f64 = 0.5;

/// Stopping criteria of an iteration.
#[derive(Clone, Copy)]
pub(crate) struct Criteria {
    /// Largest relative residual ‖b − Ax‖₂ / ‖b‖₂ of a solution.
    pub(crate) tolerance: f64,
    /// Largest number of products with A.
    pub(crate) products: usize,
    /// Whether the matrix is nonsingular by construction, so that singularity need not be tested.
    pub(crate) regular: bool,
    /// Name of the method in messages.
    pub(crate) name: &'static str,
}

/// Access to the true residuals of up to N lanes.
pub(crate) trait Truth<const N: usize> {
    /// Returns the length of the vectors of the system.
    fn rows(&self) -> usize;

    /// Computes b − A x in all lanes, and returns the norms ‖b − A x‖₂.
    fn residual(&mut self) -> Result<[f64; N]>;

    /// Replaces the residuals of the iteration by those last computed, in the lanes marked true.
    fn adopt(&mut self, which: &[bool; N]) -> Result<()>;

    /// Returns an upper bound, for each lane, on the norm of a residual that consists of rounding errors
    /// only.
    fn rounding(&mut self) -> Result<[f64; N]>;
}

/// Multiple of ε |A||x| up to which a residual may consist of rounding errors, and need not decrease any
/// further.
// At most nine terms enter a row of b − A x with a gauge: the diagonal, six couplings, the gauge and b.
pub(crate) const ROUNDINGS: f64 = 16.0;

/// Record of the convergence of up to N lanes.
pub(crate) struct Progress<const N: usize = WIDEST> {
    /// Norms ‖b‖₂ of the right-hand sides.
    size: [f64; N],
    /// Norms ‖b − A x‖₂ of the true residuals when they were last computed.
    checked: [f64; N],
    /// Marks the lanes that have not converged.
    pub(crate) active: [bool; N],
    iterations: usize,
    /// Largest relative residual of the converged columns.
    worst: f64,
}

impl<const N: usize> Progress<N> {
    /// Creates the progress of an iteration from x = 0. `size` holds the norms of b. Columns with b = 0 have
    /// converged.
    pub(crate) fn new(size: [f64; N]) -> Self {
        Self {
            size,
            checked: size,
            active: size.map(|s| s > 0.0),
            iterations: 0,
            worst: 0.0,
        }
    }

    /// Starts from an initial guess whose residuals have the norms `residual`. Columns that meet the
    /// tolerance have converged.
    pub(crate) fn begin(&mut self, tolerance: f64, residual: &[f64; N]) {
        self.checked = *residual;
        for (l, &residual) in residual.iter().enumerate() {
            if self.active[l] && residual <= tolerance * self.size[l] {
                self.finish(l, residual);
            }
        }
    }

    /// Returns the number of lanes that have not converged.
    pub(crate) fn unfinished(&self) -> usize {
        self.active.iter().filter(|&&active| active).count()
    }

    /// Counts a step with this number of products with A.
    ///
    /// # Errors
    /// Fails with [`Error::Stagnation`] when the products are used up.
    pub(crate) fn count(&mut self, criteria: &Criteria, products: usize) -> Result<()> {
        if (self.iterations + 1) * products > criteria.products {
            return Err(self.stagnation(criteria.name));
        }
        self.iterations += 1;
        Ok(())
    }

    /// Checks the columns whose recursive residual, of norm `recursive`, meets the tolerance or is NaN.
    ///
    /// In exact arithmetic the recursive residual of a Krylov method equals the true residual b − A x;
    /// rounding errors drive them apart. Columns whose true residual meets the tolerance have converged. The
    /// others must restart from the true residual, which replaces the recursive one, as does its norm in
    /// `recursive`. Returns flags of the latter.
    ///
    /// # Errors
    /// Fails with [`Error::Stagnation`] if a true residual above the rounding errors is more than half the previous
    /// one, or NaN.
    pub(crate) fn judge(
        &mut self,
        criteria: &Criteria,
        recursive: &mut [f64; N],
        truth: &mut impl Truth<N>,
    ) -> Result<[bool; N]> {
        let tolerance = criteria.tolerance;
        // Recursive residuals continue to decrease after the true ones have reached the level of rounding
        // errors. By themselves they would promise any accuracy.
        let small = |l: usize, r: f64| r <= tolerance * self.size[l];
        let mut restart: [bool; N] = std::array::from_fn(|l| {
            self.active[l] && (small(l, recursive[l]) || recursive[l].is_nan())
        });
        if restart == [false; N] {
            return Ok(restart);
        }
        // The true residual costs a product with A, and is computed only when the recursive one indicates
        // convergence.
        let residual = truth.residual()?;
        for l in 0..N {
            if restart[l] && residual[l] <= tolerance * self.size[l] {
                self.finish(l, residual[l]);
                restart[l] = false;
            }
        }
        if restart == [false; N] {
            return Ok(restart);
        }
        // Rounding errors have driven the two residuals apart. Either these errors are as large as b − A x,
        // which then cannot be reduced in this precision, or a restart from the true residual must at least
        // halve it.
        truth.adopt(&restart)?;
        let rounding = truth.rounding()?;
        let unfinished = restart;
        for l in (0..N).filter(|&l| unfinished[l]) {
            recursive[l] = residual[l];
            let last = std::mem::replace(&mut self.checked[l], residual[l]);
            let improved = residual[l] <= LEAST_PROGRESS * last;
            let most = ROUNDING_SHARE * self.size[l] / (truth.rows() as f64).sqrt();
            if residual[l] <= rounding[l] && (criteria.regular || residual[l] <= most) {
                self.finish(l, residual[l]);
                restart[l] = false;
            } else if !improved {
                return Err(self.stagnation(criteria.name));
            }
        }
        Ok(restart)
    }

    fn finish(&mut self, l: usize, residual: f64) {
        self.active[l] = false;
        self.worst = self.worst.max(residual / self.size[l]);
    }

    /// Keeps the progress of the lanes `keep`, in the order of the list.
    pub(crate) fn narrow(&mut self, keep: &[usize]) {
        self.size = select_lanes(self.size, keep, 0.0);
        self.checked = select_lanes(self.checked, keep, 0.0);
        self.active = std::array::from_fn(|l| l < keep.len());
    }

    fn stagnation(&self, solver: &'static str) -> Error {
        // NaN is reported as ∞, because `max` would ignore it.
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
