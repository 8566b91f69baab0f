//! Iteration over whole batches: chunks of columns over the threads, a preconditioner in the precision that suits it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use faer::prelude::ReborrowMut;
use faer::{MatMut, MatRef};
use rayon::prelude::*;

use super::bicgstab::BiCgStab;
use super::conjugate_gradients::ConjugateGradients;
use super::dilu::Dilu;
use super::iteration;
use super::iteration::Iteration;
use super::lanes::scale;
use super::level::{Level, reciprocals};
use super::multigrid::Multigrid;
use super::pipeline;
use super::progress::Criteria;
use super::system::{Precondition, System};
use super::workspace::{Extent, Room, WIDEST, WIDTHS, width};
use super::{Precision, StencilSolver};
use crate::error::Result;
use crate::linalg::memory::Budget;
use crate::linalg::operator::{Real, Side, Stencil};
use crate::linalg::pool::{Pool, at_once};
use crate::linalg::{Method, SolveStats};

/// A stencil with a preconditioner, in the precision that was asked for or suits it.
///
/// Single precision halves what a cycle moves, and costs Laplacians no iteration. Along a flow its rounding gathers:
/// that costs one or two of ten iterations in easy cases, and all progress where densities span many decades.
pub(super) enum Iterative {
    Single(Prepared<f32>),
    Double(Prepared<f64>),
}

/// Beyond this span of the diagonal single precision would lose whole equations.
const WIDEST_SPAN: f64 = 1e30;

/// Reciprocal sizes of matrices that numbers of double precision hold with room to spare.
const MODERATE: RangeInclusive<f64> = 1e-100..=1e100;

/// Columns that are not shared out to several threads: each would do the work of as many.
const FEW: usize = 4;

/// What is asked of a solve.
pub(super) struct Wanted<'w> {
    pub(super) stencil: &'w Stencil,
    pub(super) side: Side,
    pub(super) tolerance: f64,
    pub(super) products: usize,
    pub(super) regular: bool,
    pub(super) budget: Budget,
}

impl Wanted<'_> {
    fn criteria(&self, definite: bool) -> Criteria {
        Criteria {
            tolerance: self.tolerance,
            products: self.products,
            regular: self.regular,
            name: if definite { "PCG" } else { "BiCGSTAB" },
        }
    }
}

impl Iterative {
    /// With DILU if that is the solver, with multigrid otherwise.
    pub(super) fn new(
        solver: StencilSolver,
        stencil: &Arc<Stencil>,
        definite: bool,
        precision: Precision,
    ) -> Self {
        if precision.is_single(stencil, definite) {
            Self::Single(Prepared::new(solver, stencil, definite))
        } else {
            Self::Double(Prepared::new(solver, stencil, definite))
        }
    }

    /// What the preconditioner of a stencil takes at most: seven coefficients and a reciprocal a cell, on levels that
    /// add up to two finest ones on a line, and to less in more dimensions.
    pub(super) fn bytes(stencil: &Stencil) -> usize {
        2 * 8 * size_of::<f64>() * stencil.cells()
    }

    /// batch ← A⁻¹ batch, from what is nearly that if it is known.
    pub(super) fn solve(
        &self,
        wanted: &Wanted<'_>,
        near: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        match self {
            Self::Single(prepared) => prepared.solve(wanted, near, batch),
            Self::Double(prepared) => prepared.solve(wanted, near, batch),
        }
    }
}

/// The largest entry of the diagonal.
fn largest(stencil: &Stencil) -> f64 {
    let diagonal = stencil.diagonal().iter();
    diagonal.fold(0.0, |m: f64, d| m.max(d.abs()))
}

/// Brings the diagonal near 1, or the gauge where it is all there is.
pub(crate) fn unit(stencil: &Stencil) -> f64 {
    let size = largest(stencil);
    scale(if size > 0.0 { size } else { stencil.gauge() })
}

impl Precision {
    pub(crate) fn is_single(self, stencil: &Stencil, definite: bool) -> bool {
        match self {
            Self::Auto => definite && fits_single(stencil),
            Self::Single => true,
            Self::Double => false,
        }
    }
}

fn fits_single(stencil: &Stencil) -> bool {
    let least = largest(stencil) / WIDEST_SPAN;
    let diagonal = stencil.diagonal().iter().map(|d| d.abs());
    diagonal.filter(|&d| d > 0.0).all(|d| d >= least)
}

/// A preconditioner, and room for solves with it.
pub(super) struct Prepared<T> {
    precondition: Precondition<T>,
    definite: bool,
    extent: Extent,
    rooms: Pool<Room<T>>,
}

