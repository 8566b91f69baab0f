//! A backend whose batches stay away from home, with an account of what travels.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pullback::faer::{Mat, MatMut, MatRef};
use pullback::linalg::{Batch, Factor, Remote, SolveStats};
use pullback::{Backend, Cpu, Operator, Result, Side};

/// Numbers of batches that went there and came back, and how it behaves.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) uploaded: AtomicUsize,
    pub(crate) fetched: AtomicUsize,
    /// No operator can be applied there.
    pub(crate) refuses: AtomicBool,
    /// A row gets lost on the way back.
    pub(crate) loses: AtomicBool,
    /// Single columns are said to be amplified beyond all limits.
    pub(crate) doubts: AtomicBool,
}

impl Account {
    /// What was uploaded and fetched since the last time.
    pub(crate) fn take(&self) -> (usize, usize) {
        let [up, back] = [&self.uploaded, &self.fetched].map(|n| n.swap(0, Ordering::Relaxed));
        (up, back)
    }

    /// Keeps a batch.
    pub(crate) fn keep(self: &Arc<Self>, x: Mat<f64>) -> Batch {
        let account = Arc::clone(self);
        Batch::Device(Box::new(Kept { x, account }))
    }
}

/// The processor, which passes for an accelerator.
#[derive(Default)]
pub(crate) struct Far {
    pub(crate) cpu: Cpu,
    pub(crate) account: Arc<Account>,
}

struct FarFactor<'a>(&'a Far, Box<dyn Factor + 'a>);

impl Backend for Far {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        Ok(Box::new(FarFactor(self, self.cpu.factor(a)?)))
    }
}

impl Factor for FarFactor<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        self.1.solve(side, guess, batch)
    }

    fn solve_batch(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: Batch,
    ) -> Result<(Batch, SolveStats)> {
        let account = &self.0.account;
        let mut x = match batch {
            Batch::Host(x) => {
                let numbers = x.nrows() * x.ncols();
                account.uploaded.fetch_add(numbers, Ordering::Relaxed);
                x
            }
            Batch::Device(x) => x.into_any().downcast::<Kept>().unwrap().x,
        };
        let mut stats = self.1.solve(side, guess, x.as_mut())?;
        if x.ncols() == 1 && account.doubts.load(Ordering::Relaxed) {
            stats.amplification = 1e15;
        }
        Ok((account.keep(x), stats))
    }

    fn announce(&self, columns: usize) {
        self.1.announce(columns);
    }
}

struct Kept {
    x: Mat<f64>,
    account: Arc<Account>,
}

impl Remote for Kept {
    fn shape(&self) -> (usize, usize) {
        self.x.shape()
    }

    fn fetch(self: Box<Self>) -> Result<Mat<f64>> {
        let Self { mut x, account } = *self;
        let (rows, columns) = x.shape();
        let numbers = rows * columns;
        account.fetched.fetch_add(numbers, Ordering::Relaxed);
        if account.loses.load(Ordering::Relaxed) {
            x.truncate(rows - 1, columns);
        }
        Ok(x)
    }

    fn apply(&self, a: &Operator<'_>, side: Side) -> Result<Option<Box<dyn Remote>>> {
        if self.account.refuses.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let (x, account) = (a.apply(side, self.x.as_ref())?, Arc::clone(&self.account));
        Ok(Some(Box::new(Self { x, account })))
    }

    fn scale(&mut self, s: f64) -> Result<()> {
        self.x *= pullback::faer::Scale(s);
        Ok(())
    }

    fn centre(&mut self, weights: &[f64]) -> Result<()> {
        let total: f64 = weights.iter().sum();
        for j in 0..self.x.ncols() {
            let column = self.x.col_as_slice_mut(j);
            let mean = column.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>() / total;
            column.iter_mut().for_each(|x| *x -= mean);
        }
        Ok(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}
