//! Solves on an NVIDIA GPU, through the CUDA driver that is found when the program runs.

mod args;
mod cache;
mod columns;
mod compile;
mod device;
mod equations;
mod factor;
mod hierarchy;
mod kernels;
mod krylov;
mod passes;
mod plan;
mod resident;
mod solve;
mod solver;
mod sparse;
mod staging;
mod stored;
mod sweeps;
#[cfg(test)]
mod tests;
mod workspace;

use std::sync::{Arc, OnceLock};
use std::{fmt, panic};

use faer::sparse::SparseColMat;

use self::cache::Cache;
use self::device::Device;
use self::equations::Equations;
use self::factor::{OnDevice, Rebuild};
use self::hierarchy::Hierarchy;
#[doc(hidden)]
pub use self::kernels::CudaKernels;
use self::passes::Width;
use self::plan::Plan;
use self::solver::IterativeSolver;
use self::sparse::{Sparse, Swept};
use super::cpu::stencil::progress::Criteria;
use super::operator::{Operator, Stencil, View};
use super::repeated::by_block;
use super::{Backend, Cpu, Factor, Method};
use crate::error::{Error, Result};

/// Most columns side by side on a device.
const MAX_LANES: usize = 64;

/// Solves on a CUDA device.
///
/// Stencils are solved by the iterations of [`Cpu`], BiCGSTAB or conjugate gradients with multigrid, for up to 64 columns
/// at once, in the precisions that it has. A sweep goes hyperplane by hyperplane, and all axes together may have no more
/// than 8192 cells. Sparse matrices from 10 000 rows on are solved by the same iterations with DILU, front by front of rows
/// that do not need one another, of which there may be 4096. Everything else, and columns whose iteration makes no
/// progress, is left to [`cpu`](Cuda::cpu).
///
/// A sketch leaves its columns on the device from the solve of the metric to the product with ∂g/∂θ; see
/// [`Batch`](crate::linalg::Batch). What was made ready for a matrix, vectors and recorded steps, is kept for the next one of the
/// same shape.
///
/// The driver and the compiler of the kernels (libcuda, libnvrtc) are looked for when a device is
/// opened, so that a program built with the feature `cuda` runs on machines without either.
///
/// ```
/// use pullback::{linalg::Cuda, Error};
/// match Cuda::new(0) {
///     Ok(cuda) => println!("solving on {cuda}"),
///     Err(Error::Device { what, detail }) => println!("no GPU: {what}: {detail}"),
///     Err(e) => return Err(e),
/// }
/// # Ok::<(), Error>(())
/// ```
pub struct Cuda {
    /// What the device does not do, with the tolerances and precisions of what it does.
    pub cpu: Cpu,
    /// The bytes of the device's memory that the vectors of one solve may take; none for what is free. Batches go through
    /// in blocks of as many columns as fit.
    pub memory: Option<usize>,
    device: Arc<Device>,
    cache: Cache,
    /// Whether the processor solves what the device has no room for, or fails at.
    with_fallback: bool,
}

/// Opens a device. Functions of the driver and of the compiler are looked up at their first use, and one that an old
/// library lacks ends that look-up in a panic.
fn opened(ordinal: usize) -> Result<Arc<Device>> {
    let opened = panic::catch_unwind(|| Device::open(ordinal));
    opened.unwrap_or_else(|reason| {
        let text = reason.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| reason.downcast_ref::<&str>().copied());
        Err(Error::Device {
            what: "a function of the CUDA driver or of NVRTC",
            detail: format!("{}; update them", text.unwrap_or("it is missing")),
        })
    })
}

impl Cuda {
    /// The device of this number, from 0.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device), which names what is missing: the driver, the compiler, the device.
    pub fn new(ordinal: usize) -> Result<Self> {
        Ok(Self {
            cpu: Cpu::default(),
            memory: None,
            device: opened(ordinal)?,
            cache: Cache::default(),
            with_fallback: false,
        })
    }

    /// One that leaves to the processor what the device has no room for, or fails at.
    pub(super) fn with_fallback(ordinal: usize) -> Result<Self> {
        Ok(Self {
            with_fallback: true,
            ..Self::new(ordinal)?
        })
    }

    /// The name of the device.
    pub fn name(&self) -> &str {
        self.device.name()
    }

