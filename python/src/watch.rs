//! Exceptions and interrupts during a computation that has released the interpreter lock.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use pullback::faer::{MatMut, MatRef};
use pullback::linalg::{Batch, Factor, SolveStats};
use pullback::{Backend, Cpu, Error, Operator, Result, Side};
use pyo3::prelude::*;

/// Milliseconds between two looks for signals. A look takes the interpreter lock, for which it may wait until another thread
/// gives it up.
const INTERVAL: u64 = 50;

/// First exception of a computation. Once there is one, all later calls of the model fail at once, so that the computation ends.
pub(crate) struct Watch {
    raised: AtomicBool,
    error: Mutex<Option<PyErr>>,
    started: Instant,
    looked: AtomicU64,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            raised: AtomicBool::new(false),
            error: Mutex::new(None),
            started: Instant::now(),
            looked: AtomicU64::new(0),
        }
    }

    /// Keeps an exception, unless there is an earlier one.
    pub(crate) fn keep(&self, error: PyErr) {
        if let Ok(mut slot) = self.error.lock() {
            slot.get_or_insert(error);
        }
        self.raised.store(true, Ordering::Relaxed);
    }

    /// Returns whether there is an exception.
    pub(crate) fn raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    /// Takes the exception out. The next computation begins without one.
    pub(crate) fn take(&self) -> Option<PyErr> {
        let error = self.error.lock().ok()?.take();
        self.raised.store(false, Ordering::Relaxed);
        error
    }

    /// Looks for Ctrl-C, unless it did so a moment ago. Returns whether the computation has to end.
    ///
    /// Python handles signals in its main thread. In others this finds nothing.
    pub(crate) fn look(&self) -> bool {
        let now = self.started.elapsed().as_millis() as u64;
        let due = now >= self.looked.load(Ordering::Relaxed) + INTERVAL;
        if due && !self.raised() {
            self.looked.store(now, Ordering::Relaxed);
            self.check_signals();
        }
        self.raised()
    }

    /// Keeps Ctrl-C if it was pressed.
    pub(crate) fn check_signals(&self) {
        if let Err(interrupt) = Python::attach(|py| py.check_signals()) {
            self.keep(interrupt);
        }
    }

    /// Returns the exception if there is one, and otherwise the outcome.
    pub(crate) fn conclude<T>(&self, outcome: Result<T>) -> PyResult<T> {
        match self.take() {
            Some(error) => Err(error),
            None => outcome.map_err(crate::error::raise),
        }
    }

    /// Returns the error by which the library learns of an exception.
    pub(crate) fn failure() -> Error {
        Error::model("a method of the model raised an exception")
    }
}

/// Processor that looks for an interrupt before every factorisation and every solve.
pub(crate) struct Interruptible<'w> {
    cpu: Cpu,
    watch: &'w Watch,
}

impl<'w> Interruptible<'w> {
    pub(crate) fn new(watch: &'w Watch) -> Self {
        Self {
            cpu: Cpu::default(),
            watch,
        }
    }
}

impl Watch {
    /// Returns an error if the computation has to end.
    pub(crate) fn proceed(&self) -> Result<()> {
        match self.look() {
            true => Err(Self::failure()),
            false => Ok(()),
        }
    }
}

impl Backend for Interruptible<'_> {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        self.watch.proceed()?;
        Ok(Box::new(Watched {
            factor: self.cpu.factor(a)?,
            watch: self.watch,
        }))
    }

    fn has_factor(&self, a: &Operator<'_>) -> bool {
        self.cpu.has_factor(a)
    }

    fn discard_factors(&self) {
        self.cpu.discard_factors();
    }
}

/// Factor that looks for an interrupt before every solve.
struct Watched<'a> {
    factor: Box<dyn Factor + 'a>,
    watch: &'a Watch,
}

impl Factor for Watched<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        self.watch.proceed()?;
        self.factor.solve(side, guess, batch)
    }

    fn solve_batch(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: Batch,
    ) -> Result<(Batch, SolveStats)> {
        self.watch.proceed()?;
        self.factor.solve_batch(side, guess, batch)
    }

    fn announce(&self, columns: usize) {
        self.factor.announce(columns);
    }
}
