//! Backend wrapper that warm-starts iterative solvers from the solutions of the previous factor.
//!
//! Along a descent, matrices and right-hand sides change little from step to step: ∂g/∂ρ and ∂g/∂θ, the covector of the
//! gradient, tangents lifted by the metric. Similar right-hand sides are recognised by their entries, so that callers
//! need not declare them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Mat, MatMut, MatRef};

use super::operator::{Operator, Side};
use super::{Backend, Batch, Factor, SolveStats};
use crate::error::Result;
use crate::vector::dot;

/// Largest number of columns of a batch that is stored.
const WIDEST: usize = 512;

/// Largest fraction of ‖b‖² orthogonal to the old right-hand side for which the old solution serves as guess.
const NEW: f64 = 0.25;

/// Backend that stores the first batch of either side that the last factor solved by iterations.
pub(crate) struct WarmStart<B> {
    pub(crate) backend: B,
    memory: Mutex<Memory>,
}

/// Solutions of the last factor.
struct Memory {
    /// Whether the last first batch was solved by iterations on the processor. Batches of other solvers are not copied.
    iterates: bool,
    /// First batches for A and for Aᵀ.
    solved: [Option<Solved>; 2],
}

/// Right-hand sides B and their solutions X.
struct Solved {
    b: Mat<f64>,
    x: Mat<f64>,
}

impl<B> WarmStart<B> {
    /// Wraps a backend, with no solutions stored.
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
        Ok(Box::new(WarmStarted {
            factor,
            memory: &self.memory,
            used: Default::default(),
        }))
    }
}

impl Solved {
    /// Returns a guess for A⁻¹B, or `None` if no column of B is similar to an old one.
    ///
    /// The guess is a multiple of the old solution. Near a match with the data, covectors decrease by orders of
    /// magnitude in a step, and the old solution itself would be a worse guess than zero.
    fn guess(mut self, b: &Mat<f64>) -> Option<Mat<f64>> {
        if self.b.nrows() != b.nrows() {
            return None;
        }
        if self.b.ncols() != b.ncols() {
            self = self.matched(b);
        }
        let mut any = false;
        for j in 0..b.ncols() {
            // If A has not changed, the multiple s x of an old solution leaves the residual b − s b_old. It is smallest
            // for s = ⟨b_old, b⟩/‖b_old‖², when ‖b − s b_old‖² = ‖b‖² − ⟨b_old, b⟩²/‖b_old‖². The columns are similar
            // if this is less than `NEW` times ‖b‖².
            let (old, new) = (self.b.col_as_slice(j), b.col_as_slice(j));
            let (inner, square) = (dot(old, new), dot(old, old));
            let similar = inner * inner > (1.0 - NEW) * square * dot(new, new);
            let multiple = if similar { inner / square } else { 0.0 };
            any |= similar;
            let column = self.x.col_as_slice_mut(j).iter_mut();
            column.for_each(|x| *x *= multiple);
        }
        any.then_some(self.x)
    }

    /// Selects the most similar old column for every new one.
    ///
    /// The number of columns changes when bounds release or hold a parameter.
    fn matched(self, b: &Mat<f64>) -> Self {
        let similarity = |j: usize, new: &[f64]| {
            let old = self.b.col_as_slice(j);
            let inner = dot(old, new);
            inner * inner / dot(old, old)
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

/// Factor whose first batch of either side is warm-started from that of the previous factor.
struct WarmStarted<'a> {
    factor: Box<dyn Factor + 'a>,
    memory: &'a Mutex<Memory>,
    /// Whether the first batch of each side has been solved.
    used: [AtomicBool; 2],
}

/// First batch of a side.
struct First {
    side: Side,
    /// Copy of the right-hand sides, if they are to be stored.
    b: Option<Mat<f64>>,
    guess: Option<Mat<f64>>,
}

impl WarmStarted<'_> {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prepares the first batch of a side. Returns `None` for later batches, and if the caller supplies a guess.
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

    /// Stores the solutions of a first batch, unless they are on a device, from which fetching them does not pay.
    fn store(&self, first: First, stats: SolveStats, x: Option<MatRef<'_, f64>>) {
        let First { side, b, guess } = first;
        // No iterations mean a direct solver, or a guess that already solved the system.
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

impl Factor for WarmStarted<'_> {
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
        self.store(first, stats, Some(batch.rb()));
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
        self.store(first, stats, fetched);
        Ok((x, stats))
    }

    fn announce(&self, columns: usize) {
        self.factor.announce(columns);
    }
}
