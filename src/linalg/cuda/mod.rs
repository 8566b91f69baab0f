//! Backend that solves linear systems on an NVIDIA GPU. The CUDA driver is loaded at run time.

mod args;
mod cache;
mod columns;
mod compile;
mod device;
mod equations;
mod factor;
mod hierarchy;
// `linalg::internals` exports the type of this module with the feature `internals`. Only `linalg/mod.rs` may
// test features, so that this module is compiled without the feature as well.
#[allow(dead_code, unreachable_pub)]
pub(super) mod kernels;
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
use self::factor::OnDevice;
use self::hierarchy::Hierarchy;
use self::passes::Width;
use self::plan::Plan;
use self::solver::IterativeSolver;
use self::sparse::{Sparse, Swept};
use super::cpu::stencil::progress::Criteria;
use super::operator::{Operator, Stencil};
use super::repeated::by_block;
use super::{Backend, Cpu, Factor, Method};
use crate::error::{Error, Result};

/// Largest number of columns that one solve on the device interleaves.
// A mask of lanes fits into 64 bits, and the 64 doubles of a row fill four memory transactions of 128 bytes.
// Scalars have the same stride in the kernels (`STRIDE`).
const MAX_LANES: usize = 64;

/// Backend that solves linear systems on a CUDA device.
///
/// - Stencil matrices: BiCGSTAB or conjugate gradients with multigrid, the iterations of [`Cpu`] in the same
///   precisions, for up to 64 columns at once. Gauss-Seidel sweeps proceed by hyperplanes. The lengths of the axes
///   must add up to at most 8192 cells.
/// - Sparse matrices with at least 10 000 rows: the same iterations with DILU, whose sweeps proceed by fronts of
///   mutually independent rows. A matrix may have at most 4096 fronts.
/// - All other matrices, and columns whose iteration stagnates, are solved by [`cpu`](Cuda::cpu).
///
/// The columns of a sketch stay on the device from the solve with the metric to the product with ∂g/∂θ; see
/// [`Batch`](crate::linalg::Batch). The next stencil of the same shape reuses vectors and recorded steps
/// (CUDA graphs).
///
/// The driver (libcuda) and the compiler of the kernels (libnvrtc) are loaded when a device is opened. A program built
/// with the feature `cuda` therefore also runs on machines without them.
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
    /// Backend for everything that the device does not solve. Its tolerances and precisions apply on the
    /// device as well.
    pub cpu: Cpu,
    /// Upper bound in bytes for the vectors of one solve on the device; `None` allows all free memory. A larger batch
    /// is solved in blocks of as many columns as fit.
    pub memory: Option<usize>,
    device: Arc<Device>,
    cache: Cache<IterativeSolver>,
    /// Whether the CPU takes over when the device reports an error or runs out of memory.
    falls_back: bool,
}

/// Opens a device. Missing functions of the CUDA libraries are reported as errors.
fn open_device(ordinal: usize) -> Result<Arc<Device>> {
    // cudarc looks up each library function on first use and panics if an old library lacks it.
    let device = panic::catch_unwind(|| Device::open(ordinal));
    device.unwrap_or_else(|reason| {
        let text = reason.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| reason.downcast_ref::<&str>().copied());
        Err(Error::Device {
            what: "a function of the CUDA driver or of NVRTC",
            detail: format!(
                "{}; update the driver and the CUDA toolkit",
                text.unwrap_or("it is missing")
            ),
        })
    })
}

impl Cuda {
    /// Opens the device with the number `ordinal`, counted from 0.
    ///
    /// # Errors
    /// Fails with [`Error::Device`](crate::Error::Device) if the driver, the compiler or the device is missing. The
    /// error names the missing part.
    pub fn new(ordinal: usize) -> Result<Self> {
        Ok(Self {
            cpu: Cpu::default(),
            memory: None,
            device: open_device(ordinal)?,
            cache: Cache::default(),
            falls_back: false,
        })
    }

