//! Batches of columns of any width, block by block in the room that the device has.

use std::sync::{Arc, Mutex, PoisonError};

use faer::prelude::ReborrowMut;
use faer::{MatMut, MatRef};

use super::MOST_LANES;
use super::columns::{Here, Near, There};
use super::device::{Buffer, Device};
use super::equations::Equations;
use super::krylov::Method;
use super::room::{Room, bytes_a_lane};
use super::solve::{Columns, Task, shift_for, solve};
use crate::backend::SolveStats;
use crate::backend::structured::progress::Criteria;
use crate::error::{Error, Result};
use crate::operator::Side;

/// A matrix on a device, with room for solves.
pub(super) struct Iterated {
    device: Arc<Device>,
    equations: Box<dyn Equations>,
    method: Method,
    /// The most that rooms may take; none for what is free.
    limit: Option<usize>,
    rooms: Mutex<Option<Room>>,
}

impl Iterated {
    pub(super) fn new(
        device: &Arc<Device>,
        equations: Box<dyn Equations>,
        method: Method,
        limit: Option<usize>,
    ) -> Self {
        Self {
            device: Arc::clone(device),
            equations,
            method,
            limit,
            rooms: Mutex::new(None),
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
        (side, criteria): (Side, Criteria),
        near: Option<MatRef<'_, f64>>,
        (mut batch, solved): (MatMut<'_, f64>, &mut [bool]),
    ) -> Result<SolveStats> {
        let columns = batch.ncols();
        self.blocks((side, criteria), columns, |task, room, (first, count)| {
            let near = near.map(|near| Near(near.subcols(first, count)));
            let mut here = Here {
                batch: batch.rb_mut().subcols_mut(first, count),
                solved: &mut solved[first..first + count],
            };
            let near = near.as_ref().map(|near| near as &dyn Columns);
            solve(task, room, near, &mut here)
        })
    }

    /// The same for columns that are on the device already.
    pub(super) fn solve_there(
        &self,
        (side, criteria): (Side, Criteria),
        (buffer, solved): (&Buffer, &mut [bool]),
    ) -> Result<SolveStats> {
        let (rows, columns) = (self.rows(), solved.len());
        self.blocks((side, criteria), columns, |task, room, (first, count)| {
            let mut there = There {
                buffer,
                rows,
                first,
                solved: &mut solved[first..first + count],
            };
            solve(task, room, None, &mut there)
        })
    }

    fn blocks(
        &self,
        (side, criteria): (Side, Criteria),
        columns: usize,
        mut block: impl FnMut(&Task<'_>, &mut Room, (usize, usize)) -> Result<SolveStats>,
    ) -> Result<SolveStats> {
        let _alone = self.device.alone();
        let task = Task {
            equations: self.equations.as_ref(),
            method: self.method,
            side,
            criteria,
        };
        let mut stats = SolveStats::default();
        let mut first = 0;
        let mut kept = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        while first < columns {
            let shift = self.shift(columns - first, kept.as_ref())?;
            let count = (columns - first).min(1 << shift);
            if kept.as_ref().is_none_or(|room| !room.has(shift)) {
                // The old one goes first, so that its memory is free.
                kept.take();
                let room = Room::new(&self.device, task.equations, self.method, shift)?;
                *kept = Some(room);
            }
            let Some(room) = kept.as_mut() else { break };
            stats = stats.worst(block(&task, room, (first, count))?);
            first += count;
        }
        Ok(stats)
    }

    /// As many lanes as the columns need and the memory allows.
    fn shift(&self, columns: usize, kept: Option<&Room>) -> Result<u32> {
        let wanted = shift_for(columns.min(MOST_LANES));
        if kept.is_some_and(|room| room.has(wanted)) {
            return Ok(wanted);
        }
        let lane = bytes_a_lane(self.equations.as_ref(), self.method);
        let held = kept.map_or(0, Room::bytes);
        let free = match self.limit {
            Some(limit) => limit,
            None => self.device.free_memory()?.saturating_add(held),
        };
        let fits = |shift: &u32| lane.saturating_mul(1 << shift) <= free;
        (0..=wanted).rev().find(fits).ok_or(Error::OutOfMemory {
            what: "iterative solve of one column on the device",
            size: self.rows(),
            needed: Some(lane),
            limit: Some(free),
        })
    }
}
