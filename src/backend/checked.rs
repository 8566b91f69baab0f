//! A factorisation whose every answer is put back into the equations.

use std::sync::OnceLock;

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Mat, MatMut, MatRef};
use rayon::prelude::*;

use super::pool::Pool;
use super::{Factor, SINGULAR, SolveStats, check_batch};
use crate::error::{Error, Result};
use crate::operator::{Operator, Side};

/// Columns that are solved together. Fixed, so that results do not depend on the number of threads.
const CHUNK: usize = 16;

/// A direct solve, taken on trust.
pub(super) trait Direct: Send + Sync {
    fn solve(&self, side: Side, batch: MatMut<'_, f64>);

    /// A slower and safer way to solve with the same matrix, if there is one and it can be made.
    fn safer(&self, _matrix: &Operator<'_>) -> Option<Box<dyn Direct>> {
        None
    }
}

impl<D: Direct + ?Sized> Direct for Box<D> {
    fn solve(&self, side: Side, batch: MatMut<'_, f64>) {
        (**self).solve(side, batch);
    }

    fn safer(&self, matrix: &Operator<'_>) -> Option<Box<dyn Direct>> {
        (**self).safer(matrix)
    }
}

/// A direct solve and the matrix it is checked against.
pub(super) struct Checked<'a, D> {
    operator: Operator<'a>,
    direct: D,
    /// What is taken where that failed, made when it first did.
    safer: OnceLock<Option<Box<dyn Direct>>>,
    /// Largest backward error that passes.
    tolerance: f64,
    /// Largest amplification that passes.
    limit: f64,
    /// The sizes of the equations, for A and for Aᵀ, so that their units do not matter.
    units: [Vec<f64>; 2],
    rooms: Pool<Room>,
}

/// Right-hand sides, and a residual and its scale for one column.
struct Room {
    sides: Mat<f64>,
    residual: Mat<f64>,
    size: Mat<f64>,
}

impl Room {
    fn new(rows: usize, columns: usize) -> Self {
        Self {
            sides: Mat::zeros(rows, columns),
            residual: Mat::zeros(rows, 1),
            size: Mat::zeros(rows, 1),
        }
    }
}

impl<'a, D> Checked<'a, D> {
    pub(super) fn new(operator: Operator<'a>, direct: D, tolerance: f64) -> Self {
        Self {
            units: [Side::Plain, Side::Transpose].map(|side| operator.row_sizes(side)),
            operator,
            direct,
            safer: OnceLock::new(),
            tolerance,
            limit: SINGULAR,
            rooms: Pool::default(),
        }
    }

    /// Takes another limit of the amplification.
    pub(super) fn limit(mut self, limit: f64) -> Self {
        self.limit = limit;
        self
    }
}

impl<D: Direct> Factor for Checked<'_, D> {
    fn solve(&self, side: Side, mut batch: MatMut<'_, f64>) -> Result<SolveStats> {
        check_batch(batch.rb(), self.operator.nrows())?;
        if batch.ncols() <= CHUNK {
            return self.solve_chunk(side, batch);
        }
        batch
            .rb_mut()
            .par_col_chunks_mut(CHUNK)
            .map(|chunk| self.solve_chunk(side, chunk))
            .try_reduce(SolveStats::default, |a, b| Ok(a.worst(b)))
    }
}

impl<D: Direct> Checked<'_, D> {
    fn solve_chunk(&self, side: Side, mut x: MatMut<'_, f64>) -> Result<SolveStats> {
        let (rows, columns) = x.shape();
        let fits = |room: &Room| room.sides.shape() == (rows, columns);
        let make = || Room::new(rows, columns);
        let stats = self.rooms.with(fits, make, |room| {
            room.sides.copy_from(x.rb());
            let stats = self.attempt(&self.direct, side, x.rb_mut(), room);
            if stats.residual <= self.tolerance {
                return stats;
            }
            let safer = self.safer.get_or_init(|| self.direct.safer(&self.operator));
            safer.as_ref().map_or(stats, |safer| {
                x.copy_from(&room.sides);
                self.attempt(safer, side, x.rb_mut(), room)
            })
        });
        // Where positive definiteness is known by construction, no solution is hopeless: weighted Laplacians
        // with nearly empty regions amplify as much as singular matrices do, and are still right.
        let hopeless =
            stats.amplification > self.limit && !self.operator.is_definite_by_construction();
        if stats.residual <= self.tolerance && !hopeless {
            Ok(stats)
        } else {
            Err(Error::Singular {
                residual: stats.residual,
                amplification: stats.amplification,
            })
        }
    }

    /// Solves for the right-hand sides in x, of which there is a copy in the room.
    fn attempt(
        &self,
        direct: &impl Direct,
        side: Side,
        mut x: MatMut<'_, f64>,
        room: &mut Room,
    ) -> SolveStats {
        direct.solve(side, x.rb_mut());
        let stats = self.judge(side, x.rb(), room);
        if stats.residual <= self.tolerance {
            return stats;
        }
        // One step of iterative refinement mends what mild pivoting trouble left behind.
        let mut r = Mat::zeros(x.nrows(), x.ncols());
        self.operator.apply_into(side, x.rb(), r.as_mut());
        r = &room.sides - r;
        direct.solve(side, r.as_mut());
        x += &r;
        self.judge(side, x.rb(), room)
    }

    /// How large the residual r = b − Ax is beside |A||x| + |b|, column by column, as a column stays in the caches.
    fn judge(&self, side: Side, x: MatRef<'_, f64>, room: &mut Room) -> SolveStats {
        let units = &self.units[usize::from(side == Side::Transpose)];
        let column = |j: usize| {
            let (r, size) = (&mut room.residual, &mut room.size);
            let (x, b) = (x.subcols(j, 1), room.sides.col(j));
            self.operator.apply_into(side, x, r.as_mut());
            self.operator.magnitude_into(side, x, size.as_mut());
            let differences = b.iter().zip(r.col(0).iter()).map(|(b, ax)| b - ax);
            judge_column(
                largest(differences, units),
                largest(size.col(0).iter().copied(), units),
                largest(b.iter().copied(), units),
            )
        };
        (0..x.ncols())
            .map(column)
            .fold(SolveStats::default(), SolveStats::worst)
    }
}

fn judge_column(r: f64, size: f64, b: f64) -> SolveStats {
    if !(r.is_finite() && size.is_finite()) {
        return SolveStats {
            residual: f64::INFINITY,
            amplification: f64::INFINITY,
            iterations: 0,
        };
    }
    // 0/0 (a zero column) counts as solved.
    SolveStats {
        residual: if r == 0.0 { 0.0 } else { r / (size + b) },
        amplification: if size == 0.0 { 0.0 } else { size / b },
        iterations: 0,
    }
}

/// max |vᵢ|/unitᵢ, infinite if any entry is NaN.
fn largest(v: impl Iterator<Item = f64>, units: &[f64]) -> f64 {
    v.zip(units).fold(0.0, |m: f64, (x, unit)| {
        if x.is_nan() {
            f64::INFINITY
        } else {
            m.max(x.abs() / unit)
        }
    })
}
