//! Iterative solver for whole batches: chunks of columns on several threads, with a preconditioner in the precision
//! that suits the matrix.

use std::ops::RangeInclusive;
use std::sync::Arc;

use faer::prelude::ReborrowMut;
use faer::{MatMut, MatRef};
use rayon::prelude::*;

use super::bicgstab::BiCgStab;
use super::conjugate_gradients::ConjugateGradients;
use super::dilu::Dilu;
use super::iteration::Iteration;
use super::lanes::scale;
use super::level::{Level, reciprocals};
use super::multigrid::Multigrid;
use super::pipeline::{LINES, MOST_THREADS, Pipeline, Stage, lines};
use super::progress::Criteria;
use super::system::{Precondition, System};
use super::workspace::{Extent, WIDEST, WIDTHS, Workspace, width};
use super::{Precision, StencilSolver, iteration};
use crate::error::Result;
use crate::linalg::memory::Budget;
use crate::linalg::operator::{Real, Side, Stencil};
use crate::linalg::pool::{Pool, at_once};
use crate::linalg::{Method, SolveStats};

/// Largest ratio of diagonal entries for single precision. With a larger ratio, whole equations might
/// underflow.
// Single precision has normal numbers from 10⁻³⁸ on. This leaves eight orders of magnitude for off-diagonal
// entries and for the entries of vectors.
const WIDEST_SPAN: f64 = 1e30;

/// Range of scale factors that double precision does not need, because it is far from overflow and underflow
/// anyway.
const MODERATE: RangeInclusive<f64> = 1e-100..=1e100;

/// Smallest number of columns in a chunk, if memory allows. A single column takes most of the time of two.
const FEW: usize = 2;

/// Equations, stopping criteria and memory budget of one solve.
pub(super) struct Request<'r> {
    pub(super) stencil: &'r Stencil,
    pub(super) side: Side,
    pub(super) tolerance: f64,
    pub(super) products: usize,
    pub(super) regular: bool,
    pub(super) budget: Budget,
}

