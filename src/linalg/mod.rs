//! Linear algebra: operators, and backends that solve linear systems for batches of columns.
//!
//! Only this module depends on solver libraries and CUDA, and nothing in it refers to inverse problems. An
//! [`Operator`] is a matrix or a matrix-free linear map, and a [`Backend`] turns it into a [`Factor`].
//! [`Cpu`] chooses the factorisation by the structure of the matrix. Every solution is verified against the
//! matrix, so that a singular matrix causes an error.

mod backend;
mod batch;
mod cosine;
pub(crate) mod cpu;
#[cfg(feature = "cuda")]
#[allow(unsafe_code)]
mod cuda;
#[cfg(not(feature = "cuda"))]
#[path = "no_cuda.rs"]
mod cuda;
mod dense;
mod fastest;
#[cfg(feature = "internals")]
#[path = "cpu/stencil/kernels.rs"]
mod kernels;
mod memory;
mod operator;
mod pool;
mod repeated;
mod reuse;
mod stats;
mod sweep_order;
mod tally;
mod warm_start;

pub use self::backend::{Backend, Factor};
pub(crate) use self::backend::{SINGULAR, check_batch, check_guess, improve};
pub(crate) use self::batch::check_shape;
pub use self::batch::{Batch, Remote};
pub(crate) use self::cosine::CosineTransform;
pub use self::cpu::Cpu;
pub(crate) use self::cpu::direct::reused_lu::{LuPlan, ReusedLu};
pub(crate) use self::cpu::stencil::smooth;
pub use self::cpu::stencil::{Precision, StencilSolver};
pub use self::cuda::Cuda;
pub(crate) use self::dense::damped::DampedLeastSquares;
pub(crate) use self::dense::least_squares::{
    TriangularForm, minimum_norm, minimum_norms, range_basis,
};
pub(crate) use self::dense::spectral::{
    right_singular, right_singular_basis, singular, symmetric_eigen,
};
pub(crate) use self::dense::triangle::{Rows, long_dot};
pub(crate) use self::dense::{
    add_product, gram, lower_cholesky, product, solve_triangular, symmetric_product,
    symmetric_product_by, symmetric_solve,
};
pub use self::fastest::Fastest;
pub(crate) use self::operator::{BLOCK, vectorised};
pub use self::operator::{Operator, Pattern, Product, Side, Stencil, View};
pub(crate) use self::pool::{SHARED, in_pool, is_parallel, share_columns, share_pieces};
pub(crate) use self::reuse::{Origins, Reuse};
pub use self::stats::{Method, SolveStats, Solved};
pub(crate) use self::stats::{describe_purposes, describe_solved, merge_solved};
pub use self::sweep_order::SweepOrder;
pub(crate) use self::tally::{Tally, TallyState};
pub(crate) use self::warm_start::Batches;

/// Individual kernels of the solvers for the library's own benchmarks. They are not part of the stable
/// interface.
#[cfg(feature = "internals")]
pub mod internals {
    #[cfg(feature = "cuda")]
    pub use super::cuda::kernels::CudaKernels;
    pub use super::kernels::Kernels;
}
