//! Backend wrapper that counts factorisations and solves, shares factors and warm-starts iterations.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{MatMut, MatRef};
use serde::{Deserialize, Serialize};

use super::operator::{Operator, Side};
use super::reuse::{Reuse, lanes};
use super::warm_start::{Batches, First, Used, WarmStart};
use super::{Backend, Batch, Factor, SolveStats, Solved, stats};
use crate::error::Result;

/// Backend that wraps another one and counts its factorisations, solved columns and iterations.
pub(crate) struct Tally<'b> {
    backend: &'b dyn Backend,
    /// Source of factors that this tally shares with other tallies.
    shared: Option<Arc<Reuse<'b>>>,
    /// Solutions of the last factor, if iterative solves are warm-started.
    warm: Option<WarmStart>,
    counted: Mutex<Counts>,
    /// Tallies of models that are solved side by side, once they are asked for. A backend that solves them one after another has
    /// none.
    lanes: OnceLock<Vec<Tally<'b>>>,
}

/// Counts of a [`Tally`].
#[derive(Clone, Default, Serialize, Deserialize)]
struct Counts {
    factorisations: usize,
    solves: usize,
    iterations: usize,
    solved: Vec<Solved>,
}

/// State of a [`Tally`], without the factors that it shares.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct TallyState {
    counted: Counts,
    warm: Option<Batches>,
    lanes: Vec<TallyState>,
}

impl<'b> Tally<'b> {
    /// Wraps a backend, with all counts at zero.
    pub(crate) fn new(backend: &'b dyn Backend) -> Self {
        Self {
            backend,
            shared: None,
            warm: None,
            counted: Mutex::default(),
            lanes: OnceLock::new(),
        }
    }

    /// Returns the tallies of models that are solved side by side.
    fn beside(&self) -> &[Self] {
        self.lanes.get().map_or(&[], Vec::as_slice)
    }

    /// Returns tallies for the lanes of the backend, as many as at the first call.
    fn split(&self, count: usize) -> &[Self] {
        self.lanes.get_or_init(|| {
            let Some(backends) = lanes(self.backend, count) else {
                return Vec::new();
            };
            let shared = self.shared.as_ref().map(|shared| shared.lanes(&backends));
            let lane = |(index, backend): (usize, &&'b dyn Backend)| Self {
                shared: shared.and_then(|lanes| lanes.get(index).cloned()),
                warm: self.warm.as_ref().map(|_| WarmStart::default()),
                ..Self::new(*backend)
            };
            backends.iter().enumerate().map(lane).collect()
        })
    }

    /// Returns the sum of a count over this tally and its lanes.
    fn total(&self, count: impl Fn(&Counts) -> usize + Copy) -> usize {
        let lanes = self.beside().iter().map(|lane| lane.total(count));
        count(&self.counted()) + lanes.sum::<usize>()
    }

    fn counted(&self) -> MutexGuard<'_, Counts> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state.
    pub(crate) fn state(&self) -> TallyState {
        TallyState {
            counted: self.counted().clone(),
            warm: self.batches(),
            lanes: self.beside().iter().map(Self::state).collect(),
        }
    }

    /// Goes on from a state.
    pub(crate) fn restore(&self, state: TallyState) {
        *self.counted() = state.counted;
        self.restore_batches(state.warm);
        if !state.lanes.is_empty() {
            let lanes = self.split(state.lanes.len()).iter().zip(state.lanes);
            lanes.for_each(|(lane, state)| lane.restore(state));
        }
    }

    /// Returns the batches from which the next solves are warm-started.
    pub(crate) fn batches(&self) -> Option<Batches> {
        self.warm.as_ref().map(WarmStart::batches)
    }

    /// Sets the batches from which the next solves are warm-started.
    pub(crate) fn restore_batches(&self, batches: Option<Batches>) {
        if let (Some(warm), Some(batches)) = (&self.warm, batches) {
            warm.restore(batches);
        }
    }

    /// Takes factors from a shared source. A factor is counted only if the source computes it on request of
    /// this tally.
    pub(crate) fn sharing(mut self, factors: Arc<Reuse<'b>>) -> Self {
        self.shared = Some(factors);
        self
    }

    /// Starts iterative solvers from the solutions of the previous factor.
    pub(crate) fn warm(mut self) -> Self {
        self.warm = Some(WarmStart::default());
        self
    }

    /// Returns the number of factorisations, including those that failed.
    pub(crate) fn factorisations(&self) -> usize {
        self.total(|counts| counts.factorisations)
    }

