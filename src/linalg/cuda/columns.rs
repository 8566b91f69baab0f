//! Right-hand sides and solutions of a solve, in host or device memory.

use faer::prelude::Reborrow;
use faer::{MatMut, MatRef};

use super::device::{Buffer, Device};
use super::solve::{Columns, Source};
use super::workspace::Workspace;
use crate::error::Result;

/// Columns in host memory. The solve replaces right-hand sides by solutions.
pub(super) struct HostColumns<'b> {
    pub(super) batch: MatMut<'b, f64>,
    /// Whether each column has been replaced by its solution.
    pub(super) solved: &'b mut [bool],
}

impl Source for HostColumns<'_> {
    fn send(&self, workspace: &Workspace, vector: usize) -> Result<()> {
        upload(&workspace.device, self.batch.rb(), &workspace.exact[vector])
    }
}

impl Columns for HostColumns<'_> {
    fn count(&self) -> usize {
        self.batch.ncols()
    }

    fn receive(
        &mut self,
        workspace: &Workspace,
        vector: usize,
        (from, to): (usize, usize),
    ) -> Result<()> {
        let rows = self.batch.nrows();
        let offset = from * rows * size_of::<f64>();
        let mut column = self.batch.as_mut().col_mut(to);
        let device = &workspace.device;
        match column.as_mut().try_as_col_major_mut() {
            Some(column) => {
                device.download(&workspace.exact[vector], offset, column.as_slice_mut())?
            }
            None => {
                let mut numbers = vec![0.0; rows];
                device.download(&workspace.exact[vector], offset, &mut numbers)?;
                column
                    .iter_mut()
                    .zip(numbers)
                    .for_each(|(x, number)| *x = number);
            }
        }
        self.solved[to] = true;
        Ok(())
    }
}

/// Copies columns into a buffer on the device, one after another.
pub(super) fn upload(device: &Device, columns: MatRef<'_, f64>, to: &Buffer) -> Result<()> {
    let rows = columns.nrows();
    for (j, column) in columns.col_iter().enumerate() {
        // Copy column by column, because the columns of a view need not be contiguous. A copy of a whole
        // column is long enough to run at the speed of the bus.
        let offset = j * rows * size_of::<f64>();
        match column.try_as_col_major() {
            Some(column) => device.upload(column.as_slice(), to, offset)?,
            None => {
                let numbers: Vec<f64> = column.iter().copied().collect();
                device.upload(&numbers, to, offset)?;
            }
        }
    }
    Ok(())
}

/// Initial guesses in host memory, which a solve only reads.
pub(super) struct Guess<'b>(pub(super) MatRef<'b, f64>);

impl Source for Guess<'_> {
    fn send(&self, workspace: &Workspace, vector: usize) -> Result<()> {
        upload(&workspace.device, self.0, &workspace.exact[vector])
    }
}

/// Consecutive columns of a buffer on the device. The solve replaces right-hand sides by solutions.
pub(super) struct DeviceColumns<'b> {
    pub(super) buffer: &'b Buffer,
    pub(super) rows: usize,
    /// Index of the first column in the buffer.
    pub(super) first: usize,
    /// Whether each column, counted from `first`, has been replaced by its solution.
    pub(super) solved: &'b mut [bool],
}

impl DeviceColumns<'_> {
    /// Returns the size of one column in bytes.
    fn bytes(&self) -> usize {
        self.rows * size_of::<f64>()
    }
}

impl Source for DeviceColumns<'_> {
    fn send(&self, workspace: &Workspace, vector: usize) -> Result<()> {
        let from = self.buffer.at(self.first * self.bytes());
        let to = workspace.exact[vector].at(0);
        workspace.device.copy(from, to, self.count() * self.bytes())
    }
}

impl Columns for DeviceColumns<'_> {
    fn count(&self) -> usize {
        self.solved.len()
    }

    fn receive(
        &mut self,
        workspace: &Workspace,
        vector: usize,
        (from, to): (usize, usize),
    ) -> Result<()> {
        let from = workspace.exact[vector].at(from * self.bytes());
        let target = self.buffer.at((self.first + to) * self.bytes());
        workspace.device.copy(from, target, self.bytes())?;
        self.solved[to] = true;
        Ok(())
    }
}
