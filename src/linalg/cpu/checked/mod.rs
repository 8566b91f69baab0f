//! Verified direct solves: every solution is substituted into the equations, and accepted, refined or refused.

mod direct;
mod in_units;
mod scales;
mod sizes;
mod symmetry;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::OnceLock;

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{MatMut, MatRef};
use rayon::prelude::*;

pub(crate) use self::direct::Direct;
pub(crate) use self::in_units::InUnits;
pub(crate) use self::scales::units;
use self::scales::{Scales, scales};
use self::sizes::{Norms, judge_column, largest};
use self::symmetry::asymmetry;
use crate::error::{Error, Result};
use crate::linalg::memory::{Account, Budget};
use crate::linalg::operator::{Operator, Residual, Side};
use crate::linalg::pool::{Pool, SHARED, at_once, beside, in_pool};
use crate::linalg::{Factor, SINGULAR, SolveStats, check_batch, check_guess};

/// Number of columns that are solved together. It is fixed, so that results do not depend on the number of threads.
pub(crate) const CHUNK: usize = 16;

/// Norm 2⁻⁵⁰⁰ of the right-hand sides with which an overflow is diagnosed.
// A normal f64 2ᵉ has the biased exponent 1023 + e, above a 52-bit mantissa of zeros.
const SMALL: f64 = f64::from_bits((1023 - 500) << 52);

/// Backward error at the level of rounding.
// Rounding errors in a residual, a sum of a few terms, are about this large.
const ROUNDING: f64 = 4.0 * f64::EPSILON;

/// Largest number of iterative refinement steps.
const REFINEMENTS: usize = 4;

/// Largest ratio of the backward errors after and before a refinement step for which another step follows.
const GAIN: f64 = 0.5;

/// Number of rows from which the scales are computed beside the factorisation.
const MANY: usize = 1 << 14;

/// Name of the computation in out-of-memory errors for workspaces.
const WORK: &str = "batched solve";

/// Direct solver whose solutions are verified against the matrix.
pub(crate) struct Checked<'a, D> {
    operator: Operator<'a>,
    direct: D,
    /// Fallback factorisation, built when a solve of `direct` first fails. None if it cannot be built.
    safer: OnceLock<Option<Box<dyn Direct>>>,
    /// Largest accepted backward error of a solution.
    tolerance: f64,
    /// Largest accepted amplification ‖|A||x|‖/‖b‖ of a solution.
    limit: f64,
    /// Row scaling of A and of Aᵀ, which makes the backward error independent of the units of the equations.
    scales: Scales,
    workspaces: Pool<Workspace>,
    /// Memory account of factors and workspaces. The factors are already charged.
    account: Account,
}

/// Workspace for a chunk of columns.
struct Workspace {
    columns: usize,
    /// Solution x. The batch keeps the right-hand side b until the solution is accepted.
    x: Vec<f64>,
    residual: Vec<f64>,
    /// Buffer for |A||x|.
    sizes: Vec<f64>,
    /// Norms from which the backward error is computed, for every column of the chunk.
    norms: Vec<Norms>,
    /// Scratch memory of the direct solver.
    memory: MemBuffer,
}

impl<'a, D: Direct> Checked<'a, D> {
    /// Creates a solver that verifies the solutions of `direct` against `operator`. `tolerance` is the
    /// largest accepted backward error.
    pub(crate) fn new(operator: Operator<'a>, direct: D, tolerance: f64) -> Self {
        Self::with_scales(scales(&operator), operator, direct, tolerance)
    }

    /// Creates a solver as [`new`](Self::new) does, and calls `factorise` beside the computation of the scales.
    pub(crate) fn beside_scales(
        operator: Operator<'a>,
        factorise: impl FnOnce() -> Result<D> + Send,
        tolerance: f64,
    ) -> Result<Self> {
        let pays = operator.nrows() >= MANY;
        let (direct, scales) = beside(pays, factorise, || scales(&operator));
        Ok(Self::with_scales(scales, operator, direct?, tolerance))
    }

    fn with_scales(scales: Scales, operator: Operator<'a>, direct: D, tolerance: f64) -> Self {
        Self {
            scales,
            operator,
            direct,
            safer: OnceLock::new(),
            tolerance,
            limit: SINGULAR,
            workspaces: Pool::default(),
            account: Account::new(Budget::UNLIMITED, 0),
        }
    }

    /// Limits the memory of factors and workspaces together, and charges the factors.
    pub(crate) fn within(mut self, budget: Budget) -> Self {
        self.account = Account::new(budget, self.direct.bytes());
        self
    }

    /// Sets the largest accepted amplification of a solution.
    pub(crate) fn limit(mut self, limit: f64) -> Self {
        self.limit = limit;
        self
    }

