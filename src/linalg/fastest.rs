//! Backend that chooses between GPU and CPU by estimated run time.

use std::fmt;
use std::sync::{Arc, OnceLock};

use faer::{MatMut, MatRef};

use super::operator::{Operator, Side, Stencil};
use super::repeated::by_block;
use super::{Backend, Batch, Cpu, Cuda, Factor, SolveStats};
use crate::error::{Error, Result};

/// Backend that solves on the first CUDA device where this is estimated to be faster, and on the CPU
/// otherwise.
///
/// Without a device, everything is solved on the CPU. The estimate counts the work of one iteration with a
/// three-dimensional stencil. On the device, an iteration launches one kernel per hyperplane and sweep, which
/// takes 1.5 µs, and reads and writes its vectors at 4 TB/s. On the CPU, a sweep takes 4 ns per cell and
/// column, divided by the number of threads or columns, whichever is less. Single columns therefore stay on
/// the CPU up to about 64³ cells, and batches of 64 columns are solved on the device from about 20³ cells.
/// Sparse matrices and two-dimensional stencils stay on the CPU, where factorisations are fast. `Display`
/// names the device that was found; [`Report::solvers`](crate::Report::solvers) lists the methods that were
/// used.
///
/// ```
/// use pullback::{linalg::Fastest, Backend, Operator, Side};
/// let auto = Fastest::new();
/// println!("solving on {auto}");
/// let factor = auto.factor(Operator::diagonal(vec![2.0, 4.0]))?;
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Fastest {
    /// Backend for solves on the CPU. Its tolerances and precisions apply on the device as well.
    pub cpu: Cpu,
    device: Result<Cuda>,
}

impl Default for Fastest {
    fn default() -> Self {
        Self::new()
    }
}

impl Fastest {
    /// Creates the backend with the first device, or without a device if none can be opened.
    pub fn new() -> Self {
        Self {
            cpu: Cpu::default(),
            device: Cuda::with_fallback(0),
        }
    }

    /// Returns the device.
    ///
    /// # Errors
    /// Fails as [`Cuda::new`] does if there is no device.
    pub fn device(&self) -> std::result::Result<&Cuda, &Error> {
        self.device.as_ref()
    }

    /// Returns the device, so that its settings can be changed, or `None` without a device.
    pub fn device_mut(&mut self) -> Option<&mut Cuda> {
        self.device.as_mut().ok()
    }
}

impl Backend for Fastest {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        by_block(a, |single| self.single(single))
    }
}

impl Fastest {
    fn single<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        let (Ok(cuda), Some(stencil)) = (&self.device, a.as_stencil()) else {
            return self.cpu.factor(a);
        };
        let (stencil, definite) = (Arc::clone(stencil), a.is_positive_definite());
        Ok(Box::new(Either {
            cpu: &self.cpu,
            cuda,
            operator: a.share(&stencil),
            work: Work::of(&stencil, definite),
            stencil,
            on_device: OnceLock::new(),
            on_processor: self.cpu.factor(a)?,
        }))
    }
}

impl fmt::Display for Fastest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.device {
            Ok(cuda) => write!(f, "{cuda} where that is faster, the processor elsewhere"),
            Err(Error::Device { what, .. }) => write!(f, "the processor, for want of {what}"),
            Err(e) => write!(f, "the processor ({e})"),
        }
    }
}

/// Estimated operation counts of one iteration with a stencil.
struct Work {
    cells: f64,
    /// Number of hyperplanes of a sweep, summed over all levels of the multigrid hierarchy.
    planes: f64,
    /// Number of sweeps per iteration.
    sweeps: f64,
    /// Memory traffic of an iteration, in units of one sweep.
    passes: f64,
    /// Whether the grid has more than one cell along each of three axes.
    three_dimensional: bool,
}

/// Number of iterations of a typical iterative solve.
// With multigrid, general matrices take 9 to 18 iterations on 64³ and 128³ cells (benches/RESULTS.md). Both
// estimates are proportional to this number, except for the transfer to the device and its preparation.
const STEPS: f64 = 12.0;
/// Time to launch a kernel, in seconds.
const LAUNCH: f64 = 1.5e-6;
/// Time to prepare the device for a batch, in seconds.
const SETUP: f64 = 0.05;
/// Time per entry of a sweep on the device, in seconds: 40 bytes at 4 TB/s.
const DEVICE_PASS: f64 = 1e-11;
/// Time per entry of a sweep on one thread of the CPU, in seconds.
// This lies between 8 ns for a single column and 1.5 ns per column for wide batches.
const PROCESSOR_PASS: f64 = 4e-9;
/// Time to copy an entry to the device and back, in seconds.
// An entry takes 16 bytes in both directions together, transferred at 10 GB/s.
const TRANSFER: f64 = 1.6e-9;

