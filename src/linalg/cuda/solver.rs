//! Batches of columns of any width, block by block in the room that the device has.

use std::sync::{Arc, Mutex, PoisonError};

use faer::prelude::ReborrowMut;
use faer::{MatMut, MatRef};

use super::MAX_LANES;
use super::cache::Cache;
use super::columns::{DeviceColumns, Guess, HostColumns};
use super::device::{Buffer, Device};
use super::equations::Equations;
use super::krylov::Method;
use super::plan::Plan;
use super::solve::{Source, Task, shift_for, solve};
use super::workspace::{Workspace, bytes_a_lane};
use crate::error::{Error, Result};
use crate::linalg::SolveStats;
use crate::linalg::cpu::stencil::progress::Criteria;
use crate::linalg::operator::{Side, Stencil};

/// One of so many parts of what is free is left for what the driver takes besides.
const SPARE: usize = 20;

/// A matrix on a device, with room for solves.
pub(super) struct IterativeSolver {
    device: Arc<Device>,
    equations: Box<dyn Equations>,
    method: Method,
    /// The widest that was ever needed.
    workspace: Mutex<Option<Workspace>>,
}

/// What is asked of a solve.
#[derive(Clone, Copy)]
pub(super) struct Request<'w> {
    pub(super) side: Side,
    pub(super) criteria: Criteria,
    /// The most that its vectors may take; none for what is free.
    pub(super) memory: Option<usize>,
    /// Where memory may be had that others have left.
    pub(super) cache: &'w Cache,
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

    /// The columns of the batch ← A⁻¹ those, as far as it succeeds, which `solved` tells.
    pub(super) fn solve(
        &self,
        wanted: Request<'_>,
        near: Option<MatRef<'_, f64>>,
        (mut batch, solved): (MatMut<'_, f64>, &mut [bool]),
    ) -> Result<SolveStats> {
        let columns = batch.ncols();
        self.blocks(wanted, columns, |task, workspace, (first, count)| {
            let near = near.map(|near| Guess(near.subcols(first, count)));
            let mut here = HostColumns {
                batch: batch.rb_mut().subcols_mut(first, count),
                solved: &mut solved[first..first + count],
            };
            let near = near.as_ref().map(|near| near as &dyn Source);
            solve(task, workspace, near, &mut here)
        })
    }

    /// The same for columns that are on the device already.
    pub(super) fn solve_resident(
        &self,
        wanted: Request<'_>,
        (buffer, solved): (&Buffer, &mut [bool]),
    ) -> Result<SolveStats> {
        let (rows, columns) = (self.rows(), solved.len());
        self.blocks(wanted, columns, |task, workspace, (first, count)| {
            let mut there = DeviceColumns {
                buffer,
                rows,
                first,
                solved: &mut solved[first..first + count],
            };
            solve(task, workspace, None, &mut there)
        })
    }

    fn blocks(
        &self,
        wanted: Request<'_>,
        columns: usize,
        mut block: impl FnMut(&Task<'_>, &mut Workspace, (usize, usize)) -> Result<SolveStats>,
    ) -> Result<SolveStats> {
        let _lock = self.device.lock_stream();
        let task = Task {
            equations: self.equations.as_ref(),
            method: self.method,
            side: wanted.side,
            criteria: wanted.criteria,
        };
        let mut stats = SolveStats::default();
        let mut first = 0;
        let mut kept = self
            .workspace
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while first < columns {
            let mut shift = self.shift(columns - first, &wanted, kept.as_ref())?;
            while kept.as_ref().is_none_or(|workspace| !workspace.has(shift)) {
                // The old one goes first, so that its memory is free.
                kept.take();
                match Workspace::new(&self.device, task.equations, self.method, shift) {
                    Ok(workspace) => *kept = Some(workspace),
                    // Others took some since, or it is in pieces.
                    Err(Error::OutOfMemory { .. }) if shift > 0 => shift -= 1,
                    Err(e) => return Err(e),
                }
            }
            let count = (columns - first).min(1 << shift);
            let Some(workspace) = kept.as_mut() else {
                break;
            };
            stats = stats.worst(block(&task, workspace, (first, count))?);
            first += count;
        }
        Ok(stats)
    }

    /// As many lanes as the columns need and the memory allows.
    fn shift(&self, columns: usize, wanted: &Request<'_>, kept: Option<&Workspace>) -> Result<u32> {
        let most = shift_for(columns.min(MAX_LANES));
        let lane = bytes_a_lane(self.equations.as_ref(), self.method);
        let fits = |free: usize| {
            let fits = move |shift: &u32| lane.saturating_mul(1 << shift) <= free;
            (0..=most).rev().find(fits)
        };
        let mut free = wanted.memory.unwrap_or(usize::MAX);
        if let (Some(shift), Some(workspace)) = (fits(free), kept)
            && workspace.has(shift)
        {
            return Ok(shift);
        }
        let held = kept.map_or(0, Workspace::bytes);
        if wanted.memory.is_none() {
            let spare = |free: usize| (free / SPARE * (SPARE - 1)).saturating_add(held);
            free = spare(self.device.free_memory()?);
            if fits(free) < Some(most) && wanted.cache.clear() {
                free = spare(self.device.free_memory()?);
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

    /// Takes the numbers of another stencil, if it was made for such a one.
    pub(super) fn refill(&self, stencil: &Stencil, plan: Plan) -> Result<bool> {
        self.equations.refill(&self.device, stencil, plan)
    }
}