    /// Opens a device for solves that fall back to the CPU after device errors and for lack of memory.
    pub(super) fn with_fallback(ordinal: usize) -> Result<Self> {
        Ok(Self {
            falls_back: true,
            ..Self::new(ordinal)?
        })
    }

    /// Returns the name of the device.
    pub fn name(&self) -> &str {
        self.device.name()
    }

    /// Prepares solves with a stencil, which must satisfy [`plan::suits`].
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
        let build = || {
            let equations = Hierarchy::new(&self.device, stencil, plan)?;
            Ok(self.solver(Box::new(equations), definite))
        };
        let _lock = self.device.lock_stream();
        let solver = self
            .cache
            .reuse_or_build(|idle| idle.refill(stencil, plan), build)?;
        let (operator, stencil) = (a.share(stencil), Arc::clone(stencil));
        Ok(OnDevice {
            cuda: self,
            cpu,
            solver,
            criteria: criteria(cpu, a),
            method: Method::Named(if definite {
                "multigrid + conjugate gradients on the GPU"
            } else {
                "multigrid + BiCGSTAB on the GPU"
            }),
            rebuild: Box::new(move || operator.share(&stencil)),
            fallback: OnceLock::new(),
        })
    }

    /// Prepares solves with a sparse matrix. `transpose` must be the result of [`sparse::prepare`].
    fn sparse<'a>(
        &'a self,
        cpu: &'a Cpu,
        (matrix, transpose): (SparseColMat<usize, f64>, &Swept),
        a: &Operator<'a>,
    ) -> Result<OnDevice<'a>> {
        let definite = a.is_positive_definite();
        let build = || {
            let equations = Sparse::new(&self.device, transpose)?;
            Ok(self.solver(Box::new(equations), definite))
        };
        let lock = self.device.lock_stream();
        let solver = Arc::new(self.cache.build(build)?);
        drop(lock);
        let rebuild = Box::new(move || {
            let operator = Operator::sparse(matrix.clone());
            if definite {
                operator.positive_definite()
            } else {
                operator
            }
        });
        Ok(OnDevice {
            cuda: self,
            cpu,
            solver,
            criteria: criteria(cpu, a),
            method: Method::Named(if definite {
                "DILU + conjugate gradients on the GPU"
            } else {
                "DILU + BiCGSTAB on the GPU"
            }),
            rebuild,
            fallback: OnceLock::new(),
        })
    }

    fn solver(&self, equations: Box<dyn Equations>, definite: bool) -> IterativeSolver {
        IterativeSolver::new(&self.device, equations, method(definite))
    }
}

/// Returns the stopping criteria of a solve according to the settings of `cpu`.
fn criteria(cpu: &Cpu, a: &Operator<'_>) -> Criteria {
    Criteria {
        tolerance: cpu.krylov_tolerance,
        products: cpu.krylov_products,
        regular: a.is_definite_by_construction(),
        name: method(a.is_positive_definite()).name(),
    }
}

/// Returns the Krylov method for general or for positive definite matrices.
fn method(definite: bool) -> krylov::Method {
    if definite {
        krylov::Method::ConjugateGradients
    } else {
        krylov::Method::BiCgStab
    }
}

impl Cuda {
    /// Prepares solves with `a` according to the settings of `cpu`, which also solves whatever the device
    /// does not.
    pub(super) fn factor_with<'a>(
        &'a self,
        cpu: &'a Cpu,
        a: Operator<'a>,
    ) -> Result<Box<dyn Factor + 'a>> {
        by_block(a, |single| self.single(cpu, single))
    }

    fn single<'a>(&'a self, cpu: &'a Cpu, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        a.check_finite("a matrix to solve with")?;
        if let Some(stencil) = a.as_stencil().filter(|stencil| plan::suits(stencil)) {
            return Ok(Box::new(self.stencil(cpu, stencil, &a)?));
        }
        if let Some(transpose) = a.as_sparse().and_then(sparse::prepare)
            && let Some(matrix) = a.to_sparse()
        {
            return Ok(Box::new(self.sparse(cpu, (matrix, &transpose), &a)?));
        }
        cpu.factor(a)
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
