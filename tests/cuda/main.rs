//! The backend on a device, and without one: the same solves, the same answers, and clear words.
//!
//! Tests in `device` need a device. Where there is none they say so and pass, unless PULLBACK_REQUIRE_GPU is set; where
//! there is a C++ compiler, `emulated` runs them all on an emulated one, with the same kernels.

#![allow(clippy::unwrap_used)]

mod device;
mod emulated;
mod missing;
#[path = "../support/mod.rs"]
mod support;
