//! Launches of the kernels with their arguments.
//!
//! Every pass launches one kernel on vectors of one workspace. A vector has one entry for each row of the
//! matrix and each lane of the workspace. This invariant makes [`Device::launch`] safe.

use std::sync::Arc;

use super::args::{Arg, Pointer, Shape};
use super::device::Device;
use crate::error::Result;

/// Number of threads per block. It must equal `THREADS` in the kernels.
pub(super) const THREADS: u32 = 256;
/// Largest number of blocks of a kernel that computes sums. It is fixed, so that sums are bitwise identical
/// on all devices.
// With one lane, N terms are summed in four stages: N/2¹⁸ consecutive terms per thread, a tree of 8 levels
// per block, four partial sums per thread of the second kernel, and another tree of 8 levels. Rounding errors
// grow like N/2¹⁸ + 20 instead of N.
pub(super) const MAX_BLOCKS: u32 = 1024;
/// Side length of the tiles of the interleaving kernels, and their number of threads along y.
// A tile is transposed in shared memory, so that both the columns and the interleaved vector are accessed in
// runs of 32 entries.
const TILE: u32 = 32;
const TILE_THREADS: u32 = 8;

/// Scalars of every column. The order must be that of the enumeration `Scalar` in the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // Some are used by the kernels only.
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
    /// Number of scalars per column.
    pub(super) const COUNT: usize = Self::SecondSum as usize + 1;

    /// Returns the index of the first value of this scalar in the array of all scalars.
    pub(super) fn start(self) -> usize {
        self as usize * super::MAX_LANES
    }
}

/// Precision of a preconditioner's input and output.
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

    /// Selects the kernel of this precision from `[single, double]`.
    pub(super) fn of(self, [single, double]: [&'static str; 2]) -> &'static str {
        match self {
            Self::Single => single,
            Self::Double => double,
        }
    }
}

/// Launcher of kernels, with the buffers from which they read scalars and to which they write sums.
#[derive(Clone)]
pub(super) struct Passes {
    pub(super) device: Arc<Device>,
    /// Binary logarithm of the number of lanes.
    pub(super) shift: u32,
    /// Number of rows of the matrix, which is the length of a vector.
    pub(super) cells: u32,
    pub(super) scalars: Pointer,
    pub(super) partial: Pointer,
}

impl Passes {
    /// Returns the number of blocks that are needed for one thread per entry, but at most `MAX_BLOCKS`.
    fn blocks(&self, cells: u32) -> u32 {
        let numbers = u64::from(cells) << self.shift;
        let blocks = numbers.div_ceil(u64::from(THREADS)).max(1);
        u32::try_from(blocks).unwrap_or(u32::MAX).min(MAX_BLOCKS)
    }

    /// Launches a kernel whose threads stride over `cells` cells in all lanes.
    pub(super) fn over(&self, kernel: &'static str, cells: u32, args: &[Arg]) -> Result<()> {
        let shape = Shape {
            blocks: (self.blocks(cells), 1),
            threads: (THREADS, 1),
        };
        // SAFETY: all callers pass the kernel's parameters, with vectors as in the module's invariant. Blocks
        // stride over the cells, so that any number of blocks stays within the vectors.
        unsafe { self.device.launch(kernel, shape, args) }
    }

    /// Launches a kernel over all cells and stores `quantities` sums in the scalars from `FirstSum` on.
    pub(super) fn sums(&self, kernel: &'static str, args: &[Arg], quantities: u32) -> Result<()> {
        // Two kernels add in a fixed order. Atomic additions would need only one, but would depend on the
        // order in which blocks happen to finish.
        self.over(kernel, self.cells, args)?;
        self.collect("collect", (quantities, 0), Scalar::FirstSum)
    }

    /// Combines the partial results of the blocks with `kernel`, and stores them in the scalars from `into`
    /// on. The results are multiplied by the value at `factor` unless this pointer is null.
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
        // SAFETY: the arguments are those of the collecting kernels. A kernel over all cells has written
        // `partial`, and the scalars have room for one value per quantity and lane.
        unsafe { self.device.launch(kernel, shape, &args) }
    }

    /// Computes the gauge term c Σx, or |c| Σ|x| for `moduli`. `factor` must point to c or |c|, respectively.
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

    /// Launches a kernel on the scalars, with one thread per lane.
    pub(super) fn scalar(&self, kernel: &'static str) -> Result<()> {
        let shape = Shape {
            blocks: (1, 1),
            threads: (super::MAX_LANES as u32, 1),
        };
        let args = [Arg::Pointer(self.scalars), Arg::Count(self.shift)];
        // SAFETY: all kernels over the scalars take these two arguments.
        unsafe { self.device.launch(kernel, shape, &args) }
    }

    /// Launches a kernel on vectors and scalars.
    pub(super) fn vectors(&self, kernel: &'static str, vectors: &[Pointer]) -> Result<()> {
        self.over(kernel, self.cells, &self.vector_args(vectors, false))
    }

    /// Launches a kernel on vectors and scalars that computes `quantities` sums.
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

    /// Computes the inner products ⟨a, b⟩ of all columns with the kernel for their precision.
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

    /// Computes ‖x‖² of all columns.
    pub(super) fn squares(&self, x: Pointer) -> Result<()> {
        let args = [
            Arg::Pointer(x),
            Arg::Pointer(self.partial),
            Arg::Count(self.cells),
            Arg::Count(self.shift),
        ];
        self.sums("squares", &args, 1)
    }

    /// Stores the largest modulus of every column in `FirstSum`, or NaN if the column contains a NaN.
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

    /// Copies x to y in the marked lanes, or sets these lanes of y to zero if there is no x.
    pub(super) fn copy_lanes(&self, x: Option<Pointer>, y: Pointer, which: &[bool]) -> Result<()> {
        // Bit l of the mask marks lane l, which allows for 64 lanes.
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

    /// Copies the lanes `from` of x, which has 2^wide lanes, to consecutive lanes of `out`.
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

    /// Interleaves `count` consecutive columns into `out`.
    pub(super) fn interleave(&self, columns: Pointer, out: Pointer, count: u32) -> Result<()> {
        let args = [
            Arg::Pointer(columns),
            Arg::Pointer(out),
            Arg::Count(self.cells),
            Arg::Count(count),
            Arg::Count(self.shift),
        ];
        // SAFETY: the arguments are those of `interleave`. `columns` holds `count` columns, and `out` has at least as many
        // lanes.
        unsafe { self.device.launch("interleave", self.tiles(), &args) }
    }

    /// Divides lanes by their scale factors and copies them to the columns `places`.
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
        // SAFETY: the arguments are those of `separate`, and `places` are indices of columns within
        // `columns`.
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