impl<T: Real> Prepared<T> {
    fn new(solver: StencilSolver, stencil: &Arc<Stencil>, definite: bool) -> Self {
        // What holds all numbers as they are need not copy them; units are for sizes that cycles would lose.
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
            line: stencil.rows(Side::Plain).shape[2],
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
            rooms: Pool::default(),
        }
    }

    fn solve(
        &self,
        wanted: &Wanted<'_>,
        near: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let system = System {
            stencil: wanted.stencil,
            side: wanted.side,
            precondition: &self.precondition,
            criteria: wanted.criteria(self.definite),
        };
        let Some(chunk) = self.chunk(batch.ncols(), wanted.budget) else {
            return self.one_by_one(&system, near, (batch, wanted.budget));
        };
        let lanes = width(chunk);
        let (fits, make) = (
            |room: &Room<T>| room.has(lanes),
            || Ok(Room::new(&self.extent, lanes)),
        );
        let count = at_once(batch.ncols().div_ceil(chunk));
        self.rooms.keep(fits);
        self.rooms.reserve(count, fits, make)?;
        let chunks = batch.rb_mut().par_col_chunks_mut(chunk).enumerate();
        chunks
            .map(|(i, columns)| {
                let near = near.map(|near| near.subcols(i * chunk, columns.ncols()));
                self.solve_chunk(&system, near, columns)
            })
            .try_reduce(SolveStats::default, |a, b| Ok(a.worst(b)))
            .map(|stats| stats.by(self.method()))
    }

    /// How many columns stand side by side: as many as keep all threads busy, though not fewer than four, for fewer
    /// take a thread as long; fewer if there is no memory for so many, none if there is not even for single columns on all
    /// threads. The width changes no result.
    fn chunk(&self, columns: usize, budget: Budget) -> Option<usize> {
        let share = columns.div_ceil(rayon::current_num_threads());
        let share = share.max(columns.min(FEW)).clamp(1, WIDEST);
        let narrower = WIDTHS.into_iter().rev().filter(|&w| w < share);
        let widths = [share].into_iter().chain(narrower);
        widths.into_iter().find(|&chunk| {
            let (lanes, count) = (width(chunk), at_once(columns.div_ceil(chunk)));
            let bytes = count * self.extent.bytes::<T>(lanes);
            self.rooms.idle_that(|room| room.has(lanes)) >= count || budget.fits(bytes)
        })
    }

    fn one_by_one(
        &self,
        system: &System<'_, T>,
        near: Option<MatRef<'_, f64>>,
        (batch, budget): (MatMut<'_, f64>, Budget),
    ) -> Result<SolveStats> {
        let bytes = self.extent.bytes::<T>(1);
        budget.check(system.criteria.name, batch.nrows(), bytes)?;
        let mut stats = SolveStats::default();
        for (j, column) in batch.col_iter_mut().enumerate() {
            let near = near.map(|near| near.subcols(j, 1));
            stats = stats.worst(self.solve_chunk(system, near, column.as_mat_mut())?);
        }
        Ok(stats.by(self.method()))
    }

    fn method(&self) -> Method {
        match (&self.precondition, self.definite) {
            (Precondition::Dilu(_), true) => Method::DiluConjugateGradients,
            (Precondition::Dilu(_), false) => Method::DiluBiCgStab,
            (Precondition::Multigrid(_), true) => Method::MultigridConjugateGradients,
            (Precondition::Multigrid(_), false) => Method::MultigridBiCgStab,
        }
    }

    fn solve_chunk(
        &self,
        system: &System<'_, T>,
        near: Option<MatRef<'_, f64>>,
        columns: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let lanes = width(columns.ncols());
        let fits = |room: &Room<T>| room.has(lanes);
        let make = || Room::new(&self.extent, lanes);
        self.rooms.with(fits, make, |room| {
            if self.definite {
                iteration::solve::<ConjugateGradients, T>(system, room, near, columns)
            } else {
                iteration::solve::<BiCgStab, T>(system, room, near, columns)
            }
        })
    }
}

/// One Gauss-Seidel sweep for A x = b, without the gauge, from every corner. Cells without a diagonal keep their values.
pub(crate) fn smooth(stencil: &Stencil, b: &[f64], x: &mut [f64]) {
    let inverse = reciprocals(stencil);
    let kept: Vec<(usize, f64)> = (0..x.len())
        .filter(|&i| inverse[i] == 0.0)
        .map(|i| (i, x[i]))
        .collect();
    let level = Level::<f64>::new(&Arc::new(stencil.clone()), &inverse, 1.0);
    let mut row = vec![[0.0]; stencil.rows(Side::Plain).shape[2]];
    for corner in 0..8 {
        let corner = [0, 1, 2].map(|axis| corner >> axis & 1 == 1);
        let vectors = (b.as_chunks().0, x.as_chunks_mut().0);
        pipeline::sweep::<f64, 1>((&level, Side::Plain, corner), vectors, &mut row);
    }
    kept.into_iter().for_each(|(i, value)| x[i] = value);
}