/// Iterative solver of one stencil with its preconditioner, in either precision.
pub(super) trait Iterative: Send + Sync {
    /// Computes batch ← A⁻¹ batch or A⁻ᵀ batch, from an optional initial guess.
    fn solve(
        &self,
        request: &Request<'_>,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats>;
}

/// Builds the preconditioner of a stencil: DILU for [`StencilSolver::Dilu`], multigrid for all other solvers.
///
/// Single precision halves the memory traffic of a cycle, and needs no additional iterations for Laplacians.
/// For flows, its rounding errors accumulate along the flow. In easy cases this costs one or two additional
/// iterations out of ten, but if densities span many orders of magnitude, the iteration stalls.
pub(super) fn prepare(
    solver: StencilSolver,
    stencil: &Arc<Stencil>,
    definite: bool,
    precision: Precision,
) -> Box<dyn Iterative> {
    if precision.is_single(stencil, definite) {
        Box::new(Preconditioned::<f32>::new(solver, stencil, definite))
    } else {
        Box::new(Preconditioned::<f64>::new(solver, stencil, definite))
    }
}

/// Returns an upper bound on the size of a preconditioner in bytes.
pub(super) fn bytes(stencil: &Stencil) -> usize {
    // Seven coefficients and a reciprocal per cell. If the grid is a line, every level has half the cells of
    // the next finer one, so that all levels together have at most twice the cells of the finest. With more
    // axes they have fewer.
    2 * 8 * size_of::<f64>() * stencil.cells()
}

/// Returns the largest modulus of the diagonal.
fn largest(stencil: &Stencil) -> f64 {
    let diagonal = stencil.diagonal().iter();
    diagonal.fold(0.0, |m: f64, d| m.max(d.abs()))
}

/// Returns the power of two that scales the largest diagonal entry to about 1, or the gauge if the diagonal is zero.
pub(crate) fn unit(stencil: &Stencil) -> f64 {
    let size = largest(stencil);
    // Scaling by a power of two is exact. The preconditioner K is built for unit·A. A constant factor of K
    // changes no iterate of either method, because α, ω and the scalars of conjugate gradients absorb it.
    scale(if size > 0.0 { size } else { stencil.gauge() })
}

impl Precision {
    /// Returns whether the preconditioner of this stencil shall be in single precision.
    pub(crate) fn is_single(self, stencil: &Stencil, definite: bool) -> bool {
        match self {
            Self::Auto => definite && fits_single(stencil),
            Self::Single => true,
            Self::Double => false,
        }
    }
}

/// Returns whether all non-zero diagonal entries, scaled so that the largest is about 1, lie well above the
/// smallest normal number of single precision (about 1e-38).
fn fits_single(stencil: &Stencil) -> bool {
    let least = largest(stencil) / WIDEST_SPAN;
    let diagonal = stencil.diagonal().iter().map(|d| d.abs());
    diagonal.filter(|&d| d > 0.0).all(|d| d >= least)
}

/// Preconditioner in the precision of T, and workspaces for solves with this preconditioner.
struct Preconditioned<T> {
    precondition: Precondition<T>,
    definite: bool,
    extent: Extent,
    workspaces: Pool<Workspace<T>>,
}

impl<T: Real> Preconditioned<T> {
    fn new(solver: StencilSolver, stencil: &Arc<Stencil>, definite: bool) -> Self {
        // Without scaling, a preconditioner in double precision shares the coefficients of the stencil
        // instead of copying them. It is scaled only if a cycle might otherwise overflow or underflow.
        let unit = match unit(stencil) {
            s if T::ROWS.is_some() && MODERATE.contains(&s) => 1.0,
            s => s,
        };
        let (precondition, levels) = if solver == StencilSolver::Dilu {
            let dilu = Dilu::new(stencil, unit);
            (Precondition::Dilu(dilu), vec![stencil.cells()])
        } else {
            let multigrid = Multigrid::new(stencil, definite, unit);
            let levels = multigrid.cells();
            (Precondition::Multigrid(multigrid), levels)
        };
        let extent = Extent {
            levels,
            row: lines(stencil.rows(Side::Plain).shape),
            vectors: if definite {
                ConjugateGradients::VECTORS
            } else {
                BiCgStab::VECTORS
            },
        };
        Self {
            precondition,
            definite,
            extent,
            workspaces: Pool::default(),
        }
    }

    /// Returns the number of columns in a chunk, or `None` if the memory does not even suffice for chunks of
    /// one column on all threads.
    ///
    /// Chunks are as wide as possible while all threads are busy, but at least two columns wide unless
    /// memory is short. The width does not affect results.
    fn chunk(&self, columns: usize, budget: Budget) -> Option<usize> {
        // Three columns on two threads are a chunk of two and one of a single column: three lanes in place of the four that
        // a chunk of all would have.
        let share = columns.div_ceil(rayon::current_num_threads());
        let share = share.max(columns.min(FEW)).clamp(1, WIDEST);
        let narrower = WIDTHS.into_iter().rev().filter(|&w| w < share);
        let widths = [share].into_iter().chain(narrower);
        widths.into_iter().find(|&chunk| {
            let (lanes, count) = (width(chunk), at_once(columns.div_ceil(chunk)));
            let bytes = count * self.extent.bytes::<T>(lanes);
            self.workspaces.idle_that(|w| w.has(lanes)) >= count || budget.fits(bytes)
        })
    }

    /// Allocates workspaces until `count` idle ones have as many lanes.
    fn reserve(&self, count: usize, lanes: usize) -> Result<()> {
        let fits = |workspace: &Workspace<T>| workspace.has(lanes);
        // Wider workspaces serve as well, but not beside others that are yet to be allocated: the budget is for `count`
        // workspaces of these lanes.
        let enough = self.workspaces.idle_that(fits) >= count;
        let keep = |workspace: &Workspace<T>| {
            workspace.has(lanes) && (enough || !workspace.has(lanes + 1))
        };
        self.workspaces.keep(keep);
        let make = || Ok(Workspace::new(&self.extent, lanes));
        self.workspaces.reserve(count, fits, make)
    }