    /// Returns the number of columns solved, for A and Aᵀ together.
    pub(crate) fn solves(&self) -> usize {
        self.total(|counts| counts.solves)
    }

    /// Returns the number of iterations, summed over batches. For a batch, the slowest column counts.
    pub(crate) fn iterations(&self) -> usize {
        self.total(|counts| counts.iterations)
    }

    /// Returns the number of columns that each method has solved.
    pub(crate) fn solved(&self) -> Vec<Solved> {
        let mut solved = self.counted().solved.clone();
        let beside = self.beside().iter().flat_map(Self::solved);
        beside.for_each(|one| stats::add(&mut solved, one));
        solved
    }

    fn count_factorisation(&self) {
        self.counted().factorisations += 1;
    }

    /// Records the diagnostics of a solve that succeeded.
    fn record(&self, columns: usize, stats: SolveStats) {
        let one = Solved {
            method: stats.method,
            columns,
            iterations: stats.iterations,
        };
        let mut counted = self.counted();
        counted.iterations += stats.iterations;
        stats::add(&mut counted.solved, one);
    }
}

impl Backend for Tally<'_> {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        if a.is_identity() {
            return self.backend.factor(a);
        }
        let (factor, computed) = match &self.shared {
            Some(shared) => shared.factor(a),
            None => self.backend.factor(a).map(|f| (Arc::from(f), true)),
        }
        .inspect_err(|_| self.count_factorisation())?;
        if computed {
            self.count_factorisation();
        }
        Ok(Box::new(Counted {
            factor,
            tally: self,
            used: Used::default(),
        }))
    }

    fn has_factor(&self, a: &Operator<'_>) -> bool {
        self.shared
            .as_ref()
            .is_some_and(|shared| shared.has_factor(a))
    }

    fn discard_factors(&self) {
        if let Some(shared) = &self.shared {
            shared.discard();
        }
    }

    fn lanes(&self, count: usize) -> Option<Vec<&dyn Backend>> {
        let lanes = self.split(count);
        let backends = || lanes.iter().map(|lane| -> &dyn Backend { lane });
        (lanes.len() == count).then(|| backends().collect())
    }
}

/// Factor that counts its solves, and may warm-start its first batches from the solutions of the previous
/// factor.
struct Counted<'a, 'b> {
    factor: Arc<dyn Factor + 'a>,
    tally: &'a Tally<'b>,
    used: Used,
}

impl Factor for Counted<'_, '_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let columns = batch.ncols();
        let first = self.begin(side, columns, guess.is_none().then_some(batch.rb()));
        let start = first.as_ref().map_or(guess, First::guess);
        let stats = self.factor.solve(side, start, batch.rb_mut())?;
        self.end(first, (columns, stats), Some(batch.rb()));
        Ok(stats)
    }

    fn solve_batch(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: Batch,
    ) -> Result<(Batch, SolveStats)> {
        let columns = batch.ncols();
        let first = self.begin(
            side,
            columns,
            on_processor(&batch).filter(|_| guess.is_none()),
        );
        let start = first.as_ref().map_or(guess, First::guess);
        let (x, stats) = self.factor.solve_batch(side, start, batch)?;
        self.end(first, (columns, stats), on_processor(&x));
        Ok((x, stats))
    }

    fn announce(&self, columns: usize) {
        self.factor.announce(columns);
    }
}

fn on_processor(batch: &Batch) -> Option<MatRef<'_, f64>> {
    match batch {
        Batch::Host(x) => Some(x.as_ref()),
        Batch::Device(_) => None,
    }
}

impl Counted<'_, '_> {
    /// Counts `columns` right-hand sides before they are solved, and prepares a warm start if `b` holds them.
    /// Failed solves are counted, but not attributed to a method.
    fn begin(&self, side: Side, columns: usize, b: Option<MatRef<'_, f64>>) -> Option<First> {
        // Columns are counted before the solve, because a failed solve has taken time as well.
        self.tally.counted().solves += columns;
        self.tally.warm.as_ref()?.first(&self.used, side, b?)
    }

    /// Records a successful solve, and stores its solutions for warm starts if they are on the CPU.
    fn end(&self, first: Option<First>, solved: (usize, SolveStats), x: Option<MatRef<'_, f64>>) {
        let (columns, stats) = solved;
        self.tally.record(columns, stats);
        if let (Some(first), Some(warm)) = (first, &self.tally.warm) {
            warm.store(first, stats, x);
        }
    }
}
