//! Stencils in the memory of a device, and their Galerkin coarsening on the device.

use std::sync::Arc;

use super::args::{Arg, Pointer, Rows, Shape};
use super::device::{Buffer, Device};
use super::passes::{THREADS, Width};
use crate::error::Result;
use crate::linalg::operator::{Rows as Lines, Side, Stencil};

/// Name of the stored arrays in error messages.
pub(super) const WHAT: &str = "multigrid hierarchy on the device";

/// Coefficients of a stencil in one buffer, array after array. Axes of one cell have no couplings and need no
/// arrays.
pub(super) struct Stored {
    device: Arc<Device>,
    buffer: Buffer,
    rows: Rows,
    /// Coefficient arrays with the axes in the order of the finer grid, as the coarsening needs them.
    aggregated: Rows,
}

impl Stored {
    /// Allocates a stencil on a grid, with reciprocals of the diagonal if `inverse` is set.
    fn new(device: &Arc<Device>, shape: [u32; 3], (width, inverse): (Width, bool)) -> Result<Self> {
        let cells: usize = shape.iter().map(|&n| n as usize).product();
        let axes = shape.iter().filter(|&&n| n > 1).count();
        let arrays = 1 + 2 * axes + usize::from(inverse);
        let buffer = device.allocate(arrays * cells * width.bytes(), (WHAT, cells))?;
        // There is one allocation per level instead of eight. Axes of one cell have no couplings and take no
        // memory: a null pointer marks them.
        let mut next = buffer.address;
        let mut place = |needed: bool| {
            let at = if needed { next } else { 0 };
            next += if needed {
                (cells * width.bytes()) as u64
            } else {
                0
            };
            at
        };
        let rows = Rows {
            centre: place(true),
            lower: shape.map(|n| place(n > 1)),
            upper: shape.map(|n| place(n > 1)),
            inverse: place(inverse),
            shape,
            cells: cells as u32,
        };
        Ok(Self {
            device: Arc::clone(device),
            buffer,
            rows: single_cells_first(rows),
            aggregated: rows,
        })
    }

    /// Allocates a stencil in double precision without reciprocals.
    pub(super) fn exact(device: &Arc<Device>, shape: [u32; 3]) -> Result<Self> {
        Self::new(device, shape, (Width::Double, false))
    }

    /// Allocates a stencil on the same grid in the precision of the cycles, with reciprocals.
    pub(super) fn for_cycles(&self, width: Width) -> Result<Self> {
        Self::new(&self.device, self.rows.shape, (width, true))
    }

    /// Allocates a stencil on the coarse grid, whose cells are aggregates of 2×2×2 cells.
    pub(super) fn for_aggregates(&self) -> Result<Self> {
        let shape = self.rows.shape.map(|n| n.div_ceil(2));
        Self::exact(&self.device, shape)
    }

    /// Copies the coefficients of `stencil` to the device.
    pub(super) fn fill(&self, stencil: &Stencil) -> Result<()> {
        let lines: Lines<'_, f64> = stencil.rows(Side::Plain);
        let Rows {
            centre,
            lower,
            upper,
            ..
        } = self.rows;
        self.put(lines.centre, centre)?;
        for axis in 0..3 {
            self.put(lines.lower[axis], lower[axis])?;
            self.put(lines.upper[axis], upper[axis])?;
        }
        Ok(())
    }

    fn put(&self, numbers: &[f64], at: Pointer) -> Result<()> {
        if at == 0 {
            return Ok(());
        }
        let offset = (at - self.buffer.address) as usize;
        self.device.upload(numbers, &self.buffer, offset)
    }

    /// Computes the stencil of a finer grid on its aggregates. Couplings between aggregates keep at least the share
    /// `least` of their Galerkin products.
    pub(super) fn coarsen(&self, finer: &Self, least: f64) -> Result<()> {
        let args = [
            Arg::Rows(finer.rows),
            Arg::Rows(self.aggregated),
            Arg::Double(least),
        ];
        // Every coarse coefficient is a sum over the up to eight cells of its aggregate, computed by one
        // thread. No two threads write to the same coefficient, and the order of the sum is fixed.
        self.each("coarsen", self.rows.cells, &args)
    }

    /// Computes `unit` times another stencil on the same grid, and the reciprocals of its diagonal.
    pub(super) fn take_in_units(&self, exact: &Self, (width, unit): (Width, f64)) -> Result<()> {
        let (from, to, cells) = (exact.rows, self.rows, self.rows.cells);
        let send = |kernel, from, to| {
            let args = [
                Arg::Pointer(from),
                Arg::Pointer(to),
                Arg::Double(unit),
                Arg::Count(cells),
            ];
            self.each(kernel, cells, &args)
        };
        let copy = |from, to| send(width.of(["in_units_f", "in_units_d"]), from, to);
        copy(from.centre, to.centre)?;
        for axis in (0..3).filter(|&d| to.shape[d] > 1) {
            copy(from.lower[axis], to.lower[axis])?;
            copy(from.upper[axis], to.upper[axis])?;
        }
        // Reciprocals of the exact diagonal have one rounding error, those of the rounded diagonal two.
        let reciprocals = width.of(["reciprocals_f", "reciprocals_d"]);
        send(reciprocals, from.centre, to.inverse)
    }

    /// Launches a kernel with one thread per cell.
    fn each(&self, kernel: &'static str, cells: u32, args: &[Arg]) -> Result<()> {
        let shape = Shape {
            blocks: (cells.div_ceil(THREADS), 1),
            threads: (THREADS, 1),
        };
        // SAFETY: the two callers pass the parameters of `coarsen`, or of `in_units` and `reciprocals`, with
        // arrays of one entry per cell.
        unsafe { self.device.launch(kernel, shape, args) }
    }

    /// Copies the stencil to the CPU.
    pub(super) fn fetch(&self) -> Result<Stencil> {
        let mut stencil = Stencil::new(&self.rows.shape.map(|n| n as usize));
        let get = |at: Pointer, numbers: &mut [f64]| {
            let offset = (at - self.buffer.address) as usize;
            self.device.download(&self.buffer, offset, numbers)
        };
        get(self.rows.centre, &mut stencil.centre)?;
        for axis in (0..3).filter(|&d| self.rows.shape[d] > 1) {
            get(self.rows.lower[axis], &mut stencil.up[axis])?;
            get(self.rows.upper[axis], &mut stencil.down[axis])?;
        }
        Ok(stencil)
    }

    pub(super) fn cells(&self) -> usize {
        self.rows.cells as usize
    }

    /// Returns the matrix, or its transpose, in which lower and upper couplings are exchanged.
    pub(super) fn rows(&self, side: Side) -> Rows {
        let Rows { lower, upper, .. } = self.rows;
        match side {
            Side::Plain => self.rows,
            Side::Transpose => Rows {
                lower: upper,
                upper: lower,
                ..self.rows
            },
        }
    }
}

/// Moves axes of one cell to the front, as the CPU does. The numbering of the cells does not change.
fn single_cells_first(rows: Rows) -> Rows {
    let mut axes = [0, 1, 2];
    axes.sort_by_key(|&d| rows.shape[d] > 1);
    Rows {
        lower: axes.map(|d| rows.lower[d]),
        upper: axes.map(|d| rows.upper[d]),
        shape: axes.map(|d| rows.shape[d]),
        ..rows
    }
}
