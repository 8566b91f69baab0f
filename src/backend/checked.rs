//! A factorisation whose every answer is put back into the equations.

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{MatMut, MatRef};
use rayon::prelude::*;

use super::memory::{Account, Budget};
use super::pool::{Pool, at_once};
use super::{Factor, Method, SINGULAR, SolveStats, check_batch};
use crate::error::{Error, Result};
use crate::operator::{Operator, Side};

/// Columns that are solved together. Fixed, so that results do not depend on the number of threads.
pub(super) const CHUNK: usize = 16;

/// What runs out of memory when a room is made.
const WORK: &str = "batched solve";

/// A direct solve, taken on trust.
pub(super) trait Direct: Send + Sync {
    /// How it solves.
    fn method(&self) -> Method;

    /// What the factors take.
    fn bytes(&self) -> usize;

    /// What a solve for so many columns needs on the stack.
    fn scratch(&self, columns: usize) -> StackReq;

    /// batch ← A⁻¹ batch or A⁻ᵀ batch, without allocations.
    fn solve(&self, side: Side, batch: MatMut<'_, f64>, stack: &mut MemStack);
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
}

/// A direct solve and the matrix it is checked against.
pub(super) struct Checked<'a, D> {
    operator: Operator<'a>,
    direct: D,
    /// Largest backward error that passes.
    tolerance: f64,
    /// Largest amplification that passes.
    limit: f64,
    /// The sizes of the equations, for A and for Aᵀ, so that their units do not matter.
    units: [Vec<f64>; 2],
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
    memory: MemBuffer,
}

impl<'a, D: Direct> Checked<'a, D> {
    pub(super) fn new(operator: Operator<'a>, direct: D, tolerance: f64) -> Self {
        Self {
            units: [Side::Plain, Side::Transpose].map(|side| operator.row_sizes(side)),
            operator,
            direct,
            tolerance,
            limit: SINGULAR,
            rooms: Pool::default(),
            account: Account::new(Budget::UNLIMITED, 0),
        }
    }

    /// Takes room for work only within this budget, of which the factors have had their part.
    pub(super) fn within(mut self, budget: Budget) -> Self {
        self.account = Account::new(budget, self.direct.bytes());
        self
    }

    /// Takes another limit of the amplification.
    pub(super) fn limit(mut self, limit: f64) -> Self {
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
        let memory = MemBuffer::try_new(scratch).map_err(|_| Error::OutOfMemory {
            what: WORK,
            size: rows,
            needed: Some(bytes),
            limit: None,
        })?;
        Ok(Room {
            columns,
            x: vec![0.0; rows * columns],
            residual: vec![0.0; rows * columns],
            sizes: vec![0.0; sizes],
            memory,
        })
    }
}

impl<D: Direct> Factor for Checked<'_, D> {
    fn solve(&self, side: Side, mut batch: MatMut<'_, f64>) -> Result<SolveStats> {
        check_batch(batch.rb(), self.operator.nrows())?;
        let columns = batch.ncols();
        let (widest, chunks) = (columns.min(CHUNK), columns.div_ceil(CHUNK));
        let fits = |room: &Room| room.columns >= widest;
        self.rooms
            .reserve(at_once(chunks), fits, || self.make_room(widest))?;
        let solve_chunk = |chunk| {
            let make = || self.make_room(widest);
            self.rooms
                .try_with(fits, make, |room| self.solve_in(room, side, chunk))
        };
        if chunks <= 1 {
            return Ok(solve_chunk(batch)?.by(self.direct.method()));
        }
        batch
            .rb_mut()
            .par_col_chunks_mut(CHUNK)
            .map(solve_chunk)
            .try_reduce(SolveStats::default, |a, b| Ok(a.worst(b)))
            .map(|stats| stats.by(self.direct.method()))
    }
}

impl<D: Direct> Checked<'_, D> {
    fn solve_in(&self, room: &mut Room, side: Side, mut b: MatMut<'_, f64>) -> Result<SolveStats> {
        let (rows, columns) = b.shape();
        let stack = MemStack::new(&mut room.memory);
        let [x, r] = [&mut room.x, &mut room.residual].map(|v| &mut v[..rows * columns]);
        as_batch(x, rows).copy_from(b.rb());
        self.direct.solve(side, as_batch(x, rows), stack);
        let mut stats = self.judge(side, (x, b.rb()), (r, &mut room.sizes));
        if stats.residual > self.tolerance {
            // One step of iterative refinement mends what mild pivoting trouble left behind.
            self.direct.solve(side, as_batch(r, rows), stack);
            x.iter_mut().zip(&*r).for_each(|(x, r)| *x += r);
            stats = self.judge(side, (x, b.rb()), (r, &mut room.sizes));
        }
        // Where positive definiteness is known by construction, no solution is hopeless: weighted Laplacians
        // with nearly empty regions amplify as much as singular matrices do, and are still right.
        let hopeless =
            stats.amplification > self.limit && !self.operator.is_definite_by_construction();
        if stats.residual <= self.tolerance && !hopeless {
            b.copy_from(as_batch(x, rows));
            Ok(stats)
        } else {
            Err(Error::Singular {
                residual: stats.residual,
                amplification: stats.amplification,
            })
        }
    }

    /// r ← b − Ax, and how large that is beside |A||x| + |b|.
    fn judge(
        &self,
        side: Side,
        (x, b): (&[f64], MatRef<'_, f64>),
        (r, room): (&mut [f64], &mut [f64]),
    ) -> SolveStats {
        let units = &self.units[usize::from(side == Side::Transpose)];
        let mut stats = SolveStats::default();
        self.operator
            .residual_into(side, (x, b), (r, room), |j, r, size| {
                let column = judge_column(
                    largest(r.iter(), units),
                    largest(size.iter(), units),
                    largest(b.col(j).iter(), units),
                );
                stats = stats.worst(column);
            });
        stats
    }
}

/// Columns one after another as a batch.
fn as_batch(numbers: &mut [f64], rows: usize) -> MatMut<'_, f64> {
    let columns = numbers.len().checked_div(rows).unwrap_or(0);
    MatMut::from_column_major_slice_mut(numbers, rows, columns)
}

fn judge_column(r: f64, size: f64, b: f64) -> SolveStats {
    if !(r.is_finite() && size.is_finite()) {
        return SolveStats {
            residual: f64::INFINITY,
            amplification: f64::INFINITY,
            ..SolveStats::default()
        };
    }
    // 0/0 (a zero column) counts as solved.
    SolveStats {
        residual: if r == 0.0 { 0.0 } else { r / (size + b) },
        amplification: if size == 0.0 { 0.0 } else { size / b },
        ..SolveStats::default()
    }
}

/// max |vᵢ|/unitᵢ, infinite if any entry is NaN.
fn largest<'v>(v: impl Iterator<Item = &'v f64>, units: &[f64]) -> f64 {
    v.zip(units).fold(0.0, |m: f64, (x, unit)| {
        if x.is_nan() {
            f64::INFINITY
        } else {
            m.max(x.abs() / unit)
        }
    })
}
