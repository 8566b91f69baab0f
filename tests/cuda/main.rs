//! Tests of the CUDA back end: answers and iterations agree with the processor's, and a missing device is reported
//! clearly.
//!
//! The tests in `device` need a device. Without one they print a note and pass, unless PULLBACK_REQUIRE_GPU is set.
//! With a C++ compiler, `emulated` runs all of them on an emulated device, with the same kernels.

#![allow(clippy::unwrap_used)]

mod device;
mod emulated;
mod missing;
#[path = "../support/mod.rs"]
mod support;
