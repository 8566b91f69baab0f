//! A backend that starts iterative solvers from the solutions of the factor before.
//!
//! Along a descent, matrices and right-hand sides change little from step to step: ∂g/∂ρ and ∂g/∂θ, the covector of the
//! gradient, tangents lifted by the metric. Whether a right-hand side is similar to an earlier one can be told from its
//! entries, so callers need not say so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Mat, MatMut, MatRef};

use super::operator::{Operator, Side};
use super::{Backend, Batch, Factor, SolveStats};
use crate::error::Result;
use crate::vector::dot;

/// The widest batch that is remembered.
const WIDEST: usize = 512;

/// A right-hand side with more than this share of its square outside the old one starts from zero.
const NEW: f64 = 0.25;

/// Remembers the first batch of either side that the last factor solved, if that took iterations.
pub(crate) struct WarmStart<B> {
    pub(crate) backend: B,
    memory: Mutex<Memory>,
}

/// The solutions of the last factor.
struct Memory {
    /// Whether it iterated. Batches of direct solvers are not copied.
    iterates: bool,
    /// For A and for Aᵀ.
    solved: [Option<Solved>; 2],
}

/// Right-hand sides B with their solutions X.
struct Solved {
    b: Mat<f64>,
    x: Mat<f64>,
}

impl<B> WarmStart<B> {
    pub(crate) fn new(backend: B) -> Self {
        Self {
            backend,
            memory: Mutex::new(Memory {
                iterates: true,
                solved: [None, None],
            }),
        }
    }
}

impl<B: Backend> Backend for WarmStart<B> {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        let factor = self.backend.factor(a)?;
        Ok(Box::new(Started {
            factor,
            memory: &self.memory,
            used: Default::default(),
        }))
    }
}

impl Solved {
    /// Returns a guess for A⁻¹B, or None if all of B is new.
    ///
    /// If A has not changed, the multiple s x of an old solution leaves the residual b − s b_old, which is smallest for
    /// s = ⟨b_old, b⟩/‖b_old‖². Near a match covectors fall by orders of magnitude in a step, and x itself would be worse
    /// than nothing.
    fn guess(mut self, b: &Mat<f64>) -> Option<Mat<f64>> {
        if self.b.nrows() != b.nrows() {
            return None;
        }
        if self.b.ncols() != b.ncols() {
            self = self.matched(b);
        }
        let mut any = false;
        for j in 0..b.ncols() {
            let (old, new) = (self.b.col_as_slice(j), b.col_as_slice(j));
            let (across, square) = (dot(old, new), dot(old, old));
            let similar = across * across > (1.0 - NEW) * square * dot(new, new);
            let multiple = if similar { across / square } else { 0.0 };
            any |= similar;
            let column = self.x.col_as_slice_mut(j).iter_mut();
            column.for_each(|x| *x *= multiple);
        }
        any.then_some(self.x)
    }

    /// Puts the old columns into the order of new ones of another number (bounds may have freed or held a parameter): for
    /// every new column the most similar old one.
    fn matched(self, b: &Mat<f64>) -> Self {
        let similarity = |j: usize, new: &[f64]| {
            let old = self.b.col_as_slice(j);
            let across = dot(old, new);
            across * across / dot(old, old)
        };
        let best = |new: &[f64]| {
            let columns = 0..self.b.ncols();
            columns.max_by(|&i, &j| similarity(i, new).total_cmp(&similarity(j, new)))
        };
        let order: Vec<usize> = (0..b.ncols())
            .filter_map(|j| best(b.col_as_slice(j)))
            .collect();
        let pick = |m: &Mat<f64>| Mat::from_fn(m.nrows(), order.len(), |i, j| m[(i, order[j])]);
        Self {
            b: pick(&self.b),
            x: pick(&self.x),
        }
    }
}

/// A factor whose first batch of either side starts from that of the factor before.
struct Started<'a> {
    factor: Box<dyn Factor + 'a>,
    memory: &'a Mutex<Memory>,
    /// Whether the first batch of a side is done.
    used: [AtomicBool; 2],
}

/// The first batch of a side.
struct First {
    side: Side,
    /// Its right-hand sides, if they are to be remembered.
    b: Option<Mat<f64>>,
    guess: Option<Mat<f64>>,
}

impl Started<'_> {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prepares the first batch of a side; None for later ones, and those with a guess of the caller's.
    fn first(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        b: MatRef<'_, f64>,
    ) -> Option<First> {
        let later = || self.used[index(side)].swap(true, Ordering::Relaxed);
        if guess.is_some() || b.ncols() > WIDEST || b.ncols() == 0 || later() {
            return None;
        }
        let (iterates, old) = {
            let mut memory = self.memory();
            (memory.iterates, memory.solved[index(side)].take())
        };
        let b = iterates.then(|| b.to_owned());
        let guess = match (&b, old) {
            (Some(b), Some(old)) => old.guess(b),
            _ => None,
        };
        Some(First { side, b, guess })
    }

    /// Remembers the solutions of a first batch. Those on a device are not worth fetching.
    fn remember(&self, first: First, stats: SolveStats, x: Option<MatRef<'_, f64>>) {
        let First { side, b, guess } = first;
        // A guess that solves the system needs no iterations.
        let iterates = x.is_some() && (stats.iterations > 0 || guess.is_some());
        let solved = match (b, x) {
            (Some(b), Some(x)) if iterates => Some(Solved { b, x: x.to_owned() }),
            _ => None,
        };
        let mut memory = self.memory();
        memory.iterates = iterates;
        memory.solved[index(side)] = solved;
    }
}

fn index(side: Side) -> usize {
    usize::from(side == Side::Transpose)
}

impl Factor for Started<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let Some(first) = self.first(side, guess, batch.rb()) else {
            return self.factor.solve(side, guess, batch);
        };
        let start = first.guess.as_ref().map(|guess| guess.as_ref());
        let stats = self.factor.solve(side, start, batch.rb_mut())?;
        self.remember(first, stats, Some(batch.rb()));
        Ok(stats)
    }

    fn solve_batch(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: Batch,
    ) -> Result<(Batch, SolveStats)> {
        let first = match &batch {
            Batch::Here(b) => self.first(side, guess, b.as_ref()),
            Batch::There(_) => None,
        };
        let Some(first) = first else {
            return self.factor.solve_batch(side, guess, batch);
        };
        let start = first.guess.as_ref().map(|guess| guess.as_ref());
        let (x, stats) = self.factor.solve_batch(side, start, batch)?;
        let fetched = match &x {
            Batch::Here(x) => Some(x.as_ref()),
            Batch::There(_) => None,
        };
        self.remember(first, stats, fetched);
        Ok((x, stats))
    }

    fn announce(&self, columns: usize) {
        self.factor.announce(columns);
    }
}
