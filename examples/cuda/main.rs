//! Solves adjoint equations of the Lorenz measure on a GPU and on the processor, and compares times and results.

mod measure;
mod options;
mod recorder;
#[path = "../support/mod.rs"]
mod support;
mod table;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pullback::linalg::{Cuda, Fastest};
use pullback::{Backend, Cpu};

use measure::{Problem, STEPS};
use options::Options;
use support::backend::missing;
use support::command::{self, Failure};
use support::output::bar;
use table::Half;

fn main() -> ExitCode {
    command::main(options::HELP, Options::read, run)
}

fn run(options: &Options) -> Result<(), Failure> {
    let (n, columns, mut out) = (options.cells, options.columns, std::io::stdout());
    writeln!(
        out,
        "Lorenz invariant measure on {n}×{n}×{n} cells, {columns} columns"
    )?;
    let started = Instant::now();
    let device = match device(options.auto) {
        Ok((backend, label)) => {
            let seconds = started.elapsed().as_secs_f64();
            writeln!(
                out,
                "GPU: {label}; ready after {seconds:.2} s, with its kernels compiled"
            )?;
            Some((backend, label))
        }
        Err(error) => {
            writeln!(out, "\n{}", advice(&missing(&error)))?;
            None
        }
    };
    let cpu = Cpu::default();
    let bar = bar(
        STEPS * (1 + usize::from(device.is_some())),
        "computing the density",
    );
    bar.enable_steady_tick(Duration::from_millis(100));
    let problem = Problem::new(options, &cpu)?;
    let mut halves = Vec::new();
    if let Some((backend, label)) = device {
        bar.set_message(format!("solving on {label}"));
        let rows = problem.rows(backend.as_ref(), &bar);
        let rows = rows.map_err(|error| format!("solving on {label}: {error}"))?;
        halves.push(Half { rows, label });
    }
    bar.set_message("solving on the processor");
    halves.push(Half {
        rows: problem.rows(&cpu, &bar)?,
        label: "the processor".into(),
    });
    bar.finish_and_clear();
    writeln!(out, "\n{}", table::table(&halves))?;
    Ok(())
}

/// Opens the GPU and returns it with its name; an error tells what is missing.
fn device(auto: bool) -> pullback::Result<(Box<dyn Backend>, String)> {
    let cuda = Cuda::new(0)?;
    let name = cuda.name().to_string();
    Ok(match auto {
        true => (Box::new(Fastest::new()), format!("auto, {name}")),
        false => (Box::new(cuda), name),
    })
}

/// Explains what a missing GPU needs.
fn advice(missing: &str) -> String {
    format!(
        "No GPU: {missing}.\nTo use one, build with `--features cuda` on a machine with an NVIDIA GPU, its driver (libcuda) \
         and the compiler NVRTC, which\nis part of the CUDA toolkit; `pip install nvidia-cuda-nvrtc-cu12` installs it too (add \
         its folder to LD_LIBRARY_PATH).\nThe table below is for the processor only."
    )
}
