//! Sparse direct solvers: Cholesky and LU.

pub(crate) mod analyses;
pub(crate) mod cholesky;
mod fill;
mod interleaved;
pub(crate) mod lu;
mod multifrontal;
mod pivoted_lu;
mod single_column;
