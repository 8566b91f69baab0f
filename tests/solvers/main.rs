//! Linear and nonlinear solvers: every backend, operator and side, against dense solves.

#![allow(clippy::unwrap_used, clippy::panic)]

mod assembly;
mod backend;
mod backend_errors;
mod constant;
mod determinism;
mod iterations;
mod methods;
mod newton;
mod repeated;
mod scaled_solves;
mod sparse_cholesky;
mod stencil;
mod stencil_errors;
#[path = "../support/mod.rs"]
mod support;
