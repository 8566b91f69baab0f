//! Linear algebra: operators, and back ends that solve systems with them for whole batches of columns.
//!
//! This is the only place that knows a solver library or CUDA, and it knows nothing about inverse problems. An [`Operator`]
//! says how a matrix is stored; a [`Backend`] turns it into a [`Factor`]. [`Cpu`] picks the factorisation by structure, and
//! every solve is checked against the matrix, so that a singular one is an error.

mod backend;
mod batch;
pub(crate) mod cpu;
#[cfg(feature = "cuda")]
#[allow(unsafe_code)]
mod cuda;
#[cfg(not(feature = "cuda"))]
#[path = "no_cuda.rs"]
mod cuda;
mod dense;
mod fastest;
mod memory;
mod operator;
mod pool;
mod repeated;
mod reuse;
mod stats;
mod tally;
mod warm_start;

pub use self::backend::{Backend, Factor};
pub(crate) use self::backend::{SINGULAR, check_batch, check_guess, improve};
pub(crate) use self::batch::check_shape;
pub use self::batch::{Batch, Remote};
pub use self::cpu::Cpu;
#[doc(hidden)]
pub use self::cpu::stencil::Kernels;
pub(crate) use self::cpu::stencil::smooth;
pub use self::cpu::stencil::{Precision, StencilSolver};
pub use self::cuda::Cuda;
#[cfg(feature = "cuda")]
#[doc(hidden)]
pub use self::cuda::CudaKernels;
pub(crate) use self::dense::least_squares::{
    TriangularForm, minimum_norm, minimum_norms, range_basis,
};
pub(crate) use self::dense::spectral::{right_singular, symmetric_eigen};
pub(crate) use self::dense::{
    add_product, gram, lower_cholesky, product, solve_triangular, symmetric_product,
    symmetric_product_by, symmetric_solve,
};
pub use self::fastest::Fastest;
pub use self::operator::{Operator, Pattern, Product, Side, Stencil, View};
pub(crate) use self::reuse::{Factors, Reuse};
pub use self::stats::{Method, SolveStats, Solved};
pub(crate) use self::stats::{describe_purposes, describe_solved, merge_solved};
pub(crate) use self::tally::Tally;
pub(crate) use self::warm_start::WarmStart;
