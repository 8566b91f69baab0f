//! Sparse direct solvers: Cholesky and LU.

pub(crate) mod analyses;
pub(crate) mod cholesky;
mod fill;
mod interleaved;
pub(crate) mod lu;
mod multifrontal;
mod pivoted_lu;
pub(crate) mod reused_lu;
mod single_column;

/// Elimination order of the unknowns, computed on demand. `None` selects minimum degree.
type Order<'a> = Option<&'a dyn Fn() -> Vec<usize>>;
