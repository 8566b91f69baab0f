//! Counts of factorisations, solves and transfers.

#![allow(clippy::unwrap_used, clippy::panic)]

mod counts;
mod directions;
mod line_search;
mod measure;
mod pipeline;
mod resident;
mod stencil;
#[path = "../support/mod.rs"]
mod support;
