//! Backend that forwards every call to another one and records the methods used.

use std::sync::{Mutex, PoisonError};

use pullback::faer::{MatMut, MatRef};
use pullback::linalg::{Batch, Factor, SolveStats, Solved};
use pullback::{Backend, Operator, Result, Side};

/// Recorder of the solves of another backend.
pub struct Recorder<'b> {
    backend: &'b dyn Backend,
    record: Mutex<Vec<Solved>>,
}

impl<'b> Recorder<'b> {
    pub fn new(backend: &'b dyn Backend) -> Self {
        Self {
            backend,
            record: Mutex::default(),
        }
    }

    /// Returns and clears the record, which has one entry per method.
    pub fn take(&self) -> Vec<Solved> {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *record)
    }

    fn note(&self, columns: usize, stats: SolveStats) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        match record.iter_mut().find(|one| one.method == stats.method) {
            Some(one) => {
                one.columns += columns;
                one.iterations = one.iterations.max(stats.iterations);
            }
            None => record.push(Solved {
                method: stats.method,
                columns,
                iterations: stats.iterations,
            }),
        }
    }
}

struct RecordedFactor<'a> {
    recorder: &'a Recorder<'a>,
    factor: Box<dyn Factor + 'a>,
}

impl Backend for Recorder<'_> {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        let factor = self.backend.factor(a)?;
        Ok(Box::new(RecordedFactor {
            recorder: self,
            factor,
        }))
    }
}

impl Factor for RecordedFactor<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let columns = batch.ncols();
        let stats = self.factor.solve(side, guess, batch)?;
        self.recorder.note(columns, stats);
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
        self.recorder.note(columns, stats);
        Ok((batch, stats))
    }

    fn announce(&self, columns: usize) {
        self.factor.announce(columns);
    }
}
