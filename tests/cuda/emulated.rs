//! Runs all tests of `device` on an emulated device.

#[path = "../emulator/rerun.rs"]
mod rerun;

use std::path::Path;

use crate::device::memory;

#[test]
fn the_kernels_on_an_emulated_device_do_all_that_a_device_must() {
    let libraries = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emulator");
    rerun::rerun("device::", &libraries, &[]);
    rerun::rerun("device::memory::", &libraries, &[memory::LITTLE]);
}