    /// Allocates a workspace for at least `columns` columns.
    fn new_workspace(&self, columns: usize) -> Result<Workspace> {
        let rows = self.operator.nrows();
        // Round up to a power of two, so that a few workspaces serve batches of all widths.
        let columns = columns.next_power_of_two();
        let (sizes, scratch) = (
            self.operator.magnitude_workspace(columns),
            self.direct.scratch(columns),
        );
        let bytes = (2 * rows * columns + sizes) * size_of::<f64>() + scratch.size_bytes();
        self.account.take(WORK, rows, bytes)?;
        let memory = stack(scratch, rows, bytes)?;
        Ok(Workspace {
            columns,
            x: vec![0.0; rows * columns],
            residual: vec![0.0; rows * columns],
            sizes: vec![0.0; sizes],
            norms: (0..columns).map(|_| Norms::default()).collect(),
            memory,
        })
    }
}

impl<D: Direct> Factor for Checked<'_, D> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_guess(guess, batch.rb())?;
        check_batch(batch.rb(), self.operator.nrows())?;
        if batch.nrows() == 0 {
            return Ok(SolveStats::default().by(self.direct.method()));
        }
        let columns = batch.ncols();
        let (widest, chunks) = (columns.min(CHUNK), columns.div_ceil(CHUNK));
        let fits = |workspace: &Workspace| workspace.columns >= widest;
        let make = || self.new_workspace(widest);
        let enough = self.workspaces.reserve(at_once(chunks), fits, make).is_ok();
        let solve_chunk = |chunk: MatMut<'_, f64>| {
            let make = || self.new_workspace(widest);
            self.workspaces.try_with(fits, make, |workspace| {
                self.solve_in(workspace, side, chunk)
            })
        };
        if chunks <= 1 {
            let pays = self.direct.shared_work() * columns >= SHARED;
            return in_pool(pays, || solve_chunk(batch));
        }
        if !enough {
            // Solve one chunk after another, so that the memory limit has the same effect for any number of
            // threads.
            let mut firsts = (0..columns).step_by(CHUNK);
            return firsts.try_fold(SolveStats::default(), |all, first| {
                let chunk = batch
                    .rb_mut()
                    .subcols_mut(first, CHUNK.min(columns - first));
                Ok(all.worst(solve_chunk(chunk)?))
            });
        }
        batch
            .rb_mut()
            .par_col_chunks_mut(CHUNK)
            .map(solve_chunk)
            .try_reduce(SolveStats::default, |a, b| Ok(a.worst(b)))
    }
}