    fn method(&self) -> Method {
        match (&self.precondition, self.definite) {
            (Precondition::Dilu(_), true) => Method::DiluConjugateGradients,
            (Precondition::Dilu(_), false) => Method::DiluBiCgStab,
            (Precondition::Multigrid(_), true) => Method::MultigridConjugateGradients,
            (Precondition::Multigrid(_), false) => Method::MultigridBiCgStab,
        }
    }
}

impl<T: Real> Iterative for Preconditioned<T> {
    fn solve(
        &self,
        request: &Request<'_>,
        guess: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let system = System {
            stencil: request.stencil,
            side: request.side,
            precondition: &self.precondition,
            criteria: Criteria {
                tolerance: request.tolerance,
                products: request.products,
                regular: request.regular,
                name: if self.definite { "PCG" } else { "BiCGSTAB" },
            },
        };
        let chunk = self.chunk(batch.ncols(), request.budget);
        // Threads that have no chunk of their own help with the chunks of others.
        let chunks = chunk.map_or(1, |chunk| batch.ncols().div_ceil(chunk));
        let threads = rayon::current_num_threads() / chunks.clamp(1, rayon::current_num_threads());
        let solve_chunk = |first: usize, columns: MatMut<'_, f64>| {
            let guess = guess.map(|guess| guess.subcols(first, columns.ncols()));
            let lanes = width(columns.ncols());
            let fits = |workspace: &Workspace<T>| workspace.has(lanes);
            let make = || Workspace::new(&self.extent, lanes);
            self.workspaces.with(fits, make, |workspace| {
                workspace.coarse.threads = threads;
                if self.definite {
                    iteration::solve::<ConjugateGradients, T>(&system, workspace, guess, columns)
                } else {
                    iteration::solve::<BiCgStab, T>(&system, workspace, guess, columns)
                }
            })
        };
        let worst = |a: SolveStats, b: SolveStats| Ok(a.worst(b));
        let stats = if let Some(chunk) = chunk {
            self.reserve(at_once(chunks), width(chunk))?;
            let chunks = batch.rb_mut().par_col_chunks_mut(chunk).enumerate();
            chunks
                .map(|(i, columns)| solve_chunk(i * chunk, columns))
                .try_reduce(SolveStats::default, worst)
        } else {
            // Solve one column after another, so that the outcome does not depend on the number of threads.
            let bytes = self.extent.bytes::<T>(1);
            let criteria = &system.criteria;
            request.budget.check(criteria.name, batch.nrows(), bytes)?;
            let mut columns = batch.col_iter_mut().enumerate();
            columns.try_fold(SolveStats::default(), |all, (j, column)| {
                worst(all, solve_chunk(j, column.as_mat_mut())?)
            })
        };
        stats.map(|stats| stats.by(self.method()))
    }
}

/// Performs one Gauss-Seidel sweep for A x = b from each corner of the box. The gauge of A is ignored.
///
/// Cells whose diagonal is zero keep their values.
pub(crate) fn smooth(stencil: &Stencil, b: &[f64], x: &mut [f64]) {
    // If every component of an upwind flow has one sign, one of the eight sweeps visits every cell after its
    // upstream neighbours, and solves the equations exactly.
    let inverse = reciprocals(stencil);
    // A sweep writes 0 into cells whose reciprocal is 0. Their values are restored afterwards.
    let untouched: Vec<(usize, f64)> = (0..x.len())
        .filter(|&i| inverse[i] == 0.0)
        .map(|i| (i, x[i]))
        .collect();
    let level = Level::<f64>::new(&Arc::new(stencil.clone()), &inverse, 1.0);
    let [planes, _, line] = stencil.rows(Side::Plain).shape;
    let row = match planes {
        1 => line,
        _ => LINES * line * at_once(MOST_THREADS),
    };
    let mut row = vec![[0.0]; row];
    // Sweeps that start from the same end of the first axis share a pass.
    for descending in [false, true] {
        let ends = [[false; 2], [false, true], [true, false], [true; 2]];
        let vectors = (b.as_chunks().0, x.as_chunks_mut().0);
        Pipeline::<f64, 1>::new(&level, Side::Plain, vectors, &mut row)
            .run(descending, &mut ends.map(Stage::Sweep));
    }
    untouched.into_iter().for_each(|(i, value)| x[i] = value);
}
