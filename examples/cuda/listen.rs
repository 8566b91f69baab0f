//! A backend that passes everything on, and notes who solved it.

use std::sync::{Mutex, PoisonError};

use pullback::faer::{MatMut, MatRef};
use pullback::linalg::{Batch, Factor, SolveStats, Solved};
use pullback::{Backend, Operator, Result, Side};

/// Another backend, listened to.
pub struct Listening<'b> {
    backend: &'b dyn Backend,
    heard: Mutex<Vec<Solved>>,
}

impl<'b> Listening<'b> {
    pub fn new(backend: &'b dyn Backend) -> Self {
        Self {
            backend,
            heard: Mutex::default(),
        }
    }

    /// What was solved since this was last asked, a row for each method.
    pub fn take(&self) -> Vec<Solved> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *heard)
    }

    fn note(&self, columns: usize, stats: SolveStats) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match heard.iter_mut().find(|one| one.method == stats.method) {
            Some(one) => {
                one.columns += columns;
                one.iterations = one.iterations.max(stats.iterations);
            }
            None => heard.push(Solved {
                method: stats.method,
                columns,
                iterations: stats.iterations,
            }),
        }
    }
}

struct Ear<'a> {
    by: &'a Listening<'a>,
    factor: Box<dyn Factor + 'a>,
}

impl Backend for Listening<'_> {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        let factor = self.backend.factor(a)?;
        Ok(Box::new(Ear { by: self, factor }))
    }
}

impl Factor for Ear<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let columns = batch.ncols();
        let stats = self.factor.solve(side, guess, batch)?;
        self.by.note(columns, stats);
        Ok(stats)
    }

    fn solve_batch(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: Batch,
    ) -> Result<(Batch, SolveStats)> {
        let columns = batch.ncols();
        let (batch, stats) = self.factor.solve_batch(side, guess, batch)?;
        self.by.note(columns, stats);
        Ok((batch, stats))
    }

    fn announce(&self, columns: usize) {
        self.factor.announce(columns);
    }
}
