//! Backend that solves linear systems on an NVIDIA GPU. The CUDA driver is loaded at run time.

mod args;
mod by_columns;
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

use self::by_columns::ByColumns;
use self::cache::Cache;
use self::device::Device;
use self::equations::Equations;
use self::factor::{Build, OnDevice};
use self::hierarchy::Hierarchy;
use self::passes::Width;
use self::plan::Plan;
use self::solver::IterativeSolver;
use self::sparse::{Sparse, Swept};
use super::cpu::stencil::progress::Criteria;
use super::operator::{Operator, Stencil};
use super::repeated::by_block;
use super::sweep_order::{Estimate, Order, SweepOrder};
use super::{Backend, Cpu, Factor, Method};
use crate::error::{Error, Result};

/// Largest number of columns that one solve on the device interleaves.
// A mask of lanes fits into 64 bits, and the 64 doubles of a row fill four memory transactions of 128 bytes.
// Scalars have the same stride in the kernels (`STRIDE`).
const MAX_LANES: usize = 64;

/// Largest number of products with the matrix of a red-black iteration, if sweeps from the corners follow its failure.
// Where red-black sweeps converge, they do so within a few dozen iterations. A hundred iterations of BiCGSTAB with few
// columns take as long as ten with sweeps from the corners.
const TRIAL_PRODUCTS: usize = 200;

/// Backend that solves linear systems on a CUDA device.
///
/// - Stencil matrices: BiCGSTAB or conjugate gradients with multigrid, in the precisions of [`Cpu`], for up to 64 columns
///   at once. Gauss-Seidel sweeps proceed by colours or by hyperplanes, see [`sweeps`](Cuda::sweeps). The lengths of
///   the axes must add up to at most 8192 cells.
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
    /// Order of the sweeps of multigrid cycles. With [`SweepOrder::Corners`] the iterations are those of the CPU.
    ///
    /// ```
    /// use pullback::linalg::{Cuda, SweepOrder};
    /// if let Ok(mut cuda) = Cuda::new(0) {
    ///     cuda.sweeps = SweepOrder::RedBlack;
    /// }
    /// ```
    pub sweeps: SweepOrder,
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
            sweeps: SweepOrder::Auto,
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
    ) -> Result<Box<dyn Factor + 'a>> {
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
        let lock = self.device.lock_stream();
        let solver = self
            .cache
            .reuse_or_build(|idle| idle.refill(stencil, plan), build)?;
        drop(lock);
        let (operator, shared) = (a.share(stencil), Arc::clone(stencil));
        let on_cpu: Build<'a> =
            Box::new(move || Ok(Arc::from(cpu.factor(operator.share(&shared))?)));
        let on_device = |order, criteria, build_fallback| OnDevice {
            cuda: self,
            solver: Arc::clone(&solver),
            order,
            criteria,
            method: multigrid_method(definite, order),
            build_fallback,
            fallback: OnceLock::new(),
        };
        let criteria = criteria(cpu, a);
        Ok(match self.sweeps {
            SweepOrder::Corners => Box::new(on_device(Order::Corners, criteria, on_cpu)),
            SweepOrder::RedBlack => Box::new(on_device(Order::RedBlack, criteria, on_cpu)),
            SweepOrder::Auto => {
                let corners = Arc::new(on_device(Order::Corners, criteria, on_cpu));
                let next = Arc::clone(&corners);
                let fallback: Build<'a> = Box::new(move || Ok(Arc::clone(&next) as _));
                let trial = Criteria {
                    products: criteria.products.min(TRIAL_PRODUCTS),
                    ..criteria
                };
                Box::new(ByColumns {
                    estimate: Estimate::of(stencil.shape, definite),
                    red_black: on_device(Order::RedBlack, trial, fallback),
                    corners,
                })
            }
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
        let build_fallback: Build<'a> = Box::new(move || {
            let operator = Operator::sparse(matrix.clone());
            let operator = if definite {
                operator.positive_definite()
            } else {
                operator
            };
            Ok(Arc::from(cpu.factor(operator)?))
        });
        Ok(OnDevice {
            cuda: self,
            solver,
            order: Order::Corners,
            criteria: criteria(cpu, a),
            method: Method::Named(if definite {
                "DILU + conjugate gradients on the GPU"
            } else {
                "DILU + BiCGSTAB on the GPU"
            }),
            build_fallback,
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

/// Returns the method that reports name for solves with a stencil.
fn multigrid_method(definite: bool, order: Order) -> Method {
    Method::Named(match (definite, order) {
        (true, Order::Corners) => "multigrid + conjugate gradients on the GPU",
        (true, Order::RedBlack) => "red-black multigrid + conjugate gradients on the GPU",
        (false, Order::Corners) => "multigrid + BiCGSTAB on the GPU",
        (false, Order::RedBlack) => "red-black multigrid + BiCGSTAB on the GPU",
    })
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
            return self.stencil(cpu, stencil, &a);
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
