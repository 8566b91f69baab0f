//! A stencil on a device with its multigrid hierarchy, and the V-cycle as passes over it.

use std::sync::Arc;

use super::device::{Arg, Buffer, Device, Plane, Pointer, Rows, Shape};
use super::equations::{Equations, Rough, Scaled};
use super::passes::{Passes, THREADS, Width};
use crate::backend::structured::level::Level;
use crate::backend::structured::multigrid::{ENDS, Multigrid, OVER_CORRECTION};
use crate::error::Result;
use crate::operator::{Real, Rows as Lines, Side, Stencil};

/// What is stored on the device, for messages.
const WHAT: &str = "the multigrid hierarchy of a stencil on the device";

/// The coefficients of a stencil, one array after another in one buffer.
pub(super) struct Stored {
    /// Keeps what `rows` points to.
    _buffer: Buffer,
    rows: Rows,
}

impl Stored {
    fn new<T: Real>(device: &Arc<Device>, lines: Lines<'_, T>, inverse: &[T]) -> Result<Self> {
        let [l0, l1, l2] = lines.lower;
        let [u0, u1, u2] = lines.upper;
        let arrays = [lines.centre, l0, l1, l2, u0, u1, u2, inverse];
        let numbers: usize = arrays.iter().map(|a| a.len()).sum();
        let cells = lines.centre.len();
        let buffer = device.take(numbers * size_of::<T>(), (WHAT, cells))?;
        let mut offset = 0;
        let mut places = [0; 8];
        for (place, array) in places.iter_mut().zip(arrays) {
            device.upload(array, &buffer, offset)?;
            *place = if array.is_empty() {
                0
            } else {
                buffer.at + offset as u64
            };
            offset += size_of_val(array);
        }
        let [centre, l0, l1, l2, u0, u1, u2, inverse] = places;
        let rows = Rows {
            centre,
            lower: [l0, l1, l2],
            upper: [u0, u1, u2],
            inverse,
            shape: lines.shape.map(|n| n as u32),
            cells: cells as u32,
        };
        Ok(Self {
            _buffer: buffer,
            rows,
        })
    }

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

/// A stencil and its hierarchy.
pub(super) struct Hierarchy {
    /// The matrix itself.
    exact: Stored,
    gauge: f64,
    /// From the finest, in the precision of the cycles.
    pub(super) levels: Vec<Stored>,
    /// The inverse on the coarsest level, by rows.
    coarsest: Buffer,
    coarsest_cells: u32,
    width: Width,
    definite: bool,
}

impl Hierarchy {
    /// That of a stencil, for cycles in the precision of T.
    pub(super) fn new<T: Real>(
        device: &Arc<Device>,
        stencil: &Stencil,
        multigrid: &Multigrid<T>,
    ) -> Result<Self> {
        let levels = multigrid.levels.iter();
        let store = |level: &Level<T>| Stored::new(device, level.rows(Side::Plain), &level.inverse);
        let (coarsest, cells) = (&multigrid.coarsest, multigrid.cells);
        Ok(Self {
            exact: Stored::new(device, stencil.rows(Side::Plain), &[])?,
            gauge: stencil.gauge(),
            levels: levels.map(store).collect::<Result<_>>()?,
            coarsest: device.store(coarsest, (WHAT, cells))?,
            coarsest_cells: cells as u32,
            width: if size_of::<T>() == size_of::<f32>() {
                Width::Single
            } else {
                Width::Double
            },
            definite: multigrid.definite,
        })
    }

    fn gauged(&self) -> Arg {
        Arg::Count((self.gauge != 0.0).into())
    }

    /// What the gauge adds to products with x, if there is one.
    fn settle_gauge(&self, to: &Passes, x: (Pointer, Width), moduli: bool) -> Result<()> {
        if self.gauge == 0.0 {
            return Ok(());
        }
        to.gauge(self.gauge, x.0, x.1, moduli)
    }

    /// One V-cycle on a level and those below it, whose vectors are room: a right-hand side and a solution each.
    fn cycle(&self, to: &Passes, (side, level): (Side, usize), v: Rough<'_>) -> Result<()> {
        let (Some(stored), [coarse_b, coarse_x, room @ ..]) = (self.levels.get(level), v.room)
        else {
            return self.solve_coarsest(to, side, v);
        };
        let rows = stored.rows(side);
        let sweeps = if self.definite { 1 } else { ENDS.len() };
        let corner = |[y, z]: [bool; 2], up: bool| {
            let ends = if up { [true, !y, !z] } else { [false, y, z] };
            (0..3).map(|axis| u32::from(ends[axis]) << axis).sum()
        };
        self.clear(to, rows, v.x)?;
        for ends in &ENDS[..sweeps] {
            self.sweep(to, rows, v, corner(*ends, false))?;
        }
        self.restrict(to, rows, v, *coarse_b)?;
        let coarse = Rough {
            b: *coarse_b,
            x: *coarse_x,
            room,
        };
        self.cycle(to, (side, level + 1), coarse)?;
        self.prolong(to, rows, *coarse_x, v.x)?;
        for ends in ENDS[..sweeps].iter().rev() {
            self.sweep(to, rows, v, corner(*ends, true))?;
        }
        Ok(())
    }

    pub(super) fn clear(&self, to: &Passes, rows: Rows, x: Pointer) -> Result<()> {
        let args = [
            Arg::Pointer(x),
            Arg::Count(rows.cells),
            Arg::Count(to.shift),
        ];
        to.over(self.width.of(["clear_f", "clear_d"]), rows.cells, &args)
    }

