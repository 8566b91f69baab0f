//! A backend that counts what it is asked for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use faer::{MatMut, MatRef};

use super::operator::{Operator, Side};
use super::{Backend, Batch, Factor, Factors, SolveStats, Solved, stats};
use crate::error::Result;

/// Counts the factorisations, solved columns and iterations that pass through it.
pub(crate) struct Tally<'b> {
    backend: &'b dyn Backend,
    /// Where factors of equal matrices are found, if they are shared with another tally.
    shared: Option<Arc<dyn Factors + 'b>>,
    factorisations: AtomicUsize,
    solves: AtomicUsize,
    iterations: AtomicUsize,
    solved: Mutex<Vec<Solved>>,
}

impl<'b> Tally<'b> {
    pub(crate) fn new(backend: &'b dyn Backend) -> Self {
        Self {
            backend,
            shared: None,
            factorisations: AtomicUsize::new(0),
            solves: AtomicUsize::new(0),
            iterations: AtomicUsize::new(0),
            solved: Mutex::default(),
        }
    }

    /// Takes factors from here where they are known; only those that have to be made are counted.
    pub(crate) fn sharing(mut self, factors: Arc<dyn Factors + 'b>) -> Self {
        self.shared = Some(factors);
        self
    }

    pub(crate) fn factorisations(&self) -> usize {
        self.factorisations.load(Ordering::Relaxed)
    }

    /// Columns solved, A and Aᵀ together.
    pub(crate) fn solves(&self) -> usize {
        self.solves.load(Ordering::Relaxed)
    }

    /// Iterations of iterative solvers, those of the slowest column of every batch.
    pub(crate) fn iterations(&self) -> usize {
        self.iterations.load(Ordering::Relaxed)
    }

    /// How many columns were solved for by which method.
    pub(crate) fn solved(&self) -> Vec<Solved> {
        let solved = self.solved.lock();
        solved.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Failing factorisations count as well.
    fn count_factorisation(&self) {
        self.factorisations.fetch_add(1, Ordering::Relaxed);
    }

    fn note(&self, columns: usize, stats: SolveStats) {
        self.iterations
            .fetch_add(stats.iterations, Ordering::Relaxed);
        let mut solved = self.solved.lock().unwrap_or_else(PoisonError::into_inner);
        let one = Solved {
            method: stats.method,
            columns,
            iterations: stats.iterations,
        };
        stats::add(&mut solved, one);
    }
}

impl Backend for Tally<'_> {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        if a.is_identity() {
            return self.backend.factor(a);
        }
        let (factor, made) = match &self.shared {
            Some(shared) => shared.factor(a),
            None => self.backend.factor(a).map(|f| (Arc::from(f), true)),
        }
        .inspect_err(|_| self.count_factorisation())?;
        if made {
            self.count_factorisation();
        }
        Ok(Box::new(Counted {
            factor,
            tally: self,
        }))
    }

    fn has_factor(&self, a: &Operator<'_>) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.knows(a))
    }
}

struct Counted<'a> {
    factor: Arc<dyn Factor + 'a>,
    tally: &'a Tally<'a>,
}

impl Factor for Counted<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let columns = batch.ncols();
        self.count(columns);
        let stats = self.factor.solve(side, guess, batch)?;
        self.tally.note(columns, stats);
        Ok(stats)
    }

    fn solve_batch(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: Batch,
    ) -> Result<(Batch, SolveStats)> {
        let columns = batch.ncols();
        self.count(columns);
        let (x, stats) = self.factor.solve_batch(side, guess, batch)?;
        self.tally.note(columns, stats);
        Ok((x, stats))
    }

    fn announce(&self, columns: usize) {
        self.factor.announce(columns);
    }
}

impl Counted<'_> {
    /// Counts columns before they are solved: failing solves count, but no method is credited with them.
    fn count(&self, columns: usize) {
        self.tally.solves.fetch_add(columns, Ordering::Relaxed);
    }
}
