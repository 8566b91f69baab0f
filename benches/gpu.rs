//! The CUDA backend beside the memory of its device and the cores of the machine: passes, whole solves, recoveries.
//!
//! `cargo bench --features cuda,internals --bench gpu` within two minutes, most of it what the processor takes to make the
//! problems; `PULLBACK_BENCH_QUICK=1` makes everything small. `benches/gpu.sh` runs it with its peers, and makes a table of
//! its lines "by,problem,cells along an axis,columns,iterations,seconds,seconds a column,residual".

use std::process::ExitCode;
use std::time::Instant;

use pullback::Result;
use pullback::linalg::{Cuda, Precision, SweepOrder};

#[path = "support/budget.rs"]
mod budget;
#[path = "support/gpu_passes.rs"]
mod gpu_passes;
#[path = "support/gpu_solves.rs"]
mod gpu_solves;
#[path = "../tests/support/lorenz.rs"]
mod lorenz;
#[path = "support/memory.rs"]
mod memory;

use budget::Bench;
use gpu_solves::{Stationary, compare, on_the_cores, on_the_device, recovery, unless_too_large};

/// Cells along an axis up to which solutions of device and cores are held against each other.
const MOST_COMPARED: usize = 64;

fn main() -> ExitCode {
    let mut cuda = match Cuda::new(0) {
        Ok(cuda) => cuda,
        Err(e) if std::env::var_os("PULLBACK_REQUIRE_GPU").is_none() => {
            println!("There is no GPU to measure here, so nothing is: {e}");
            return ExitCode::SUCCESS;
        }
        Err(e) => {
            println!("A GPU is required (PULLBACK_REQUIRE_GPU), and there is none to use: {e}");
            return ExitCode::FAILURE;
        }
    };
    let mut bench = Bench::new();
    let threads = rayon::current_num_threads();
    bench.say(format!("{cuda}, and {threads} threads of the processor"));
    let done = if bench.quick {
        quick(&mut bench, &mut cuda)
    } else {
        all(&mut bench, &mut cuda)
    };
    let well = bench.end();
    if let Some(gibibytes) = memory::peak() {
        println!("peak memory of the processor {gibibytes:.2} GiB");
    }
    if let Err(e) = &done {
        println!("stopped early: {e}");
    }
    if well && done.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn quick(bench: &mut Bench, cuda: &mut Cuda) -> Result<()> {
    gpu_passes::on_the_device(bench, cuda, (12, 4))?;
    gpu_passes::on_the_cores(bench, (12, 4))?;
    solves(bench, cuda, (12, 4), 4)?;
    recovery(bench, cuda, 6)
}

/// What matters most comes first, and how long the small takes tells what the large will.
fn all(bench: &mut Bench, cuda: &mut Cuda) -> Result<()> {
    for m in [32, 64] {
        gpu_passes::on_the_device(bench, cuda, (64, m))?;
    }
    gpu_passes::on_the_cores(bench, (64, 64))?;
    let small = solves(bench, cuda, (64, 64), 64)?;
    if bench.has_time("passes at 128³", 8.0) {
        for m in [32, 64] {
            gpu_passes::on_the_device(bench, cuda, (128, m))?;
        }
    }
    // On the cores a quarter of the columns for eight times the cells, and some more iterations.
    let likely = 8.0 * (small.made + small.device) + 3.0 * small.cores;
    if !bench.has_time("solves at 128³ × 64", likely) {
        return Ok(());
    }
    let large = solves(bench, cuda, (128, 64), 16)?;
    // Twice the numbers, and adjoints in double precision alone.
    let (what, likely) = ("adjoints at 256³ × 16", 8.0 * large.made + large.device);
    if bench.has_time(what, likely) {
        let done = largest(bench, cuda, (256, 16));
        unless_too_large(bench, what, done)?;
    }
    if bench.has_time("a recovery at 64³", 10.0) {
        let begin = Instant::now();
        recovery(bench, cuda, 64)?;
        let likely = 6.0 * begin.elapsed().as_secs_f64();
        if bench.has_time("a recovery at 128³", likely) {
            recovery(bench, cuda, 128)?;
        }
    }
    Ok(())
}

/// Seconds for the problem and its density, for solves on the device with all that belongs to them, and for those on
/// the cores.
struct Took {
    made: f64,
    device: f64,
    cores: f64,
}

/// Adjoints and the Laplacian, and so many columns of them on the cores.
fn solves(
    bench: &mut Bench,
    cuda: &mut Cuda,
    (n, m): (usize, usize),
    on_cores: usize,
) -> Result<Took> {
    let begin = Instant::now();
    let stationary = Stationary::new(bench, cuda, n)?;
    let (made, mut cores) = (stationary.seconds, 0.0);
    for which in [Stationary::adjoints, Stationary::laplacian] {
        // One after another: at 128³ right-hand sides alone take a gigabyte.
        let posed = which(&stationary, m);
        on_the_device(bench, cuda, &posed, (Precision::Auto, SweepOrder::Auto))?;
        if posed.is_adjoint() {
            on_the_device(bench, cuda, &posed, (Precision::Single, SweepOrder::Auto))?;
        }
        // Either order of the sweeps, with all columns and with one.
        let alone = which(&stationary, 1);
        for sweeps in [SweepOrder::Corners, SweepOrder::RedBlack] {
            on_the_device(bench, cuda, &posed, (Precision::Auto, sweeps))?;
            on_the_device(bench, cuda, &alone, (Precision::Auto, sweeps))?;
        }
        let begin = Instant::now();
        if n <= MOST_COMPARED {
            compare(bench, cuda, &posed)?;
        }
        on_the_cores(bench, &posed, on_cores)?;
        cores += begin.elapsed().as_secs_f64();
    }
    let device = begin.elapsed().as_secs_f64() - made - cores;
    Ok(Took {
        made,
        device,
        cores,
    })
}

/// Adjoints on the device alone.
fn largest(bench: &mut Bench, cuda: &mut Cuda, (n, m): (usize, usize)) -> Result<()> {
    let adjoints = Stationary::new(bench, cuda, n)?.adjoints(m);
    on_the_device(bench, cuda, &adjoints, (Precision::Auto, SweepOrder::Auto))?;
    Ok(())
}
