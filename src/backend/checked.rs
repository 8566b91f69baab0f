//! A factorisation whose every answer is put back into the equations.

use std::sync::OnceLock;

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Mat, MatMut, MatRef};
use rayon::prelude::*;

use super::pool::Pool;
use super::residual::{self, Equations, Sizes};
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
    /// One over the sizes of the equations, for A and for Aᵀ, so that their units do not matter.
    scales: [Vec<f64>; 2],
    rooms: Pool<Room>,
}

/// Right-hand sides, and room to check answers.
struct Room {
    sides: Mat<f64>,
    residual: residual::Room,
}

impl<'a, D> Checked<'a, D> {
    pub(super) fn new(operator: Operator<'a>, direct: D, tolerance: f64) -> Self {
        Self {
            scales: [Side::Plain, Side::Transpose].map(|side| {
                let sizes = operator.row_sizes(side).into_iter();
                sizes.map(f64::recip).collect()
            }),
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
        let make = || Room {
            sides: Mat::zeros(rows, columns),
            residual: residual::Room::default(),
        };
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
        let equations = Equations {
            operator: &self.operator,
            side,
            b: room.sides.as_ref(),
            scales: &self.scales[usize::from(side == Side::Transpose)],
        };
        let mut judge = |x: MatRef<'_, f64>| {
            let found = equations.judge(x, &mut room.residual).iter();
            found
                .map(judge_column)
                .fold(SolveStats::default(), SolveStats::worst)
        };
        direct.solve(side, x.rb_mut());
        let stats = judge(x.rb());
        if stats.residual <= self.tolerance {
            return stats;
        }
        // One step of iterative refinement mends what mild pivoting trouble left behind.
        let mut r = equations.residual(x.rb());
        direct.solve(side, r.as_mut());
        x += &r;
        judge(x.rb())
    }
}

fn judge_column(found: &Sizes) -> SolveStats {
    let (r, size, b) = (found.residual, found.product, found.side);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Divides by a number that need not be the right one.
    struct Divide(f64, Option<f64>);

    impl Direct for Divide {
        fn solve(&self, _: Side, mut batch: MatMut<'_, f64>) {
            let columns = batch.rb_mut().col_iter_mut();
            columns.for_each(|column| column.iter_mut().for_each(|x| *x /= self.0));
        }

        fn safer(&self, _: &Operator<'_>) -> Option<Box<dyn Direct>> {
            Some(Box::new(Divide(self.1?, None)))
        }
    }

    #[test]
    fn answers_that_fail_are_refined_and_then_found_the_safer_way() {
        let solve = |direct: Divide| {
            let two = Operator::diagonal(vec![2.0; 3]);
            let mut x = Mat::from_fn(3, 20, |i, j| (i + j) as f64);
            let stats = Checked::new(two, direct, 1e-11).solve(Side::Plain, x.as_mut())?;
            assert!(stats.residual <= 1e-11 && (x[(2, 19)] - 10.5).abs() < 1e-9);
            Ok::<_, Error>(())
        };
        assert!(solve(Divide(2.0, None)).is_ok());
        assert!(solve(Divide(2.000001, None)).is_ok(), "one refinement");
        assert!(solve(Divide(5.0, None)).is_err());
        assert!(solve(Divide(5.0, Some(2.0))).is_ok());
        assert!(solve(Divide(0.0, Some(2.0))).is_ok());
        assert!(solve(Divide(5.0, Some(3.0))).is_err());
    }
}
