//! Allocations and peaks of memory. The tests of this program run one at a time.

#![allow(clippy::unwrap_used, clippy::panic)]

mod allocations;
mod allocator;
mod evolution;
mod fits;
mod limit;
mod lorenz;
mod sketch;
#[path = "../support/mod.rs"]
mod support;
mod threads;
