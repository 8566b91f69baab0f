//! The adjoints of the Lorenz measure on a GPU beside the processor: times, methods, and whether they agree.

#[path = "../support/backend.rs"]
mod backend;
mod listen;
mod measure;
mod options;
mod table;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pullback::{Auto, Backend, Cpu, Cuda};

use backend::{Choice, missing};
use measure::{Problem, STEPS};
use options::Options;
use table::Half;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("{}\n\ncuda: {message}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cuda: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> pullback::Result<()> {
    let n = options.cells();
    println!(
        "Lorenz invariant measure on {n}×{n}×{n} cells, {} columns",
        options.columns()
    );
    let device = device(options.backend);
    let cpu = Cpu::default();
    let bar = bar(STEPS * (1 + u64::from(device.is_some())));
    let problem = Problem::new(options, &cpu)?;
    let mut halves = Vec::new();
    if let Some((backend, label)) = device {
        bar.set_message(format!("solving on {label}"));
        halves.push(Half {
            rows: problem.rows(backend.as_ref(), &bar)?,
            label,
        });
    }
    bar.set_message("solving on the processor");
    halves.push(Half {
        rows: problem.rows(&cpu, &bar)?,
        label: "the processor".into(),
    });
    bar.finish_and_clear();
    println!("\n{}", table::table(&halves));
    Ok(())
}

/// What to compare with the processor, and its name; none where there is no GPU, which is then said.
fn device(choice: Choice) -> Option<(Box<dyn Backend>, String)> {
    let started = Instant::now();
    let opened = |what: &str| {
        let seconds = started.elapsed().as_secs_f64();
        println!("solving on {what}; made ready in {seconds:.2} s, the kernels compiled");
    };
    let error = match choice {
        Choice::Auto => {
            let auto = Auto::new();
            match auto.device() {
                Ok(_) => {
                    opened(&auto.to_string());
                    return Some((Box::new(auto), choice.name().into()));
                }
                Err(error) => missing(error),
            }
        }
        _ => match Cuda::new(0) {
            Ok(cuda) => {
                opened(cuda.name());
                let name = cuda.name().to_string();
                return Some((Box::new(cuda), name));
            }
            Err(error) => missing(&error),
        },
    };
    println!("\n{}", advice(&error));
    None
}

/// What to do about a GPU that is not there.
fn advice(missing: &str) -> String {
    format!(
        "There is {missing}.\nTo have one, build with `--features cuda` on a machine with an NVIDIA GPU, its driver (libcuda), \
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
