//! Compilation of the kernels with NVRTC when a device is opened.
//!
//! NVRTC compiles to machine code for the architecture of the device rather than to PTX, because a driver
//! older than the compiler rejects PTX from it.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::sync::{Mutex, PoisonError};

use cudarc::nvrtc::result::{self, NvrtcError};
use cudarc::nvrtc::{Ptx, sys};

use crate::error::{Error, Result};

/// Sources of the kernels, in order of dependence: the definitions that all others use come first.
const SOURCES: [&str; 7] = [
    include_str!("kernels/numbers.cu"),
    include_str!("kernels/stencil.cu"),
    include_str!("kernels/cycle.cu"),
    include_str!("kernels/krylov.cu"),
    include_str!("kernels/batch.cu"),
    include_str!("kernels/sparse.cu"),
    include_str!("kernels/columns.cu"),
];

/// Names of the kernels that are looked up in the machine code.
pub(super) const KERNELS: [&str; 63] = [
    "collect",
    "collect_largest",
    "image_f",
    "image_d",
    "residual",
    "magnitude",
    "total_f",
    "total_d",
    "coarsen",
    "in_units_f",
    "in_units_d",
    "reciprocals_f",
    "reciprocals_d",
    "clear_f",
    "clear_d",
    "relax_f",
    "relax_d",
    "relax_small_f",
    "relax_small_d",
    "relax_colour_f",
    "relax_colour_d",
    "restrict_f",
    "restrict_d",
    "prolong_f",
    "prolong_d",
    "dense_f",
    "dense_d",
    "bicgstab_begin",
    "bicgstab_aim",
    "bicgstab_damp",
    "bicgstab_end",
    "gradients_begin",
    "gradients_turn",
    "gradients_aim",
    "gradients_end",
    "gradients_advance",
    "turn_f",
    "turn_d",
    "descend_f",
    "descend_d",
    "advance_f",
    "advance_d",
    "round_f",
    "round_d",
    "along_f",
    "along_d",
    "conjugate_f",
    "conjugate_d",
    "interleave",
    "largest",
    "rescale",
    "separate",
    "narrow",
    "copy_lanes",
    "squares",
    "sparse_image",
    "sparse_residual",
    "sparse_magnitude",
    "sparse_forward",
    "sparse_backward",
    "inner_products",
    "sparse_inner_products",
    "shift_and_scale",
];

/// Options of the compiler. Contraction to fused multiply-adds is off: results would no longer agree bitwise
/// with those of the CPU kernels, and kernels that are limited by memory bandwidth would not become faster.
const OPTIONS: [&str; 2] = ["--fmad=false", "--std=c++17"];

/// Machine code of the kernels, by compute capability (major, minor).
type Images = HashMap<(i32, i32), Vec<u8>>;

/// Returns the kernels for devices of the given compute capability. They are compiled once per process.
pub(super) fn image((major, minor): (i32, i32)) -> Result<Ptx> {
    static IMAGES: Mutex<Option<Images>> = Mutex::new(None);
    let mut images = IMAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let images = images.get_or_insert_default();
    if let Some(image) = images.get(&(major, minor)) {
        return Ok(Ptx::from_binary(image.clone()));
    }
    let image = machine_code(&format!("sm_{major}{minor}"))?;
    images.insert((major, minor), image.clone());
    Ok(Ptx::from_binary(image))
}

/// Compiles the kernels to machine code for an architecture such as `sm_90`.
pub(super) fn machine_code(processor: &str) -> Result<Vec<u8>> {
    // SAFETY: only loads the library, which runs no code but its initialisers.
    if !unsafe { sys::is_culib_present() } {
        return Err(Error::Device {
            what: "the CUDA compiler (libnvrtc)",
            detail: "it is not installed on this machine, or not on LD_LIBRARY_PATH; it comes with the CUDA \
                     toolkit, or with the Python package nvidia-cuda-nvrtc-cu12"
                .into(),
        });
    }
    let program = Program::new()?;
    let mut options = OPTIONS.map(String::from).to_vec();
    options.push(format!("--gpu-architecture={processor}"));
    // SAFETY: `program` holds a live handle.
    let compiled = unsafe { result::compile_program(program.0, &options) };
    compiled.map_err(|e| program.failure(e))?;
    program.machine_code().map_err(|e| program.failure(e))
}

/// Returns the source of all kernels as one translation unit.
pub(super) fn text() -> String {
    SOURCES.join("\n")
}

/// NVRTC program, which is destroyed when dropped.
struct Program(sys::nvrtcProgram);

impl Program {
    fn new() -> Result<Self> {
        let failed = |detail: String| Error::Device {
            what: "the CUDA compiler (libnvrtc)",
            detail,
        };
        let text = CString::new(text()).map_err(|e| failed(e.to_string()))?;
        let program = result::create_program(&text, Some(c"pullback.cu"));
        program.map(Self).map_err(|e| failed(e.to_string()))
    }

    fn machine_code(&self) -> std::result::Result<Vec<u8>, NvrtcError> {
        let mut size = 0;
        // SAFETY: `self` holds a live handle, and `code` has the size that the library reports.
        unsafe {
            sys::nvrtcGetCUBINSize(self.0, &raw mut size).result()?;
            let mut code = vec![0_u8; size];
            sys::nvrtcGetCUBIN(self.0, code.as_mut_ptr().cast::<c_char>()).result()?;
            Ok(code)
        }
    }

    /// Returns the error together with the compiler's log.
    fn failure(&self, error: NvrtcError) -> Error {
        // SAFETY: `self` holds a live handle.
        let log = unsafe { result::get_program_log(self.0) }.unwrap_or_default();
        let bytes: Vec<u8> = log.iter().map(|&c| c as u8).collect();
        let log = CStr::from_bytes_until_nul(&bytes).unwrap_or_default();
        Error::Device {
            what: "the compilation of the kernels",
            detail: format!("{error}\n{}", log.to_string_lossy().trim()),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: `new` created the handle, and nothing uses it after the drop.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}
