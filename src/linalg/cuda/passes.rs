//! Kernels with their arguments, as the solvers speak of them.
//!
//! Every pass here sends one kernel with pointers to vectors of as many numbers as the matrix has rows times the lanes
//! of the room that they belong to; that is what keeps [`Device::launch`] safe.

use std::sync::Arc;

use super::args::{Arg, Pointer, Shape};
use super::device::Device;
use crate::error::Result;

/// Threads of a block; the kernels know this number.
pub(super) const THREADS: u32 = 256;
/// Most blocks of a kernel that sums. It is the same on all devices, so that sums are.
pub(super) const MAX_BLOCKS: u32 = 1024;
/// The side of the tiles of a transposition, and the threads along y there.
const TILE: u32 = 32;
const TILE_THREADS: u32 = 8;

/// Scalars of the columns, in the order of the enumeration in the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // Some are known to the kernels only.
pub(super) enum Scalar {
    Active,
    Fresh,
    Blind,
    Rho,
    Last,
    Alpha,
    Omega,
    Beta,
    Size,
    ShadowSize,
    Scale,
    Gauge,
    Factor,
    FirstSum,
    SecondSum,
}

impl Scalar {
    /// How many there are.
    pub(super) const COUNT: usize = Self::SecondSum as usize + 1;

    /// Where its numbers begin.
    pub(super) fn start(self) -> usize {
        self as usize * super::MAX_LANES
    }
}

/// The precision of what goes into a preconditioner and comes out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Single,
    Double,
}

