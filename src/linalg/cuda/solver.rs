//! Iterative solves of batches of any width, in blocks of columns that fit in the memory of the device.

use std::sync::{Arc, Mutex, PoisonError};

use faer::prelude::ReborrowMut;
use faer::{MatMut, MatRef};

use super::MAX_LANES;
use super::cache::Cache;
use super::columns::{DeviceColumns, Guess, HostColumns};
use super::device::{Buffer, Device};
use super::equations::{Equations, Form};
use super::krylov::Method;
use super::plan::Plan;
use super::solve::{Source, Task, shift_for, solve};
use super::workspace::{Workspace, bytes_a_lane};
use crate::error::{Error, Result};
use crate::linalg::SolveStats;
use crate::linalg::cpu::stencil::progress::Criteria;
use crate::linalg::operator::Stencil;

/// Reciprocal of the fraction of free device memory, 5 %, that is left to the driver.
// The memory for graphs and for the driver's own allocations is not known in advance.
const RESERVE: usize = 20;

/// Matrix on a device with the workspace of its solves.
pub(super) struct IterativeSolver {
    device: Arc<Device>,
    equations: Box<dyn Equations>,
    method: Method,
    /// Workspace of the latest solve. A solve that needs more lanes replaces it.
    workspace: Mutex<Option<Workspace>>,
}

/// Form, stopping criteria and memory limit of a solve.
#[derive(Clone, Copy)]
pub(super) struct Request<'r> {
    pub(super) form: Form,
    pub(super) criteria: Criteria,
    /// Upper bound in bytes for the vectors of the solve. `None` allows all free memory.
    pub(super) memory: Option<usize>,
    /// Cache whose idle entries are evicted when memory is short.
    pub(super) cache: &'r Cache<IterativeSolver>,
}

impl IterativeSolver {
    pub(super) fn new(device: &Arc<Device>, equations: Box<dyn Equations>, method: Method) -> Self {
        Self {
            device: Arc::clone(device),
            equations,
            method,
            workspace: Mutex::new(None),
        }
    }

    pub(super) fn device(&self) -> &Arc<Device> {
        &self.device
    }

    pub(super) fn rows(&self) -> usize {
        self.equations.cells()
    }

    /// Solves A X = B or AᵀX = B in place, starting from `guess`. After an error, `solved` marks the columns that hold
    /// solutions.
    pub(super) fn solve(
        &self,
        request: Request<'_>,
        guess: Option<MatRef<'_, f64>>,
        (mut batch, solved): (MatMut<'_, f64>, &mut [bool]),
    ) -> Result<SolveStats> {
        let columns = batch.ncols();
        self.blocks(request, columns, |task, workspace, (first, count)| {
            let guess = guess.map(|guess| Guess(guess.subcols(first, count)));
            let mut columns = HostColumns {
                batch: batch.rb_mut().subcols_mut(first, count),
                solved: &mut solved[first..first + count],
            };
            let guess = guess.as_ref().map(|guess| guess as &dyn Source);
            solve(task, workspace, guess, &mut columns)
        })
    }

    /// Solves A X = B or AᵀX = B in place, from a zero guess, for columns on the device. After an error, `solved` marks
    /// the columns that hold solutions.
    pub(super) fn solve_resident(
        &self,
        request: Request<'_>,
        (buffer, solved): (&Buffer, &mut [bool]),
    ) -> Result<SolveStats> {
        let (rows, columns) = (self.rows(), solved.len());
        self.blocks(request, columns, |task, workspace, (first, count)| {
            let mut columns = DeviceColumns {
                buffer,
                rows,
                first,
                solved: &mut solved[first..first + count],
            };
            solve(task, workspace, None, &mut columns)
        })
    }

    /// Calls `solve_block` with the range (first, count) of every block of columns.
    fn blocks(
        &self,
        request: Request<'_>,
        columns: usize,
        mut solve_block: impl FnMut(&Task<'_>, &mut Workspace, (usize, usize)) -> Result<SolveStats>,
    ) -> Result<SolveStats> {
        let _lock = self.device.lock_stream();
        let task = Task {
            equations: self.equations.as_ref(),
            method: self.method,
            form: request.form,
            criteria: request.criteria,
        };
        let mut stats = SolveStats::default();
        let mut first = 0;
        let mut cached = self
            .workspace
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while first < columns {
            let mut shift = self.shift(columns - first, &request, cached.as_ref())?;
            while cached
                .as_ref()
                .is_none_or(|workspace| !workspace.has(shift))
            {
                // The old workspace is dropped first, so that its memory can be used for the new one.
                cached.take();
                match Workspace::new(&self.device, task.equations, self.method, shift) {
                    Ok(workspace) => *cached = Some(workspace),
                    // The free memory shrank meanwhile or is fragmented: halve the number of lanes.
                    Err(Error::OutOfMemory { .. }) if shift > 0 => shift -= 1,
                    Err(e) => return Err(e),
                }
            }
            let count = (columns - first).min(1 << shift);
            let Some(workspace) = cached.as_mut() else {
                break;
            };
            stats = stats.worst(solve_block(&task, workspace, (first, count))?);
            first += count;
        }
        Ok(stats)
    }

    /// Returns the binary logarithm of the largest number of lanes that the columns need and the memory
    /// allows.
    fn shift(
        &self,
        columns: usize,
        request: &Request<'_>,
        cached: Option<&Workspace>,
    ) -> Result<u32> {
        let most = shift_for(columns.min(MAX_LANES));
        let lane = bytes_a_lane(self.equations.as_ref(), self.method);
        // Memory is proportional to the number of lanes. The number is a power of two, so that indices can be
        // computed by shifts. At most seven numbers are tried, the largest first.
        let fits = |free: usize| {
            let fits = move |shift: &u32| lane.saturating_mul(1 << shift) <= free;
            (0..=most).rev().find(fits)
        };
        let mut free = request.memory.unwrap_or(usize::MAX);
        if let (Some(shift), Some(workspace)) = (fits(free), cached)
            && workspace.has(shift)
        {
            return Ok(shift);
        }
        // A new workspace replaces the cached one, whose bytes therefore count as free.
        let held = cached.map_or(0, Workspace::bytes);
        if request.memory.is_none() {
            let usable = |free: usize| (free / RESERVE * (RESERVE - 1)).saturating_add(held);
            free = usable(self.device.free_memory()?);
            if fits(free) < Some(most) && request.cache.evict_idle() {
                free = usable(self.device.free_memory()?);
            }
        }
        fits(free).ok_or_else(|| self.too_large(lane, free))
    }

    fn too_large(&self, needed: usize, limit: usize) -> Error {
        Error::OutOfMemory {
            what: "iterative solve of one column on the device",
            size: self.rows(),
            needed: Some(needed),
            limit: Some(limit),
        }
    }

    /// Takes the coefficients of another stencil if the plans agree, and returns whether they do.
    pub(super) fn refill(&self, stencil: &Stencil, plan: Plan) -> Result<bool> {
        self.equations.refill(&self.device, stencil, plan)
    }
}
