//! The adjoints of the Lorenz measure on a GPU beside the processor: times, methods, and whether they agree.

#[path = "../support/backend.rs"]
#[allow(dead_code)]
mod backend;
#[path = "../support/command.rs"]
mod command;
mod listen;
mod measure;
mod options;
mod table;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pullback::linalg::{Cuda, Fastest};
use pullback::{Backend, Cpu};

use backend::{Choice, missing};
use command::Failure;
use measure::{Problem, STEPS};
use options::Options;
use table::Half;

fn main() -> ExitCode {
    command::main(("cuda", options::USAGE), options::parse, run)
}

fn run(options: &Options) -> Result<(), Failure> {
    let (n, mut out) = (options.cells(), std::io::stdout());
    let columns = options.columns();
    writeln!(
        out,
        "Lorenz invariant measure on {n}×{n}×{n} cells, {columns} columns"
    )?;
    let started = Instant::now();
    let device = match device(options.backend) {
        Ok(device) => {
            let (place, seconds) = (&device.place, started.elapsed().as_secs_f64());
            let took = format!("{seconds:.2} s to find it and to compile the kernels");
            writeln!(out, "solving on {place}; {took}")?;
            Some(device)
        }
        Err(error) => {
            writeln!(out, "\n{}", advice(&missing(&error)))?;
            None
        }
    };
    let cpu = Cpu::default();
    let bar = bar(STEPS * (1 + u64::from(device.is_some())));
    let problem = Problem::new(options, &cpu)?;
    let mut halves = Vec::new();
    if let Some(Device { backend, label, .. }) = device {
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

/// What is compared with the processor.
struct Device {
    backend: Box<dyn Backend>,
    /// For the table.
    label: String,
    /// What was found.
    place: String,
}

/// A GPU, or why there is none.
fn device(choice: Choice) -> pullback::Result<Device> {
    let cuda = Cuda::new(0)?;
    if choice != Choice::Auto {
        return Ok(Device {
            label: cuda.name().into(),
            place: cuda.name().into(),
            backend: Box::new(cuda),
        });
    }
    let auto = Fastest::new();
    Ok(Device {
        label: choice.name().into(),
        place: auto.to_string(),
        backend: Box::new(auto),
    })
}

/// What to do about a GPU that is not there.
fn advice(missing: &str) -> String {
    format!(
        "Here {missing}.\nTo have one, build with `--features cuda` on a machine with an NVIDIA GPU, its driver (libcuda), \
         and the compiler NVRTC, which\ncomes with the CUDA toolkit or by `pip install nvidia-cuda-nvrtc-cu12`, with LD_LIBRARY_PATH \
         leading to it; until then, here is\nthe processor's half of the table."
    )
}

/// A bar on standard error.
fn bar(steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps).with_message("the density, on the processor");
    if let Ok(style) = ProgressStyle::with_template("{msg:36} {wide_bar} {pos}/{len}  {elapsed:>4}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