impl Width {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Single => size_of::<f32>(),
            Self::Double => size_of::<f64>(),
        }
    }

    /// One of two kernels.
    pub(super) fn of(self, [single, double]: [&'static str; 2]) -> &'static str {
        match self {
            Self::Single => single,
            Self::Double => double,
        }
    }

    pub(super) fn number(self, x: f64) -> Arg {
        match self {
            Self::Single => Arg::Single(x as f32),
            Self::Double => Arg::Double(x),
        }
    }
}

/// Where kernels find their lanes and scalars, and leave their sums.
#[derive(Clone)]
pub(super) struct Passes {
    pub(super) device: Arc<Device>,
    /// DeviceColumns are 2^shift lanes.
    pub(super) shift: u32,
    /// Rows of the matrix.
    pub(super) cells: u32,
    pub(super) scalars: Pointer,
    pub(super) partial: Pointer,
}

impl Passes {
    /// Blocks for one thread a number, as far as they go.
    fn blocks(&self, cells: u32) -> u32 {
        let numbers = u64::from(cells) << self.shift;
        let blocks = numbers.div_ceil(u64::from(THREADS)).max(1);
        u32::try_from(blocks).unwrap_or(u32::MAX).min(MAX_BLOCKS)
    }

    /// A kernel over so many cells; their number and that of the lanes come last.
    pub(super) fn over(&self, kernel: &'static str, cells: u32, args: &[Arg]) -> Result<()> {
        let shape = Shape {
            blocks: (self.blocks(cells), 1),
            threads: (THREADS, 1),
        };
        // SAFETY: the steps beside this file give each kernel what its comment asks for; blocks stride, so that any
        // number of them stays within the cells.
        unsafe { self.device.launch(kernel, shape, args) }
    }

    /// A kernel over all cells that leaves this many sums, which are put at `FirstSum` and after, times a factor.
    pub(super) fn sums(&self, kernel: &'static str, args: &[Arg], quantities: u32) -> Result<()> {
        self.over(kernel, self.cells, args)?;
        self.collect("collect", (quantities, 0), Scalar::FirstSum)
    }

    /// What blocks have left of so many quantities, put together by a kernel; with no factor at 0.
    fn collect(
        &self,
        kernel: &'static str,
        (quantities, factor): (u32, Pointer),
        into: Scalar,
    ) -> Result<()> {
        let target = self.scalars + (into.start() * size_of::<f64>()) as u64;
        let shape = Shape {
            blocks: (quantities, 1),
            threads: (THREADS, 1),
        };
        let args = [
            Arg::Pointer(self.partial),
            Arg::Pointer(target),
            Arg::Pointer(factor),
            Arg::Count(self.blocks(self.cells)),
            Arg::Count(self.shift),
        ];
        // SAFETY: those of the collecting kernels; blocks of all cells have left their sums in `partial`, and the
        // scalars have a place for each quantity.
        unsafe { self.device.launch(kernel, shape, &args) }
    }

    /// What a gauge adds: c Σx, or |c| Σ|x|, for the number at `factor`.
    pub(super) fn gauge(
        &self,
        factor: Pointer,
        (x, width): (Pointer, Width),
        moduli: bool,
    ) -> Result<()> {
        let args = [
            Arg::Pointer(x),
            Arg::Pointer(self.partial),
            Arg::Count(self.cells),
            Arg::Count(moduli.into()),
            Arg::Count(self.shift),
        ];
        self.over(width.of(["total_f", "total_d"]), self.cells, &args)?;
        self.collect("collect", (1, factor), Scalar::Gauge)
    }

    /// A kernel over the scalars, lane by lane.
    pub(super) fn scalar(&self, kernel: &'static str) -> Result<()> {
        let shape = Shape {
            blocks: (1, 1),
            threads: (super::MAX_LANES as u32, 1),
        };
        let args = [Arg::Pointer(self.scalars), Arg::Count(self.shift)];
        // SAFETY: all kernels over the scalars take these two.
        unsafe { self.device.launch(kernel, shape, &args) }
    }

    /// A kernel over vectors and the scalars.
    pub(super) fn vectors(&self, kernel: &'static str, vectors: &[Pointer]) -> Result<()> {
        self.over(kernel, self.cells, &self.vector_args(vectors, false))
    }

    /// The same with this many sums.
    pub(super) fn vector_sums(
        &self,
        kernel: &'static str,
        vectors: &[Pointer],
        quantities: u32,
    ) -> Result<()> {
        self.sums(kernel, &self.vector_args(vectors, true), quantities)
    }

    fn vector_args(&self, vectors: &[Pointer], summing: bool) -> Vec<Arg> {
        let mut args: Vec<Arg> = vectors.iter().map(|&v| Arg::Pointer(v)).collect();
        args.push(Arg::Pointer(self.scalars));
        if summing {
            args.push(Arg::Pointer(self.partial));
        }
        args.extend([Arg::Count(self.cells), Arg::Count(self.shift)]);
        args
    }

    /// Sums of products of two vectors, by the kernel for their precisions.
    pub(super) fn along(&self, kernel: &'static str, [a, b]: [Pointer; 2]) -> Result<()> {
        let args = [
            Arg::Pointer(a),
            Arg::Pointer(b),
            Arg::Pointer(self.partial),
            Arg::Count(self.cells),
            Arg::Count(self.shift),
        ];
        self.sums(kernel, &args, 1)
    }

    /// Sums of squares.
    pub(super) fn squares(&self, x: Pointer) -> Result<()> {
        let args = [
            Arg::Pointer(x),
            Arg::Pointer(self.partial),
            Arg::Count(self.cells),
            Arg::Count(self.shift),
        ];
        self.sums("squares", &args, 1)
    }

    /// The largest modulus of every column, at `FirstSum`; no number where there is one among them.
    pub(super) fn largest(&self, x: Pointer) -> Result<()> {
        let args = [
            Arg::Pointer(x),
            Arg::Pointer(self.partial),
            Arg::Count(self.cells),
            Arg::Count(self.shift),
        ];
        self.over("largest", self.cells, &args)?;
        self.collect("collect_largest", (1, 0), Scalar::FirstSum)
    }

    /// y ← x in these lanes, or 0 for no x.
    pub(super) fn copy_lanes(&self, x: Option<Pointer>, y: Pointer, which: &[bool]) -> Result<()> {
        let mask = which.iter().enumerate().map(|(l, &w)| u64::from(w) << l);
        let args = [
            Arg::Pointer(x.unwrap_or(0)),
            Arg::Pointer(y),
            Arg::Mask(mask.sum()),
            Arg::Count(self.cells),
            Arg::Count(self.shift),
        ];
        self.over("copy_lanes", self.cells, &args)
    }

    /// out ← these lanes of x, of which there are 2^wide.
    pub(super) fn narrow(
        &self,
        x: Pointer,
        out: Pointer,
        from: super::args::Places,
        wide: u32,
    ) -> Result<()> {
        let args = [
            Arg::Pointer(x),
            Arg::Pointer(out),
            Arg::Places(from),
            Arg::Count(self.cells),
            Arg::Count(wide),
            Arg::Count(self.shift),
        ];
        self.over("narrow", self.cells, &args)
    }

    /// Interleaves so many columns.
    pub(super) fn interleave(&self, columns: Pointer, out: Pointer, count: u32) -> Result<()> {
        let args = [
            Arg::Pointer(columns),
            Arg::Pointer(out),
            Arg::Count(self.cells),
            Arg::Count(count),
            Arg::Count(self.shift),
        ];
        // SAFETY: those of `interleave`; a batch has `count` columns of cells, and `out` a lane for each.
        unsafe { self.device.launch("interleave", self.tiles(), &args) }
    }

    /// Puts lanes back into columns.
    pub(super) fn separate(
        &self,
        x: Pointer,
        columns: Pointer,
        places: super::args::Places,
    ) -> Result<()> {
        let args = [
            Arg::Pointer(x),
            Arg::Pointer(columns),
            Arg::Pointer(self.scalars),
            Arg::Places(places),
            Arg::Count(self.cells),
            Arg::Count(self.shift),
        ];
        // SAFETY: those of `separate`; `places` are columns of the batch.
        unsafe { self.device.launch("separate", self.tiles(), &args) }
    }

    fn tiles(&self) -> Shape {
        Shape {
            blocks: (
                self.cells.div_ceil(TILE),
                (1_u32 << self.shift).div_ceil(TILE),
            ),
            threads: (TILE, TILE_THREADS),
        }
    }
}