    /// A Gauss-Seidel sweep, hyperplane by hyperplane: no cell of one needs another, and all lanes of all its cells go
    /// at once.
    pub(super) fn sweep(&self, to: &Passes, rows: Rows, v: Rough<'_>, corner: u32) -> Result<()> {
        let kernel = self.width.of(["relax_f", "relax_d"]);
        let last = rows.shape.map(|n| n - 1);
        for plane in 0..=last.iter().sum() {
            let first = u32::saturating_sub(plane, last[1] + last[2]);
            let count = plane.min(last[0]) - first + 1;
            let widest = rows.shape[1].min(rows.shape[2]).min(plane + 1);
            let shape = Shape {
                blocks: ((widest << to.shift).div_ceil(THREADS), count),
                threads: (THREADS, 1),
            };
            let plane = Plane {
                plane,
                first,
                corner,
            };
            let args = [
                Arg::Rows(rows),
                Arg::Pointer(v.b),
                Arg::Pointer(v.x),
                Arg::Plane(plane),
                Arg::Count(to.shift),
            ];
            to.device.launch(kernel, shape, &args)?;
        }
        Ok(())
    }

    pub(super) fn restrict(
        &self,
        to: &Passes,
        rows: Rows,
        v: Rough<'_>,
        coarse: Pointer,
    ) -> Result<()> {
        let args = [
            Arg::Rows(rows),
            Arg::Pointer(v.b),
            Arg::Pointer(v.x),
            Arg::Pointer(coarse),
            Arg::Count(to.shift),
        ];
        let parents = rows.shape.map(|n| n.div_ceil(2)).iter().product();
        to.over(self.width.of(["restrict_f", "restrict_d"]), parents, &args)
    }

    pub(super) fn prolong(
        &self,
        to: &Passes,
        rows: Rows,
        coarse: Pointer,
        x: Pointer,
    ) -> Result<()> {
        let factor = if self.definite { OVER_CORRECTION } else { 1.0 };
        let args = [
            Arg::Rows(rows),
            Arg::Pointer(coarse),
            Arg::Pointer(x),
            self.width.number(factor),
            Arg::Count(to.shift),
        ];
        to.over(self.width.of(["prolong_f", "prolong_d"]), rows.cells, &args)
    }

    pub(super) fn solve_coarsest(&self, to: &Passes, side: Side, v: Rough<'_>) -> Result<()> {
        let n = self.coarsest_cells;
        let (between_rows, between_columns) = match side {
            Side::Plain => (n, 1),
            Side::Transpose => (1, n),
        };
        let args = [
            Arg::Pointer(self.coarsest.at),
            Arg::Pointer(v.b),
            Arg::Pointer(v.x),
            Arg::Count(n),
            Arg::Count(between_rows),
            Arg::Count(between_columns),
            Arg::Count(to.shift),
        ];
        to.over(self.width.of(["dense_f", "dense_d"]), n, &args)
    }
}

impl Equations for Hierarchy {
    fn cells(&self) -> usize {
        self.exact.rows.cells as usize
    }

    fn width(&self) -> Width {
        self.width
    }

    fn image(
        &self,
        to: &Passes,
        side: Side,
        (x, width, scaled): (Pointer, Width, Scaled),
        [with, out]: [Pointer; 2],
    ) -> Result<()> {
        self.settle_gauge(to, (x, width), false)?;
        let args = [
            Arg::Rows(self.exact.rows(side)),
            Arg::Pointer(x),
            Arg::Pointer(out),
            Arg::Pointer(with),
            Arg::Pointer(to.scalars),
            Arg::Pointer(to.partial),
            self.gauged(),
            Arg::Count((scaled == Scaled::Yes).into()),
            Arg::Count(to.shift),
        ];
        to.sums(width.of(["image_f", "image_d"]), &args, 2)
    }

    fn residual(&self, to: &Passes, side: Side, x: Pointer, [b, out]: [Pointer; 2]) -> Result<()> {
        self.settle_gauge(to, (x, Width::Double), false)?;
        let args = [
            Arg::Rows(self.exact.rows(side)),
            Arg::Pointer(x),
            Arg::Pointer(out),
            Arg::Pointer(b),
            Arg::Pointer(to.scalars),
            Arg::Pointer(to.partial),
            self.gauged(),
            Arg::Count(to.shift),
        ];
        to.sums("residual", &args, 1)
    }

    fn magnitude(&self, to: &Passes, side: Side, x: Pointer) -> Result<()> {
        self.settle_gauge(to, (x, Width::Double), true)?;
        let args = [
            Arg::Rows(self.exact.rows(side)),
            Arg::Pointer(x),
            Arg::Pointer(to.scalars),
            Arg::Pointer(to.partial),
            self.gauged(),
            Arg::Count(to.shift),
        ];
        to.sums("magnitude", &args, 1)
    }

    fn precondition(&self, to: &Passes, side: Side, vectors: Rough<'_>) -> Result<()> {
        self.cycle(to, (side, 0), vectors)
    }

    fn room(&self) -> Vec<usize> {
        let coarser = self.levels.iter().skip(1).map(|level| level.rows.cells);
        let cells = coarser.chain([self.coarsest_cells]);
        // With no level but the coarsest, its vectors are those of the iteration.
        let needed = if self.levels.is_empty() {
            0
        } else {
            usize::MAX
        };
        cells.take(needed).flat_map(|n| [n as usize; 2]).collect()
    }
}
