//! Comparison of every kernel with its counterpart on the CPU, and tests that need no device.
//!
//! The tests in `kernels` need a device. Without one they print a note and pass, unless PULLBACK_REQUIRE_GPU is set.
//! With a C++ compiler, `emulated` runs all of them on an emulated device.
#![allow(clippy::unwrap_used)]

mod compiled;
mod emulated;
mod factor;
mod kernels;
