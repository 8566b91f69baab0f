//! The GPU where it pays, the processor elsewhere.

use std::fmt;
use std::sync::{Arc, OnceLock};

use faer::{MatMut, MatRef};

use super::operator::{Operator, Side, Stencil, View};
use super::repeated::by_block;
use super::{Backend, Batch, Cpu, Cuda, Factor, SolveStats};
use crate::error::{Error, Result};

/// Solves on the first CUDA device what takes less time there, and everything else, or all where there is none, on the
/// processor.
///
/// What takes less time is estimated from counts: a step of the iteration with a stencil in space sends a kernel for every
/// hyperplane of every sweep, 1.5 µs each, and moves its vectors at 4 TB/s; the processor takes 4 ns for a sweep over a
/// cell and column, on as many threads as there are, or columns. So single columns stay on the processor up to about 64³
/// cells, and batches of 64 go to the device from about 20³. Sparse matrices and stencils in the plane stay on the
/// processor, where factorisations are fast. `Display` says what was found; [`Report::solvers`](crate::Report::solvers)
/// says what was used.
///
/// ```
/// use pullback::{linalg::Fastest, Backend, Operator, Side};
/// let auto = Fastest::new();
/// println!("solving on {auto}");
/// let factor = auto.factor(Operator::diagonal(vec![2.0, 4.0]))?;
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Fastest {
    /// What is solved on the processor, and how; its tolerances and precisions are those of the device as well.
    pub cpu: Cpu,
    device: Result<Cuda>,
}

impl Default for Fastest {
    fn default() -> Self {
        Self::new()
    }
}

impl Fastest {
    /// Looks for a device.
    pub fn new() -> Self {
        Self {
            cpu: Cpu::default(),
            device: Cuda::with_fallback(0),
        }
    }

    /// The device, or what is missing.
    ///
    /// # Errors
    /// That of [`Cuda::new`].
    pub fn device(&self) -> std::result::Result<&Cuda, &Error> {
        self.device.as_ref()
    }

    /// The device, for its settings.
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
        let (Ok(cuda), View::Stencil(stencil)) = (&self.device, a.view()) else {
            return self.cpu.factor(a);
        };
        let (stencil, definite) = (Arc::clone(stencil), a.is_positive_definite());
        Ok(Box::new(Either {
            cpu: &self.cpu,
            cuda,
            again: a.share(&stencil),
            work: Work::of(&stencil, definite),
            stencil,
            there: OnceLock::new(),
            here: self.cpu.factor(a)?,
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

/// What a solve by iteration takes, in counts.
struct Work {
    cells: f64,
    /// Hyperplanes of all levels.
    planes: f64,
    /// Sweeps of a step, and what a step moves, in sweeps.
    sweeps: f64,
    passes: f64,
    in_space: bool,
}

/// Steps of a typical solve.
const STEPS: f64 = 12.0;
/// Seconds: to send a kernel; to make a device ready for a batch; for a pass over a number there, and on one thread here; to
/// take a number there and back.
const SEND: f64 = 1.5e-6;
const READY: f64 = 0.05;
const THERE: f64 = 1e-11;
const HERE: f64 = 4e-9;
const TRAVEL: f64 = 1.6e-9;

impl Work {
    fn of(stencil: &Stencil, definite: bool) -> Self {
        let shape = stencil.shape.map(|n| n as f64);
        Self {
            cells: stencil.cells() as f64,
            planes: 2.0 * shape.iter().sum::<f64>(),
            sweeps: if definite { 2.0 } else { 16.0 },
            passes: if definite { 6.0 } else { 16.0 },
            in_space: stencil.shape.iter().all(|&n| n > 1),
        }
    }

    /// Whether so many columns take less time on a device than on so many threads.
    fn suits_a_device(&self, columns: usize, threads: usize) -> bool {
        let numbers = self.cells * columns as f64;
        let there = STEPS * (self.sweeps * self.planes * SEND + self.passes * numbers * THERE);
        let here = STEPS * self.passes * numbers * HERE / threads.min(columns.max(1)) as f64;
        self.in_space && READY + TRAVEL * numbers + there < here
    }
}

/// A stencil on both, made ready on the device when that is first wanted.
struct Either<'a> {
    cpu: &'a Cpu,
    cuda: &'a Cuda,
    again: Operator<'a>,
    stencil: Arc<Stencil>,
    work: Work,
    /// None where the device refused.
    there: OnceLock<Option<Box<dyn Factor + 'a>>>,
    here: Box<dyn Factor + 'a>,
}

impl<'a> Either<'a> {
    /// The device, if it takes less time for so many columns and has not refused the matrix.
    fn there(&self, columns: usize) -> Option<&(dyn Factor + 'a)> {
        if !self
            .work
            .suits_a_device(columns, rayon::current_num_threads())
        {
            return None;
        }
        let ready = || {
            let again = self.again.share(&self.stencil);
            self.cuda.factor_with(self.cpu, again).ok()
        };
        self.there.get_or_init(ready).as_deref()
    }

    /// What solves for so many columns.
    fn for_columns(&self, columns: usize) -> &(dyn Factor + 'a) {
        self.there(columns).unwrap_or(self.here.as_ref())
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
        // Columns that are on the device already are solved for there.
        let columns = match &batch {
            Batch::Here(_) => batch.ncols(),
            Batch::There(_) => usize::MAX,
        };
        self.for_columns(columns).solve_batch(side, guess, batch)
    }

    fn announce(&self, columns: usize) {
        self.here.announce(columns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_for_large_batches_in_space() {
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
