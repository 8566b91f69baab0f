//! A factorisation whose every answer is put back into the equations.

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

pub(crate) use self::in_units::InUnits;
pub(crate) use self::scales::units;
use self::scales::{Scales, scales};
use self::sizes::{Sizes, judge_column, largest};
use self::symmetry::asymmetry;
use crate::error::{Error, Result};
use crate::linalg::memory::{Account, Budget};
use crate::linalg::operator::{Operator, Side};
use crate::linalg::pool::{Pool, at_once};
use crate::linalg::{Factor, Method, SINGULAR, SolveStats, check_batch, check_guess};

/// Columns that are solved together. Fixed, so that results do not depend on the number of threads.
pub(crate) const CHUNK: usize = 16;

/// The size of right-hand sides whose answers are far from overflow: 2⁻⁵⁰⁰.
const SMALL: f64 = f64::from_bits((1023 - 500) << 52);

/// A backward error of rounding alone.
const ROUNDING: f64 = 4.0 * f64::EPSILON;

/// Most steps of iterative refinement, and the fraction of the residual that one may leave if another is to follow.
const REFINEMENTS: usize = 4;
const GAIN: f64 = 0.5;

/// What runs out of memory when a room is made.
const WORK: &str = "batched solve";

/// A direct solve, taken on trust.
pub(crate) trait Direct: Send + Sync {
    /// How it solves.
    fn method(&self) -> Method;

    /// What the factors take.
    fn bytes(&self) -> usize;

    /// What a solve for so many columns needs on the stack.
    fn scratch(&self, columns: usize) -> StackReq;

    /// batch ← A⁻¹ batch or A⁻ᵀ batch, without allocations.
    fn solve(&self, side: Side, batch: MatMut<'_, f64>, stack: &mut MemStack);

    /// A slower and safer way to solve with the same matrix, if there is one and it can be made.
    fn safer(&self, _matrix: &Operator<'_>) -> Option<Box<dyn Direct>> {
        None
    }
}

impl<D: Direct + ?Sized> Direct for Box<D> {
    fn method(&self) -> Method {
        (**self).method()
    }

    fn bytes(&self) -> usize {
        (**self).bytes()
    }

    fn scratch(&self, columns: usize) -> StackReq {
        (**self).scratch(columns)
    }

    fn solve(&self, side: Side, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        (**self).solve(side, batch, stack);
    }

    fn safer(&self, matrix: &Operator<'_>) -> Option<Box<dyn Direct>> {
        (**self).safer(matrix)
    }
}

/// A direct solve and the matrix it is checked against.
pub(crate) struct Checked<'a, D> {
    operator: Operator<'a>,
    direct: D,
    /// What is taken where that failed, made when it first did.
    safer: OnceLock<Option<Box<dyn Direct>>>,
    /// Largest backward error that passes.
    tolerance: f64,
    /// Largest amplification that passes.
    limit: f64,
    /// One over the sizes of the equations, so that their units do not matter.
    scales: Scales,
    rooms: Pool<Room>,
    /// For the rooms, the factors being paid for.
    account: Account,
}

/// Room for a chunk of columns.
struct Room {
    columns: usize,
    /// What is solved for: the batch itself keeps the right-hand side until the answer has passed.
    x: Vec<f64>,
    residual: Vec<f64>,
    /// For |A||x|.
    sizes: Vec<f64>,
    /// What was found out about every column.
    found: Vec<Sizes>,
    memory: MemBuffer,
}

impl<'a, D: Direct> Checked<'a, D> {
    pub(crate) fn new(operator: Operator<'a>, direct: D, tolerance: f64) -> Self {
        Self {
            scales: scales(&operator),
            operator,
            direct,
            safer: OnceLock::new(),
            tolerance,
            limit: SINGULAR,
            rooms: Pool::default(),
            account: Account::new(Budget::UNLIMITED, 0),
        }
    }

    /// Takes room for work only within this budget, of which the factors have had their part.
    pub(crate) fn within(mut self, budget: Budget) -> Self {
        self.account = Account::new(budget, self.direct.bytes());
        self
    }

