//! Solvers for stencils on boxes.

mod direct;

pub(super) use direct::factorise;
