//! Matrices made ready for solving on a device, with the processor for what iteration cannot do.

use std::sync::{Arc, OnceLock};

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Mat, MatMut, MatRef};

use super::Cuda;
use super::resident::Resident;
use super::solver::{IterativeSolver, Request};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::cpu::stencil::progress::Criteria;
use crate::linalg::operator::{Operator, Side};
use crate::linalg::{
    Backend, Batch, Cpu, Factor, Method, Remote, SolveStats, check_batch, check_guess,
};

/// Most columns that kernels can number.
const MAX_RESIDENT: usize = 65_535;

/// Makes an operator once more.
pub(super) type Rebuild<'a> = Box<dyn Fn() -> Operator<'a> + Send + Sync + 'a>;

/// A matrix on a device.
pub(super) struct OnDevice<'a> {
    pub(super) cuda: &'a Cuda,
    /// What solves on the processor.
    pub(super) cpu: &'a Cpu,
    pub(super) iterated: Arc<IterativeSolver>,
    pub(super) criteria: Criteria,
    pub(super) method: Method,
    /// The same matrix once more, for the processor.
    pub(super) again: Rebuild<'a>,
    /// It made ready there, once iteration has failed.
    pub(super) rescue: OnceLock<Box<dyn Factor + 'a>>,
}

impl OnDevice<'_> {
    fn wanted(&self, side: Side) -> Request<'_> {
        Request {
            side,
            criteria: self.criteria,
            memory: self.cuda.memory,
            cache: &self.cuda.cache,
        }
    }

    /// Whether the processor may do better.
    fn is_for_the_processor(&self, error: &Error) -> bool {
        match error {
            Error::Stagnation { .. } => true,
            Error::Device { .. } | Error::OutOfMemory { .. } => self.cuda.with_fallback,
            _ => false,
        }
    }

    /// The same for columns on the device.
    fn solve_resident(&self, side: Side, kept: &Resident) -> Result<SolveStats> {
        let mut solved = vec![false; kept.columns];
        let columns = (&kept.buffer, &mut solved[..]);
        match self.iterated.solve_resident(self.wanted(side), columns) {
            Ok(stats) => Ok(stats.by(self.method)),
            Err(e) if self.is_for_the_processor(&e) => {
                let left = left(&solved);
                let mut rest = kept.get(&left)?;
                let stats = self.on_the_processor()?.solve(side, None, rest.as_mut())?;
                kept.put(rest.as_ref(), &left)?;
                Ok(stats)
            }
            Err(e) => Err(e),
        }
    }

    /// Solves on the processor for the columns that are left.
    fn rescue(
        &self,
        side: Side,
        mut batch: MatMut<'_, f64>,
        solved: &[bool],
    ) -> Result<SolveStats> {
        let left = left(solved);
        let mut rest = Mat::from_fn(batch.nrows(), left.len(), |i, j| batch[(i, left[j])]);
        let stats = self.on_the_processor()?.solve(side, None, rest.as_mut())?;
        for (j, &column) in left.iter().enumerate() {
            batch.rb_mut().col_mut(column).copy_from(rest.col(j));
        }
        Ok(stats)
    }

    fn on_the_processor(&self) -> Result<&dyn Factor> {
        if let Some(known) = self.rescue.get() {
            return Ok(known.as_ref());
        }
        let made = self.cpu.factor((self.again)())?;
        Ok(self.rescue.get_or_init(|| made).as_ref())
    }
}

/// Columns that are not solved for.
fn left(solved: &[bool]) -> Vec<usize> {
    (0..solved.len()).filter(|&j| !solved[j]).collect()
}

impl Factor for OnDevice<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_batch(batch.rb(), self.iterated.rows())?;
        check_guess(guess, batch.rb())?;
        let mut solved = vec![false; batch.ncols()];
        let columns = (batch.rb_mut(), &mut solved[..]);
        match self.iterated.solve(self.wanted(side), guess, columns) {
            Ok(stats) => Ok(stats.by(self.method)),
            Err(e) if self.is_for_the_processor(&e) => self.rescue(side, batch, &solved),
            Err(e) => Err(e),
        }
    }

    fn solve_batch(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: Batch,
    ) -> Result<(Batch, SolveStats)> {
        // Iterations on the device start from zero: a guess would travel as far as the batch.
        if guess.is_some() {
            let mut columns = batch.fetch()?;
            let stats = self.solve(side, guess, columns.as_mut())?;
            return Ok((Batch::Here(columns), stats));
        }
        let mut columns = match batch {
            Batch::Here(columns) => columns,
            Batch::There(away) => match away.into_any().downcast::<Resident>() {
                Ok(kept) if Arc::ptr_eq(&kept.device, self.iterated.device()) => {
                    check::length(
                        "the right-hand side of a linear solve",
                        kept.rows,
                        self.iterated.rows(),
                    )?;
                    let stats = self.solve_resident(side, &kept)?;
                    return Ok((Batch::There(kept), stats));
                }
                Ok(elsewhere) => elsewhere.fetch()?,
                Err(_) => {
                    return Err(Error::Device {
                        what: "a batch of columns",
                        detail: "it is kept by another backend".into(),
                    });
                }
            },
        };
        check_batch(columns.as_ref(), self.iterated.rows())?;
        // One column comes back sooner than it would be kept, and what there is no room for cannot be.
        if (2..=MAX_RESIDENT).contains(&columns.ncols()) {
            match Resident::send(self.iterated.device(), columns.as_ref()) {
                Ok(kept) => {
                    drop(columns);
                    match self.solve_resident(side, &kept) {
                        Ok(stats) => return Ok((Batch::There(Box::new(kept)), stats)),
                        // Beside the columns there was no room for a solve, but without them there may be.
                        Err(Error::OutOfMemory { .. }) => columns = Box::new(kept).fetch()?,
                        Err(e) => return Err(e),
                    }
                }
                Err(Error::OutOfMemory { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        let stats = self.solve(side, None, columns.as_mut())?;
        Ok((Batch::Here(columns), stats))
    }
}
