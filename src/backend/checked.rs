//! A factorisation whose every answer is put back into the equations.

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{ColRef, Mat, MatMut, MatRef};
use rayon::prelude::*;

use super::{Factor, SINGULAR, SolveStats, check_batch};
use crate::error::{Error, Result};
use crate::operator::{Operator, Side};

/// Columns that are solved together. Fixed, so that results do not depend on the number of threads.
const CHUNK: usize = 16;

/// A direct solve, taken on trust.
pub(super) trait Direct: Send + Sync {
    fn solve(&self, side: Side, batch: MatMut<'_, f64>);
}

impl<D: Direct + ?Sized> Direct for Box<D> {
    fn solve(&self, side: Side, batch: MatMut<'_, f64>) {
        (**self).solve(side, batch);
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
}

impl<'a, D> Checked<'a, D> {
    pub(super) fn new(operator: Operator<'a>, direct: D, tolerance: f64) -> Self {
        Self {
            units: [Side::Plain, Side::Transpose].map(|side| operator.row_sizes(side)),
            operator,
            direct,
            tolerance,
            limit: SINGULAR,
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
        let b = x.rb().to_owned();
        self.direct.solve(side, x.rb_mut());
        let (mut stats, mut r) = self.judge(side, x.rb(), b.as_ref());
        if stats.residual > self.tolerance {
            // One step of iterative refinement mends what mild pivoting trouble left behind.
            self.direct.solve(side, r.as_mut());
            x += &r;
            (stats, _) = self.judge(side, x.rb(), b.as_ref());
        }
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

    /// The residual r = b − Ax, and how large it is beside |A||x| + |b|.
    fn judge(&self, side: Side, x: MatRef<'_, f64>, b: MatRef<'_, f64>) -> (SolveStats, Mat<f64>) {
        let (mut r, mut size) = (
            Mat::zeros(x.nrows(), x.ncols()),
            Mat::zeros(x.nrows(), x.ncols()),
        );
        self.operator.apply_into(side, x, r.as_mut());
        self.operator.magnitude_into(side, x, size.as_mut());
        r = b - &r;
        let units = &self.units[usize::from(side == Side::Transpose)];
        let column = |m: MatRef<'_, f64>, j: usize| largest(m.col(j), units);
        let stats = (0..x.ncols())
            .map(|j| {
                judge_column(
                    column(r.as_ref(), j),
                    column(size.as_ref(), j),
                    column(b, j),
                )
            })
            .fold(SolveStats::default(), SolveStats::worst);
        (stats, r)
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
fn largest(v: ColRef<'_, f64>, units: &[f64]) -> f64 {
    v.iter().zip(units).fold(0.0, |m: f64, (x, unit)| {
        if x.is_nan() {
            f64::INFINITY
        } else {
            m.max(x.abs() / unit)
        }
    })
}