    /// Takes another limit of the amplification.
    pub(crate) fn limit(mut self, limit: f64) -> Self {
        self.limit = limit;
        self
    }

    fn make_room(&self, columns: usize) -> Result<Room> {
        let rows = self.operator.nrows();
        // Powers of two, so that batches of all widths need few rooms.
        let columns = columns.next_power_of_two();
        let (sizes, scratch) = (
            self.operator.magnitude_room(columns),
            self.direct.scratch(columns),
        );
        let bytes = (2 * rows * columns + sizes) * size_of::<f64>() + scratch.size_bytes();
        self.account.take(WORK, rows, bytes)?;
        let memory = stack(scratch, rows, bytes)?;
        Ok(Room {
            columns,
            x: vec![0.0; rows * columns],
            residual: vec![0.0; rows * columns],
            sizes: vec![0.0; sizes],
            found: vec![Sizes::default(); columns],
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
        let fits = |room: &Room| room.columns >= widest;
        let make = || self.make_room(widest);
        let enough = self.rooms.reserve(at_once(chunks), fits, make).is_ok();
        let solve_chunk = |chunk: MatMut<'_, f64>| {
            let make = || self.make_room(widest);
            self.rooms
                .try_with(fits, make, |room| self.solve_in(room, side, chunk))
        };
        if chunks <= 1 {
            return solve_chunk(batch);
        }
        if !enough {
            // One after another, so that what fits does not depend on the number of threads.
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
    fn solve_in(&self, room: &mut Room, side: Side, mut b: MatMut<'_, f64>) -> Result<SolveStats> {
        // Pivots that were chosen by size mean little where units differ.
        let trusted = !self.scales.mixed || self.safer().is_none();
        let mut stats = match trusted {
            true => self.attempt(&self.direct, room, side, b.rb()),
            false => SolveStats {
                residual: f64::INFINITY,
                ..SolveStats::default()
            },
        };
        if stats.residual > self.tolerance
            && let Some(safer) = self.safer()
        {
            self.widen(room, safer.scratch(b.ncols()))?;
            stats = self.attempt(safer, room, side, b.rb());
        }
        // Where positive definiteness is known by construction, no solution is hopeless: weighted Laplacians
        // with nearly empty regions amplify as much as singular matrices do, and are still right.
        let hopeless =
            stats.amplification > self.limit && !self.operator.is_definite_by_construction();
        if stats.residual <= self.tolerance && !hopeless {
            let rows = b.nrows();
            let solved = &mut room.x[..rows * b.ncols()];
            b.copy_from(as_batch(solved, rows));
            Ok(stats)
        } else {
            Err(self.refusal(room, side, b.rb(), stats))
        }
    }

    /// Fallback factorisation, built on first failure.
    fn safer(&self) -> Option<&dyn Direct> {
        let safer = self.safer.get_or_init(|| self.direct.safer(&self.operator));
        safer.as_deref()
    }

    /// Enlarges the stack of a room for the fallback, if need be. The memory there is was aligned for another method, so
    /// that the start of an array may have to move within it.
    fn widen(&self, room: &mut Room, request: StackReq) -> Result<()> {
        let (needed, held) = (request.unaligned_bytes_required(), room.memory.len());
        if held < needed {
            let rows = self.operator.nrows();
            self.account.take(WORK, rows, needed - held)?;
            room.memory = stack(StackReq::new::<u8>(needed), rows, needed)?;
        }
        Ok(())
    }

    /// Why an answer was refused: the matrix is not what it was declared, the answer is beyond all numbers, or there is
    /// none.
    fn refusal(&self, room: &mut Room, side: Side, b: MatRef<'_, f64>, stats: SolveStats) -> Error {
        if let Some(error) = asymmetry(&self.operator, self.tolerance) {
            return error;
        }
        if stats.residual.is_infinite() && self.overflows(room, side, b) {
            return Error::Overflow {
                what: "the solution of a linear system",
            };
        }
        Error::Singular {
            residual: stats.residual,
            amplification: stats.amplification,
        }
    }

    /// Whether right-hand sides of size 2⁻⁵⁰⁰ with the same directions have an answer: then the true one overflows.
    fn overflows(&self, room: &mut Room, side: Side, b: MatRef<'_, f64>) -> bool {
        let mut small = b.to_owned();
        for j in 0..small.ncols() {
            let column = small.col_as_slice_mut(j);
            let size = column.iter().fold(0.0, |m: f64, b| m.max(b.abs()));
            let scale = SMALL / if size > 0.0 { size } else { 1.0 };
            column.iter_mut().for_each(|b| *b *= scale);
        }
        let small = small.as_ref();
        let stats = match self.safer.get().and_then(Option::as_deref) {
            Some(safer) => self.attempt(safer, room, side, small),
            None => self.attempt(&self.direct, room, side, small),
        };
        stats.residual <= self.tolerance && stats.amplification <= self.limit
    }

    /// room.x ← A⁻¹ b, and how well that satisfies the equations.
    fn attempt(
        &self,
        direct: &(impl Direct + ?Sized),
        room: &mut Room,
        side: Side,
        b: MatRef<'_, f64>,
    ) -> SolveStats {
        let (rows, columns) = b.shape();
        let stack = MemStack::new(&mut room.memory);
        let [x, r] = [&mut room.x, &mut room.residual].map(|v| &mut v[..rows * columns]);
        let (sizes, found) = (&mut room.sizes, &mut room.found[..columns]);
        as_batch(x, rows).copy_from(b);
        direct.solve(side, as_batch(x, rows), stack);
        let mut stats = self.judge(side, (x, b), (r, sizes), found);
        // Steps of iterative refinement mend what pivots of the wrong size left behind. Pivots are chosen by size, which
        // means little where units differ; then it goes on as long as it helps (Skeel 1980).
        let enough = if self.scales.mixed {
            ROUNDING
        } else {
            self.tolerance
        };
        for _ in 0..REFINEMENTS {
            if stats.residual <= enough {
                break;
            }
            let before = stats.residual;
            direct.solve(side, as_batch(r, rows), stack);
            x.iter_mut().zip(&*r).for_each(|(x, r)| *x += r);
            stats = self.judge(side, (x, b), (r, sizes), found);
            if stats.residual > GAIN * before {
                break;
            }
        }
        stats.by(direct.method())
    }

    /// r ← b − Ax, and how large that is beside |A||x| + |b|.
    fn judge(
        &self,
        side: Side,
        (x, b): (&[f64], MatRef<'_, f64>),
        (r, room): (&mut [f64], &mut [f64]),
        found: &mut [Sizes],
    ) -> SolveStats {
        found.fill(Sizes::default());
        let scales = &self.scales.sides[usize::from(side == Side::Transpose)];
        for (found, b) in found.iter_mut().zip(b.col_iter()) {
            found.side = match b.try_as_col_major() {
                Some(b) => largest(b.as_slice(), scales),
                None => b
                    .iter()
                    .zip(scales)
                    .fold(0.0, |m, (b, s)| m.max(b.abs() * s)),
            };
        }
        let note = |j: usize, rows: Range<usize>, r: &[f64], size: &[f64]| {
            let (found, scales) = (&mut found[j], &scales[rows]);
            found.residual = found.residual.max(largest(r, scales));
            found.product = found.product.max(largest(size, scales));
        };
        self.operator.residual_into(side, (x, b), (r, room), note);
        let columns = found.iter().map(judge_column);
        columns.fold(SolveStats::default(), SolveStats::worst)
    }
}

/// Memory for a direct solve, of so many bytes that are wanted in all.
fn stack(request: StackReq, rows: usize, bytes: usize) -> Result<MemBuffer> {
    MemBuffer::try_new(request).map_err(|_| Error::OutOfMemory {
        what: WORK,
        size: rows,
        needed: Some(bytes),
        limit: None,
    })
}

/// Columns one after another as a batch.
fn as_batch(numbers: &mut [f64], rows: usize) -> MatMut<'_, f64> {
    let columns = numbers.len().checked_div(rows).unwrap_or(0);
    MatMut::from_column_major_slice_mut(numbers, rows, columns)
}
