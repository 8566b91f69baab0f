//! Compilation of the kernels for several GPU architectures, which needs no device.

use crate::error::Error;
use crate::linalg::cuda::compile::{KERNELS, machine_code};

/// Architectures from the oldest one that current compilers support. A compiler may not support the latest ones.
const PROCESSORS: [&str; 5] = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100"];

#[test]
fn the_kernels_compile_for_processors_of_several_generations() {
    for processor in PROCESSORS {
        let code = match machine_code(processor) {
            Ok(code) => code,
            Err(Error::Device { what, detail }) if what.contains("libnvrtc") => {
                println!("skipped: {what}: {detail}");
                return;
            }
            Err(Error::Device { detail, .. }) if detail.contains("gpu-architecture") => {
                println!("skipped {processor}, which this compiler does not support: {detail}");
                continue;
            }
            Err(e) => panic!("{processor}: {e}"),
        };
        if !code.starts_with(b"\x7fELF") {
            println!("skipped: the compiler makes no device code");
            return;
        }
        for name in KERNELS {
            let symbol = format!(".text.{name}\0");
            let found = code.windows(symbol.len()).any(|w| w == symbol.as_bytes());
            assert!(found, "{name} is missing for {processor}");
        }
        println!("{processor}: {} bytes", code.len());
    }
}
