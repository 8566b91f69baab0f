//! A backend whose factors start their first batch from that of the factor before.
//!
//! What is solved for first with the metric of a point, Z lifted in most directions, is much like what was solved for
//! first with that of the point before. Whether it is can be told from the right-hand sides, so nobody needs to say so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Mat, MatMut, MatRef};

use super::operator::{Operator, Side};
use super::{Backend, Batch, Factor, SolveStats};
use crate::error::Result;
use crate::vector::dot;

/// Most columns that are remembered.
const MOST: usize = 128;

/// A right-hand side of which more than this share of the square is new starts from zero.
const NEW: f64 = 0.25;

/// Remembers the first batch of the last factor, where that took iterations.
pub(crate) struct Recall<B> {
    pub(crate) backend: B,
    last: Mutex<Last>,
}

/// What is known of the last factor.
struct Last {
    /// Whether it iterated: otherwise nothing is copied, for a factorisation has no use for it.
    iterates: bool,
    solved: Option<Solved>,
}

/// Right-hand sides B, and A⁻¹B or A⁻ᵀB.
struct Solved {
    side: Side,
    b: Mat<f64>,
    x: Mat<f64>,
}

impl<B> Recall<B> {
    pub(crate) fn new(backend: B) -> Self {
        Self {
            backend,
            last: Mutex::new(Last {
                iterates: true,
                solved: None,
            }),
        }
    }
}

impl<B: Backend> Backend for Recall<B> {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        Ok(Box::new(Recalling {
            factor: self.backend.factor(a)?,
            last: &self.last,
            used: AtomicBool::new(false),
        }))
    }
}

impl Solved {
    /// For every column b the multiple of an old x that would be right if A had not changed and b had not turned.
    fn near(mut self, side: Side, b: &Mat<f64>) -> Option<Mat<f64>> {
        if (side, b.shape()) != (self.side, self.b.shape()) {
            return None;
        }
        let mut any = false;
        for j in 0..b.ncols() {
            let (old, new) = (self.b.col_as_slice(j), b.col_as_slice(j));
            let (across, square) = (dot(old, new), dot(old, old));
            let kept = across * across > (1.0 - NEW) * square * dot(new, new);
            let share = if kept { across / square } else { 0.0 };
            any |= kept;
            let column = self.x.col_as_slice_mut(j).iter_mut();
            column.for_each(|x| *x *= share);
        }
        any.then_some(self.x)
    }
}

struct Recalling<'a> {
    factor: Box<dyn Factor + 'a>,
    last: &'a Mutex<Last>,
    /// Whether the first batch is done.
    used: AtomicBool,
}

impl Recalling<'_> {
    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be known of a batch before it is solved for, if it is the first.
    fn first(&self, side: Side, b: MatRef<'_, f64>) -> Option<First> {
        if self.used.swap(true, Ordering::Relaxed) || b.ncols() > MOST {
            return None;
        }
        let (iterates, old) = {
            let mut last = self.last();
            (last.iterates, last.solved.take())
        };
        let b = iterates.then(|| b.to_owned());
        let near = match (&b, old) {
            (Some(b), Some(old)) => old.near(side, b),
            _ => None,
        };
        Some(First { side, b, near })
    }

    /// Remembers what came of the first batch. What is not on the processor is not worth the way back.
    fn remember(&self, first: First, stats: SolveStats, x: Option<MatRef<'_, f64>>) {
        let First { side, b, near } = first;
        // From the solution itself there is nothing to iterate.
        let iterates = x.is_some() && (stats.iterations > 0 || near.is_some());
        let solved = match (b, x) {
            (Some(b), Some(x)) if iterates => Some(Solved {
                side,
                b,
                x: x.to_owned(),
            }),
            _ => None,
        };
        *self.last() = Last { iterates, solved };
    }
}

/// The first batch.
struct First {
    side: Side,
    /// The right-hand sides, if they are to be remembered.
    b: Option<Mat<f64>>,
    /// What is near the solution.
    near: Option<Mat<f64>>,
}

impl Factor for Recalling<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let first = match guess {
            None => self.first(side, batch.rb()),
            Some(_) => None,
        };
        let Some(first) = first else {
            return self.factor.solve(side, guess, batch);
        };
        let near = first.near.as_ref().map(|near| near.as_ref());
        let stats = self.factor.solve(side, near, batch.rb_mut())?;
        self.remember(first, stats, Some(batch.rb()));
        Ok(stats)
    }

    fn solve_batch(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: Batch,
    ) -> Result<(Batch, SolveStats)> {
        let first = match (&batch, guess) {
            (Batch::Here(b), None) => self.first(side, b.as_ref()),
            _ => None,
        };
        let Some(first) = first else {
            return self.factor.solve_batch(side, guess, batch);
        };
        let near = first.near.as_ref().map(|near| near.as_ref());
        let (x, stats) = self.factor.solve_batch(side, near, batch)?;
        let here = match &x {
            Batch::Here(x) => Some(x.as_ref()),
            Batch::There(_) => None,
        };
        self.remember(first, stats, here);
        Ok((x, stats))
    }

    fn announce(&self, columns: usize) {
        self.factor.announce(columns);
    }
}
