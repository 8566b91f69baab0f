//! Factor of a matrix on a device, with a fallback for columns whose iteration stagnates.

use std::sync::{Arc, OnceLock};

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Mat, MatMut, MatRef};

use super::Cuda;
use super::equations::Form;
use super::resident::Resident;
use super::solver::{IterativeSolver, Request};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::cpu::stencil::progress::Criteria;
use crate::linalg::operator::Side;
use crate::linalg::sweep_order::Order;
use crate::linalg::{Batch, Factor, Method, Remote, SolveStats, check_batch, check_guess};

/// Largest number of columns of a resident batch: CUDA limits the blocks along y to 65 535.
const MAX_RESIDENT: usize = 65_535;

/// Function that builds a factor.
pub(super) type Build<'a> = Box<dyn Fn() -> Result<Arc<dyn Factor + 'a>> + Send + Sync + 'a>;

/// Matrix that is prepared on a device for solves.
pub(super) struct OnDevice<'a> {
    pub(super) cuda: &'a Cuda,
    pub(super) solver: Arc<IterativeSolver>,
    pub(super) order: Order,
    pub(super) criteria: Criteria,
    pub(super) method: Method,
    /// Function that builds the factor for columns whose iteration fails.
    pub(super) build_fallback: Build<'a>,
    /// Factor for columns whose iteration fails, built on the first failure.
    pub(super) fallback: OnceLock<Arc<dyn Factor + 'a>>,
}

impl OnDevice<'_> {
    fn request(&self, side: Side) -> Request<'_> {
        Request {
            form: Form {
                side,
                order: self.order,
            },
            criteria: self.criteria,
            memory: self.cuda.memory,
            cache: &self.cuda.cache,
        }
    }

    /// Returns whether the fallback should retry after this error.
    fn falls_back_on(&self, error: &Error) -> bool {
        match error {
            // Stagnation says nothing about the matrix: a factorisation may still solve the system, or find
            // it singular. Other errors in the equations would only occur again.
            Error::Stagnation { .. } => true,
            Error::Device { .. } | Error::OutOfMemory { .. } => self.cuda.falls_back,
            _ => false,
        }
    }

    /// Solves A X = B or Aᵀ X = B for columns on the device. The solutions replace the columns. If the
    /// columns leave too little memory on the device, the solutions are returned on the CPU.
    fn solve_resident(&self, side: Side, resident: Box<Resident>) -> Result<(Batch, SolveStats)> {
        let mut solved = vec![false; resident.columns];
        let columns = (&resident.buffer, &mut solved[..]);
        match self.solver.solve_resident(self.request(side), columns) {
            Ok(stats) => Ok((Batch::Device(resident), stats.by(self.method))),
            Err(e) if self.falls_back_on(&e) => {
                // Solved columns are kept: columns are iterated independently, so that a solution is valid
                // even if other columns have failed.
                let unsolved = unsolved(&solved);
                let mut rest = resident.get(&unsolved)?;
                let stats = self.fallback()?.solve(side, None, rest.as_mut())?;
                resident.put(rest.as_ref(), &unsolved)?;
                Ok((Batch::Device(resident), stats))
            }
            // Fetching the columns frees their memory. `solve` then proceeds in blocks of as many columns as
            // fit.
            Err(Error::OutOfMemory { .. }) => {
                let mut columns = resident.fetch()?;
                let stats = solve_rest(self, side, columns.as_mut(), &solved)?;
                Ok((Batch::Host(columns), stats))
            }
            Err(e) => Err(e),
        }
    }

    fn fallback(&self) -> Result<&dyn Factor> {
        if let Some(factor) = self.fallback.get() {
            return Ok(factor.as_ref());
        }
        // The factor is built without a lock. If two threads build it at the same time, one of the two is
        // dropped.
        let factor = (self.build_fallback)()?;
        Ok(self.fallback.get_or_init(|| factor).as_ref())
    }
}

/// Returns the indices of the columns that are not solved.
fn unsolved(solved: &[bool]) -> Vec<usize> {
    (0..solved.len()).filter(|&j| !solved[j]).collect()
}

/// Solves A X = B or Aᵀ X = B in place for the unsolved columns of a batch. The other columns already hold solutions.
pub(super) fn solve_rest(
    factor: &dyn Factor,
    side: Side,
    mut batch: MatMut<'_, f64>,
    solved: &[bool],
) -> Result<SolveStats> {
    let unsolved = unsolved(solved);
    let mut rest = Mat::from_fn(batch.nrows(), unsolved.len(), |i, j| {
        batch[(i, unsolved[j])]
    });
    let stats = factor.solve(side, None, rest.as_mut())?;
    for (j, &column) in unsolved.iter().enumerate() {
        batch.rb_mut().col_mut(column).copy_from(rest.col(j));
    }
    Ok(stats)
}

impl Factor for OnDevice<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_batch(batch.rb(), self.solver.rows())?;
        check_guess(guess, batch.rb())?;
        let mut solved = vec![false; batch.ncols()];
        let columns = (batch.rb_mut(), &mut solved[..]);
        match self.solver.solve(self.request(side), guess, columns) {
            Ok(stats) => Ok(stats.by(self.method)),
            Err(e) if self.falls_back_on(&e) => solve_rest(self.fallback()?, side, batch, &solved),
            Err(e) => Err(e),
        }
    }

    fn solve_batch(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: Batch,
    ) -> Result<(Batch, SolveStats)> {
        // Resident columns are solved from zero. A guess would have to be copied to the device like the
        // batch, so that a resident batch would save nothing.
        if guess.is_some() {
            let mut columns = batch.fetch()?;
            let stats = self.solve(side, guess, columns.as_mut())?;
            return Ok((Batch::Host(columns), stats));
        }
        let mut columns = match batch {
            Batch::Host(columns) => columns,
            Batch::Device(remote) => match remote.into_any().downcast::<Resident>() {
                Ok(resident) if Arc::ptr_eq(&resident.device, self.solver.device()) => {
                    check::length(
                        "the right-hand side of a linear solve",
                        resident.rows,
                        self.solver.rows(),
                    )?;
                    return self.solve_resident(side, resident);
                }
                Ok(on_another_device) => on_another_device.fetch()?,
                Err(_) => {
                    return Err(Error::Device {
                        what: "a batch of columns",
                        detail: "it belongs to another backend; fetch it first".into(),
                    });
                }
            },
        };
        check_batch(columns.as_ref(), self.solver.rows())?;
        // A single column is solved and fetched immediately, because keeping it resident does not pay off. A
        // batch that does not fit into the memory of the device is solved in blocks.
        if (2..=MAX_RESIDENT).contains(&columns.ncols()) {
            match Resident::send(self.solver.device(), columns.as_ref()) {
                Ok(resident) => {
                    drop(columns);
                    return self.solve_resident(side, Box::new(resident));
                }
                Err(Error::OutOfMemory { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        let stats = self.solve(side, None, columns.as_mut())?;
        Ok((Batch::Host(columns), stats))
    }
}
