//! Krylov iteration for one chunk of interleaved columns, at a width that shrinks as columns converge.

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{MatMut, MatRef};

use super::lanes::{PerLane, interleave, scales, separate, squares};
use super::progress::Progress;
use super::system::{Sides, System};
use super::workspace::{Parts, WIDEST, Workspace, width, with_width};
use crate::error::{Error, Result};
use crate::linalg::SolveStats;
use crate::linalg::operator::Real;

/// Krylov method with its scalars and its step. The first two of its vectors are the solution x and the
/// residual r.
pub(crate) trait Iteration: Sized {
    /// Number of vectors that the method needs.
    const VECTORS: usize;
    /// Number of products with A in one step.
    const PRODUCTS: usize;

    /// Creates the scalars of the method before the first step. `residual` holds the norms of the initial
    /// residuals.
    fn new(residual: PerLane) -> Self;

    /// Performs one step for all active lanes.
    fn step<T: Real, const W: usize>(
        &mut self,
        equations: (&System<'_, T>, Sides<'_>),
        workspace: &mut Workspace<T>,
        progress: &mut Progress,
    ) -> Result<()>;

    /// Keeps the scalars of the lanes `keep`, in the order of the list.
    fn narrow(&mut self, keep: &[usize]);
}

/// State of a Krylov iteration on one chunk of columns.
struct Run<I> {
    iteration: I,
    progress: Progress,
    /// Column of the chunk that each lane holds.
    columns: [usize; WIDEST],
    /// Factor by which the column in each lane was scaled.
    scales: PerLane,
    /// Number of lanes in use.
    count: usize,
}

/// Solves A x = b for a chunk of at most `WIDEST` columns: chunk ← A⁻¹ chunk, from an optional initial guess.
pub(super) fn solve<I: Iteration, T: Real>(
    system: &System<'_, T>,
    workspace: &mut Workspace<T>,
    guess: Option<MatRef<'_, f64>>,
    mut chunk: MatMut<'_, f64>,
) -> Result<SolveStats> {
    let mut lanes = width(chunk.ncols());
    let b = chunk.rb();
    let mut run = with_width!(lanes, W => Run::<I>::begin::<T, W>(system, workspace, guess, b))?;
    loop {
        let unfinished = run.progress.unfinished();
        // Converged columns cost as much as others while they remain interleaved. Removing them costs one
        // pass over all vectors, a fraction of a step.
        if unfinished == 0 || width(unfinished) < lanes {
            let x = chunk.rb_mut();
            with_width!(lanes, W => run.extract::<T, W>(system, workspace, x))?;
            if unfinished == 0 {
                return Ok(run.progress.stats());
            }
            lanes = run.narrow(workspace, lanes);
        }
        run.progress.count(&system.criteria, I::PRODUCTS)?;
        // Unfinished columns of the chunk still hold their right-hand sides.
        let b = Sides {
            batch: chunk.rb(),
            columns: &run.columns[..run.count],
            factors: &run.scales,
        };
        let (iteration, progress) = (&mut run.iteration, &mut run.progress);
        with_width!(lanes, W => iteration.step::<T, W>((system, b), workspace, progress))?;
    }
}

impl<I: Iteration> Run<I> {
    /// Interleaves the columns of the chunk and computes the first residuals.
    fn begin<T: Real, const W: usize>(
        system: &System<'_, T>,
        workspace: &mut Workspace<T>,
        guess: Option<MatRef<'_, f64>>,
        chunk: MatRef<'_, f64>,
    ) -> Result<Self> {
        let Parts { exact: [x, r], .. } = workspace.parts::<W, 2>();
        // Columns of one batch may differ by hundreds of orders of magnitude. They are scaled to a largest
        // entry near 1, so that sums of squares do not underflow, and the tolerance is relative to each
        // column.
        let scales = scales(chunk);
        interleave(chunk, &scales, r);
        let size = squares(r).map(f64::sqrt);
        let mut run = Self {
            iteration: I::new(size),
            progress: Progress::new(size),
            columns: std::array::from_fn(|l| l),
            scales,
            count: chunk.ncols(),
        };
        let Some(guess) = guess else {
            x.fill([0.0; W]);
            return Ok(run);
        };
        interleave(guess, &scales, x);
        let b = Sides {
            batch: chunk,
            columns: &run.columns[..run.count],
            factors: &scales,
        };
        let mut residual = system.residual(b, (x, r));
        // The initial value zero has the residual b. A guess whose residual is no smaller, or NaN, is
        // replaced by zero: Krylov methods reduce the initial residual, so that a guess worse than zero would
        // cost iterations.
        let useless: [bool; WIDEST] =
            std::array::from_fn(|l| residual[l].is_nan() || residual[l] >= size[l]);
        for l in (0..W).filter(|&l| useless[l]) {
            x.iter_mut().for_each(|x| x[l] = 0.0);
        }
        if useless.contains(&true) {
            residual = system.residual(b, (x, r));
        }
        run.progress.begin(system.criteria.tolerance, &residual);
        run.iteration = I::new(residual);
        Ok(run)
    }

    /// Writes the solutions of the finished lanes into their columns of the chunk.
    fn extract<T: Real, const W: usize>(
        &self,
        system: &System<'_, T>,
        workspace: &mut Workspace<T>,
        chunk: MatMut<'_, f64>,
    ) -> Result<()> {
        let Parts { exact: [x], .. } = workspace.parts::<W, 1>();
        // The iteration has solved A (s x) = s b, so that the lane must be divided by s.
        let finished = (0..self.count).filter(|&l| !self.progress.active[l]);
        let places = finished.map(|l| (l, self.columns[l], self.scales[l].recip()));
        if separate(x, chunk, places) {
            return Ok(());
        }
        Err(Error::Stagnation {
            solver: system.criteria.name,
            iterations: self.progress.stats().iterations,
            residual: f64::INFINITY,
        })
    }

    /// Removes the finished lanes. Returns the new width.
    fn narrow<T: Real>(&mut self, workspace: &mut Workspace<T>, lanes: usize) -> usize {
        let mut keep = [0; WIDEST];
        let mut count = 0;
        for l in (0..self.count).filter(|&l| self.progress.active[l]) {
            (keep[count], self.columns[count]) = (l, self.columns[l]);
            self.scales[count] = self.scales[l];
            count += 1;
        }
        let (keep, to) = (&keep[..count], width(count));
        workspace.narrow(lanes, to, keep);
        self.iteration.narrow(keep);
        self.progress.narrow(keep);
        self.count = count;
        to
    }
}