impl Work {
    fn of(stencil: &Stencil, definite: bool) -> Self {
        let shape = stencil.shape.map(|n| n as f64);
        Self {
            cells: stencil.cells() as f64,
            // Every coarser level has half as many cells along each axis, and 1 + 1/2 + 1/4 + … = 2. A sweep
            // over n₁×n₂×n₃ cells has n₁ + n₂ + n₃ − 2 hyperplanes.
            planes: 2.0 * shape.iter().sum::<f64>(),
            // Conjugate gradients apply one cycle of 2 + 2 sweeps per iteration, BiCGSTAB two cycles of 4 + 4
            // sweeps. Residuals, products and vector updates add the traffic of four sweeps to the four sweeps
            // of conjugate gradients. Next to the sixteen sweeps of BiCGSTAB they are neglected.
            sweeps: if definite { 4.0 } else { 16.0 },
            passes: if definite { 8.0 } else { 16.0 },
            three_dimensional: stencil.shape.iter().all(|&n| n > 1),
        }
    }

    /// Estimates whether the device solves this number of columns faster than the threads of the CPU.
    fn suits_a_device(&self, columns: usize, threads: usize) -> bool {
        // For one column on n³ cells and a general matrix, the launches take 12·16·6n·1.5 µs = 1.7n ms, and
        // the sweeps on the CPU take 12·16·n³·4 ns. With the set-up time, the two break even at n = 58. In
        // wide batches, the cost of the launches is shared by all columns, whereas the work on the CPU is
        // shared by its threads only.
        let numbers = self.cells * columns as f64;
        let launches = self.sweeps * self.planes;
        let device = STEPS * (launches * LAUNCH + self.passes * numbers * DEVICE_PASS);
        let threads = threads.min(columns.max(1)) as f64;
        let processor = STEPS * self.passes * numbers * PROCESSOR_PASS / threads;
        self.three_dimensional && SETUP + TRANSFER * numbers + device < processor
    }
}

/// Factors of a stencil on the CPU and on the device. The factor on the device is built on first use.
struct Either<'a> {
    cpu: &'a Cpu,
    cuda: &'a Cuda,
    operator: Operator<'a>,
    stencil: Arc<Stencil>,
    work: Work,
    /// Factor on the device, built on first use. `None` after a failure of the device.
    on_device: OnceLock<Option<Box<dyn Factor + 'a>>>,
    on_processor: Box<dyn Factor + 'a>,
}

impl<'a> Either<'a> {
    /// Returns the factor on the device, if it could be built and is faster for this number of columns.
    fn on_device(&self, columns: usize) -> Option<&(dyn Factor + 'a)> {
        if !self
            .work
            .suits_a_device(columns, rayon::current_num_threads())
        {
            return None;
        }
        let build = || {
            let operator = self.operator.share(&self.stencil);
            self.cuda.factor_with(self.cpu, operator).ok()
        };
        self.on_device.get_or_init(build).as_deref()
    }

    /// Returns the faster factor for this number of columns.
    fn for_columns(&self, columns: usize) -> &(dyn Factor + 'a) {
        self.on_device(columns)
            .unwrap_or(self.on_processor.as_ref())
    }
}

impl Factor for Either<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        self.for_columns(batch.ncols()).solve(side, guess, batch)
    }

    fn solve_batch(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: Batch,
    ) -> Result<(Batch, SolveStats)> {
        // Columns that are already on the device stay there: an unlimited number makes the estimate choose
        // the device.
        let columns = match &batch {
            Batch::Host(_) => batch.ncols(),
            Batch::Device(_) => usize::MAX,
        };
        self.for_columns(columns).solve_batch(side, guess, batch)
    }

    fn announce(&self, columns: usize) {
        self.on_processor.announce(columns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_for_large_batches_in_three_dimensions() {
        let work = |cells: &[usize], definite| Work::of(&Stencil::new(cells), definite);
        assert!(work(&[128; 3], false).suits_a_device(64, 16));
        assert!(work(&[32; 3], false).suits_a_device(64, 2));
        assert!(work(&[64; 3], true).suits_a_device(64, 2));
        assert!(!work(&[16; 3], false).suits_a_device(4, 2));
        assert!(!work(&[512; 2], true).suits_a_device(64, 2));
        assert!(!work(&[10_000], false).suits_a_device(64, 2));
    }

    #[test]
    fn without_a_device_everything_is_solved_on_the_processor() {
        let auto = Fastest {
            cpu: Cpu::default(),
            device: Err(Error::Device {
                what: "a test",
                detail: "of one".into(),
            }),
        };
        assert_eq!(auto.to_string(), "the processor, for want of a test");
        let mut stencil = Stencil::new(&[3, 2, 2]);
        stencil.add_diagonal(&[2.0; 12]);
        let mut b = faer::Mat::from_fn(12, 2, |i, _| i as f64);
        let factor = auto.factor(Operator::stencil(stencil)).unwrap();
        factor.solve(Side::Plain, None, b.as_mut()).unwrap();
        assert!((b[(5, 1)] - 2.5).abs() < 1e-12);
    }
}
