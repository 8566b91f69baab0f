//! Interface of linear solvers for A X = B and Aᵀ X = B with batches of columns.

use faer::{MatMut, MatRef};
use rayon::prelude::*;

use super::batch::Batch;
use super::operator::{Operator, Side};
use super::stats::SolveStats;
use crate::check;
use crate::error::{Error, Result};

/// Solver for linear systems, which turns an [`Operator`] into a [`Factor`].
///
/// ```
/// use pullback::{Backend, Cpu, Operator, Side, faer::mat};
/// let cpu = Cpu::default();
/// let a = Operator::dense(mat![[2.0, 1.0], [0.0, 4.0]]);
/// let factor = cpu.factor(a)?;
/// let mut x = mat![[4.0], [8.0]];
/// factor.solve(Side::Plain, None, x.as_mut())?;
/// assert!((x[(0, 0)] - 1.0).abs() < 1e-15 && (x[(1, 0)] - 2.0).abs() < 1e-15);
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Backend: Sync {
    /// Factorises `a`, or prepares its iterative solution, for solves with both A and Aᵀ. The factor keeps `a`.
    ///
    /// # Errors
    /// Fails if the matrix is not square, has entries that are not finite, or cannot be factorised.
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>>;

    /// Returns whether the factor of a matrix equal to `a` is cached, which makes [`factor`](Backend::factor) free.
    #[doc(hidden)]
    fn has_factor(&self, a: &Operator<'_>) -> bool {
        let _ = a;
        false
    }

    /// Discards factors that are cached for reuse, after one of them has proved useless.
    #[doc(hidden)]
    fn discard_factors(&self) {}

    /// Returns backends for so many models that are solved side by side, or None if they must be solved one after another.
    ///
    /// None of them has factors or warm starts of another, so that neither solutions nor counts depend on which is faster.
    #[doc(hidden)]
    fn lanes(&self, count: usize) -> Option<Vec<&dyn Backend>> {
        let _ = count;
        None
    }
}

/// Factorisation of a matrix, or another prepared solver for the matrix.
pub trait Factor: Send + Sync {
    /// Solves A X = B or Aᵀ X = B in place: `batch` holds B on entry and X on return.
    ///
    /// `guess` has one approximate solution per column, from which iterative methods start. Direct methods ignore the
    /// guess. The accuracy of the solution does not depend on the guess. After an error the contents of `batch` are
    /// unspecified.
    ///
    /// # Errors
    /// Fails with [`Error::Singular`] if the computed solution does not satisfy the equations, even if the
    /// factorisation succeeded. Fails with [`Error::Dimension`] if shapes do not match.
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats>;

    /// Solves A X = B or Aᵀ X = B for a batch that may stay on a device between solves.
    ///
    /// A backend with an accelerator transfers a batch [on the CPU](Batch::Host) to the accelerator, and leaves
    /// the solution [on the device](Batch::Device). By default the batch is fetched and passed to
    /// [`solve`](Factor::solve).
    ///
    /// # Errors
    /// Fails as [`solve`](Factor::solve) does, and if the device fails.
    fn solve_batch(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: Batch,
    ) -> Result<(Batch, SolveStats)> {
        let mut x = batch.fetch()?;
        let stats = self.solve(side, guess, x.as_mut())?;
        Ok((Batch::Host(x), stats))
    }

    /// Announces the total number of columns if they arrive in several batches, so that a set-up cost can be
    /// amortised. This may change solutions, but only within their accuracy.
    fn announce(&self, columns: usize) {
        let _ = columns;
    }
}

/// Solves A x = b for the `columns` columns of `b`, stored one after another. On entry, `x` holds a guess,
/// which is used if it is finite and not zero.
pub(crate) fn improve(
    factor: &dyn Factor,
    columns: usize,
    mut b: Vec<f64>,
    x: &mut [f64],
) -> Result<SolveStats> {
    // The solve works in place: `x` receives the right-hand side, and its old contents become the guess,
    // without a copy. A zero guess is dropped, because its residual would cost a product with A to no
    // benefit.
    b.swap_with_slice(x);
    let (guess, rows) = (b, x.len() / columns);
    let useful = guess.iter().all(|x| x.is_finite()) && guess.iter().any(|x| *x != 0.0);
    let guess = MatRef::from_column_major_slice(&guess, rows, columns);
    let batch = MatMut::from_column_major_slice_mut(x, rows, columns);
    factor.solve(Side::Plain, useful.then_some(guess), batch)
}

/// Checks that a batch of right-hand sides has `rows` rows and finite entries.
pub(crate) fn check_batch(batch: MatRef<'_, f64>, rows: usize) -> Result<()> {
    check::length("the right-hand side of a linear solve", batch.nrows(), rows)?;
    let broken = |j: usize| {
        let column = batch.col(j);
        let index = match column.try_as_col_major() {
            Some(column) => check::first_not_finite(column.as_slice())?,
            None => column.iter().position(|x| !x.is_finite())?,
        };
        Some(Error::NotFinite {
            what: "the right-hand side of a linear solve",
            index,
            value: column[index],
        })
    };
    let found = if batch.nrows() * batch.ncols() < MANY {
        (0..batch.ncols()).find_map(broken)
    } else {
        // Reports the first such column, so that the error does not depend on the timing of the threads.
        (0..batch.ncols()).into_par_iter().find_map_first(broken)
    };
    found.map_or(Ok(()), Err)
}

/// Smallest number of entries for which a batch is checked on several threads.
// A million entries are read in under a millisecond; waking threads takes tens of microseconds.
const MANY: usize = 1 << 20;

/// Checks that an optional guess has the shape of its batch.
pub(crate) fn check_guess(guess: Option<MatRef<'_, f64>>, batch: MatRef<'_, f64>) -> Result<()> {
    let Some(guess) = guess else { return Ok(()) };
    let what = "the guess of a linear solve";
    check::length(what, guess.nrows(), batch.nrows())?;
    check::length(what, guess.ncols(), batch.ncols())
}

/// Largest amplification ‖|A||x|‖/‖b‖ of a solve with a matrix that does not count as singular.
// At this amplification, rounding errors of relative size ε ≈ 2·10⁻¹⁶ grow to about 2·10⁻² of ‖b‖, so that
// hardly a digit remains.
pub(crate) const SINGULAR: f64 = 1e14;