    fn stencil<'a>(
        &'a self,
        cpu: &'a Cpu,
        stencil: &Arc<Stencil>,
        a: &Operator<'a>,
    ) -> Result<OnDevice<'a>> {
        let definite = a.is_positive_definite();
        let width = if cpu.cycles.is_single(stencil, definite) {
            Width::Single
        } else {
            Width::Double
        };
        let plan = Plan::of(stencil, definite, width);
        let make = || {
            let equations = Hierarchy::new(&self.device, stencil, plan)?;
            Ok(self.iterated(Box::new(equations), definite))
        };
        let _lock = self.device.lock_stream();
        let iterated = self.cache.take(|known| known.refill(stencil, plan), make)?;
        let (again, shared) = (a.share(stencil), Arc::clone(stencil));
        let names = [
            "multigrid + BiCGSTAB on the GPU",
            "multigrid + conjugate gradients on the GPU",
        ];
        let again = Box::new(move || again.share(&shared));
        Ok(self.on_device(cpu, iterated, a, (names, again)))
    }

    fn sparse<'a>(
        &'a self,
        cpu: &'a Cpu,
        (matrix, transpose): (SparseColMat<usize, f64>, &Swept),
        a: &Operator<'a>,
    ) -> Result<OnDevice<'a>> {
        let definite = a.is_positive_definite();
        let make = || {
            let equations = Sparse::new(&self.device, transpose)?;
            Ok(self.iterated(Box::new(equations), definite))
        };
        let alone = self.device.lock_stream();
        let iterated = Arc::new(self.cache.make(make)?);
        drop(alone);
        let again = Box::new(move || {
            let again = Operator::sparse(matrix.clone());
            if definite {
                again.positive_definite()
            } else {
                again
            }
        });
        let names = [
            "DILU + BiCGSTAB on the GPU",
            "DILU + conjugate gradients on the GPU",
        ];
        Ok(self.on_device(cpu, iterated, a, (names, again)))
    }

    fn iterated(&self, equations: Box<dyn Equations>, definite: bool) -> IterativeSolver {
        IterativeSolver::new(&self.device, equations, method(definite))
    }

    /// `names` are those without and with positive definiteness.
    fn on_device<'a>(
        &'a self,
        cpu: &'a Cpu,
        iterated: Arc<IterativeSolver>,
        a: &Operator<'_>,
        (names, again): ([&'static str; 2], Rebuild<'a>),
    ) -> OnDevice<'a> {
        let definite = a.is_positive_definite();
        OnDevice {
            cuda: self,
            cpu,
            iterated,
            criteria: Criteria {
                tolerance: cpu.krylov_tolerance,
                products: cpu.krylov_products,
                regular: a.is_definite_by_construction(),
                name: method(definite).name(),
            },
            method: Method::Named(names[usize::from(definite)]),
            again,
            rescue: OnceLock::new(),
        }
    }
}

fn method(definite: bool) -> krylov::Method {
    if definite {
        krylov::Method::ConjugateGradients
    } else {
        krylov::Method::BiCgStab
    }
}

impl Cuda {
    /// Prepares to solve, with the settings of a processor that also does what the device does not.
    pub(super) fn factor_with<'a>(
        &'a self,
        cpu: &'a Cpu,
        a: Operator<'a>,
    ) -> Result<Box<dyn Factor + 'a>> {
        by_block(a, |single| self.single(cpu, single))
    }

    fn single<'a>(&'a self, cpu: &'a Cpu, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        a.check_finite("a matrix to solve with")?;
        match a.view() {
            View::Stencil(stencil) if plan::suits(stencil) => {
                let stencil = Arc::clone(stencil);
                Ok(Box::new(self.stencil(cpu, &stencil, &a)?))
            }
            View::Sparse(m) => {
                if let Some(transpose) = sparse::prepare(m)
                    && let Some(matrix) = a.to_sparse()
                {
                    return Ok(Box::new(self.sparse(cpu, (matrix, &transpose), &a)?));
                }
                cpu.factor(a)
            }
            _ => cpu.factor(a),
        }
    }
}

impl Backend for Cuda {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        self.factor_with(&self.cpu, a)
    }
}

impl fmt::Display for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
