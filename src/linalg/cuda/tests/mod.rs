//! The kernels one by one against their twins on the processor.
//!
//! Tests in `kernels` need a device. Where there is none they say so and pass, unless PULLBACK_REQUIRE_GPU is set; where
//! there is a C++ compiler, `emulated` runs them all on an emulated one.
#![allow(clippy::unwrap_used)]

mod compiled;
mod emulated;
mod kernels;