impl<D: Direct> Checked<'_, D> {
    fn solve_in(
        &self,
        workspace: &mut Workspace,
        side: Side,
        mut b: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        // Pivots are chosen by magnitude, which means little if the unknowns have very different units. In
        // that case, use the scaled factorisation at once, if one can be built.
        let trusted = !self.scales.mixed || self.safer().is_none();
        let mut stats = match trusted {
            true => self.attempt(&self.direct, workspace, side, b.rb()),
            false => SolveStats {
                residual: f64::INFINITY,
                ..SolveStats::default()
            },
        };
        if stats.residual > self.tolerance
            && let Some(safer) = self.safer()
        {
            self.widen(workspace, safer.scratch(b.ncols()))?;
            stats = self.attempt(safer, workspace, side, b.rb());
        }
        // The amplification is ignored if the matrix is positive definite by construction. Weighted
        // Laplacians with nearly empty regions amplify as much as singular matrices, but their solutions are
        // accurate.
        let singular =
            stats.amplification > self.limit && !self.operator.is_definite_by_construction();
        if stats.residual <= self.tolerance && !singular {
            let rows = b.nrows();
            let solved = &mut workspace.x[..rows * b.ncols()];
            b.copy_from(as_batch(solved, rows));
            Ok(stats)
        } else {
            Err(self.refusal(workspace, side, b.rb(), stats))
        }
    }

    /// Returns the fallback factorisation, which the first call builds. Returns None if it cannot be built.
    fn safer(&self) -> Option<&dyn Direct> {
        let safer = self.safer.get_or_init(|| self.direct.safer(&self.operator));
        safer.as_deref()
    }

    /// Enlarges the scratch memory of a workspace for the fallback, if necessary.
    ///
    /// The existing memory was aligned for another method. The request therefore includes padding to align arrays.
    fn widen(&self, workspace: &mut Workspace, request: StackReq) -> Result<()> {
        let (needed, held) = (request.unaligned_bytes_required(), workspace.memory.len());
        if held < needed {
            let rows = self.operator.nrows();
            self.account.take(WORK, rows, needed - held)?;
            workspace.memory = stack(StackReq::new::<u8>(needed), rows, needed)?;
        }
        Ok(())
    }

    /// Finds the reason why a solution was refused: the matrix is not symmetric as declared, the solution overflows, or
    /// the matrix is singular.
    fn refusal(
        &self,
        workspace: &mut Workspace,
        side: Side,
        b: MatRef<'_, f64>,
        stats: SolveStats,
    ) -> Error {
        if let Some(error) = asymmetry(&self.operator, self.tolerance) {
            return error;
        }
        if stats.residual.is_infinite() && self.overflows(workspace, side, b) {
            return Error::Overflow {
                what: "the solution of a linear system",
            };
        }
        Error::Singular {
            residual: stats.residual,
            amplification: stats.amplification,
        }
    }

    /// Returns whether the solution exists but overflows. This is the case if the system can be solved after
    /// its right-hand sides have been scaled down to norm 2⁻⁵⁰⁰.
    fn overflows(&self, workspace: &mut Workspace, side: Side, b: MatRef<'_, f64>) -> bool {
        let mut small = b.to_owned();
        for j in 0..small.ncols() {
            let column = small.col_as_slice_mut(j);
            let size = column.iter().fold(0.0, |m: f64, b| m.max(b.abs()));
            let scale = SMALL / if size > 0.0 { size } else { 1.0 };
            column.iter_mut().for_each(|b| *b *= scale);
        }
        let small = small.as_ref();
        let stats = match self.safer.get().and_then(Option::as_deref) {
            Some(safer) => self.attempt(safer, workspace, side, small),
            None => self.attempt(&self.direct, workspace, side, small),
        };
        let trusted = self.operator.is_definite_by_construction();
        stats.residual <= self.tolerance && (trusted || stats.amplification <= self.limit)
    }

    /// Computes workspace.x ← A⁻¹ b or A⁻ᵀ b, with iterative refinement. Returns the backward error and the
    /// amplification.
    fn attempt(
        &self,
        direct: &(impl Direct + ?Sized),
        workspace: &mut Workspace,
        side: Side,
        b: MatRef<'_, f64>,
    ) -> SolveStats {
        let (rows, columns) = b.shape();
        let stack = MemStack::new(&mut workspace.memory);
        let [x, r] = [&mut workspace.x, &mut workspace.residual].map(|v| &mut v[..rows * columns]);
        let (workspace, norms) = (&mut workspace.sizes, &mut workspace.norms[..columns]);
        as_batch(x, rows).copy_from(b);
        direct.solve(side, as_batch(x, rows), stack);
        let vectors = Residual { x, b, r, workspace };
        let mut stats = self.judge(side, vectors, norms);
        // Iterative refinement x ← x + A⁻¹(b − A x) repairs the effect of unsuitable pivots. If the factors
        // are those of A + E, a step multiplies the error by (A + E)⁻¹E, which reduces it as long as E is
        // small. If the unknowns have very different units, pivots are unsuitable more often, because they
        // are chosen by magnitude. Refinement then continues down to rounding errors as long as it helps
        // (Skeel 1980).
        let target = if self.scales.mixed {
            ROUNDING
        } else {
            self.tolerance
        };
        for _ in 0..REFINEMENTS {
            if stats.residual <= target {
                break;
            }
            let before = stats.residual;
            direct.solve(side, as_batch(r, rows), stack);
            x.iter_mut().zip(&*r).for_each(|(x, r)| *x += r);
            let vectors = Residual { x, b, r, workspace };
            stats = self.judge(side, vectors, norms);
            if stats.residual > GAIN * before {
                break;
            }
        }
        stats.by(direct.method())
    }

    /// Computes r ← b − A x. Returns the backward error, relative to |A||x| + |b|, and the amplification,
    /// both for the worst column.
    fn judge(&self, side: Side, vectors: Residual<'_>, norms: &mut [Norms]) -> SolveStats {
        norms.fill_with(Norms::default);
        let scales = &self.scales.sides[usize::from(side == Side::Transpose)];
        for (norms, b) in norms.iter_mut().zip(vectors.b.col_iter()) {
            norms.side = match b.try_as_col_major() {
                Some(b) => largest(b.as_slice(), scales),
                None => b
                    .iter()
                    .zip(scales)
                    .fold(0.0, |m, (b, s)| m.max(b.abs() * s)),
            };
        }
        let measure = |j: usize, rows: Range<usize>, r: &[f64], size: &[f64]| {
            let (norms, scales) = (&norms[j], &scales[rows]);
            norms.residual.raise(largest(r, scales));
            norms.product.raise(largest(size, scales));
        };
        self.operator.residual_into(side, vectors, &measure);
        let columns = norms.iter().map(judge_column);
        columns.fold(SolveStats::default(), SolveStats::worst)
    }
}

/// Allocates scratch memory for a direct solve. `bytes` is the size of the whole workspace, for the error message.
fn stack(request: StackReq, rows: usize, bytes: usize) -> Result<MemBuffer> {
    MemBuffer::try_new(request).map_err(|_| Error::OutOfMemory {
        what: WORK,
        size: rows,
        needed: Some(bytes),
        limit: None,
    })
}

/// Views columns that are stored one after another as a batch.
fn as_batch(numbers: &mut [f64], rows: usize) -> MatMut<'_, f64> {
    let columns = numbers.len().checked_div(rows).unwrap_or(0);
    MatMut::from_column_major_slice_mut(numbers, rows, columns)
}
