//! A backend that counts what it is asked for.

use std::sync::atomic::{AtomicUsize, Ordering};

use faer::{MatMut, MatRef};

use super::{Backend, Factor, SolveStats};
use crate::error::Result;
use crate::operator::{Operator, Side};

/// Counts the factorisations, solved columns and iterations that pass through it.
pub(crate) struct Tally<'b> {
    backend: &'b dyn Backend,
    factorisations: AtomicUsize,
    solves: AtomicUsize,
    iterations: AtomicUsize,
}

impl<'b> Tally<'b> {
    pub(crate) fn new(backend: &'b dyn Backend) -> Self {
        Self {
            backend,
            factorisations: AtomicUsize::new(0),
            solves: AtomicUsize::new(0),
            iterations: AtomicUsize::new(0),
        }
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
}

impl Backend for Tally<'_> {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        if a.is_identity() {
            return self.backend.factor(a);
        }
        self.factorisations.fetch_add(1, Ordering::Relaxed);
        let factor = self.backend.factor(a)?;
        Ok(Box::new(Counted {
            factor,
            solves: &self.solves,
            iterations: &self.iterations,
        }))
    }
}

struct Counted<'a> {
    factor: Box<dyn Factor + 'a>,
    solves: &'a AtomicUsize,
    iterations: &'a AtomicUsize,
}

impl Counted<'_> {
    fn book(&self, columns: usize, solved: Result<SolveStats>) -> Result<SolveStats> {
        self.solves.fetch_add(columns, Ordering::Relaxed);
        let stats = solved?;
        self.iterations
            .fetch_add(stats.iterations, Ordering::Relaxed);
        Ok(stats)
    }
}

impl Factor for Counted<'_> {
    fn solve(&self, side: Side, batch: MatMut<'_, f64>) -> Result<SolveStats> {
        self.book(batch.ncols(), self.factor.solve(side, batch))
    }

    fn solve_from(
        &self,
        side: Side,
        near: MatRef<'_, f64>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        self.book(batch.ncols(), self.factor.solve_from(side, near, batch))
    }

    fn expect(&self, columns: usize) {
        self.factor.expect(columns);
    }
}
