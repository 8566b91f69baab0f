//! Single passes on the device, and the same on the cores of the machine.

use std::time::Instant;

use pullback::linalg::internals::{CudaKernels, Kernels};
use pullback::linalg::{Cuda, Stencil};
use pullback::{Operator, Result, Side, random};
use rayon::prelude::*;

use super::budget::{Bench, Measured, distance};
use super::lorenz::Problem;

/// Columns side by side on the processor.
const LANES: usize = 16;

/// The least of so many runs counts.
const RUNS: usize = 5;

pub(crate) fn on_the_device(bench: &mut Bench, cuda: &Cuda, (n, m): (usize, usize)) -> Result<()> {
    bench.say(format!("passes at {n}³ × {m} on the device"));
    let stencil = Problem::new(n)?.generator.with_gauge(0.0);
    let column = random::normal(stencil.cells(), 7, 1);
    let kernels = CudaKernels::new(cuda, &stencil, (&column, m))?;
    let of = |problem, residual| Measured {
        by: "pullback-cuda",
        problem,
        cells: n,
        columns: m,
        iterations: 1,
        residual,
    };
    bench.report(&of("copy", 0.0), kernels.copy()?);
    let seconds = kernels.product()?;
    let expected = Operator::stencil(stencil).apply_to(Side::Plain, &column)?;
    let off = distance(&kernels.column_of_product()?, &expected);
    bench.report(&of("product", off), seconds);
    bench.check("a product, beside the processor's", off, 1e-14);
    for (name, recorded) in [
        ("sweep-red-black", true),
        ("sweep-red-black-launched", false),
    ] {
        let seconds = kernels.red_black_sweep(false, recorded)?;
        bench.report(&of(name, 0.0), seconds);
    }
    for (single, name, launched) in [
        (false, "sweep", "sweep-launched"),
        (true, "sweep-single", "sweep-single-launched"),
    ] {
        let recorded = kernels.sweep(single, true)?;
        bench.report(&of(name, 0.0), recorded);
        let one_by_one = kernels.sweep(single, false)?;
        bench.report(&of(launched, 0.0), one_by_one);
        let launches = kernels.launches();
        let each = |seconds: f64| 1e6 * seconds / launches as f64;
        bench.say(format!(
            "{name}: {launches} hyperplanes, {:.2} µs each from a graph, {:.2} µs launched one by one",
            each(recorded),
            each(one_by_one)
        ));
    }
    Ok(())
}

fn best(mut work: impl FnMut()) -> f64 {
    let mut once = || {
        let begin = Instant::now();
        work();
        begin.elapsed().as_secs_f64()
    };
    once();
    (0..RUNS).map(|_| once()).fold(f64::INFINITY, f64::min)
}

/// A copy of so many numbers by all cores.
fn copy(numbers: usize) -> f64 {
    let share = numbers.div_ceil(rayon::current_num_threads());
    let (from, mut to) = (vec![1.0_f64; numbers], vec![0.0_f64; numbers]);
    best(|| {
        let parts = to.par_chunks_mut(share).zip(from.par_chunks(share));
        parts.for_each(|(to, from)| to.copy_from_slice(from));
        std::hint::black_box(&to);
    })
}

/// Coefficients are read once for every 16 columns here, not once for all as the count of bytes has it.
pub(crate) fn on_the_cores(bench: &mut Bench, (n, m): (usize, usize)) -> Result<()> {
    bench.say(format!("passes at {n}³ × {m} on the cores"));
    let stencil: Stencil = Problem::new(n)?.generator.with_gauge(0.0);
    let (chunks, lanes) = if m < LANES {
        (1, m)
    } else {
        (m / LANES, LANES)
    };
    let mut kernels = Kernels::new(&stencil, chunks, lanes);
    let of = |problem| Measured {
        by: "pullback-cpu",
        problem,
        cells: n,
        columns: m,
        iterations: 1,
        residual: 0.0,
    };
    bench.report(&of("copy"), copy(stencil.cells() * m));
    bench.report(&of("product"), best(|| kernels.product()));
    // Four sweeps go together there.
    bench.report(&of("sweep"), best(|| kernels.sweeps()) / 4.0);
    let single = best(|| kernels.sweeps_single()) / 4.0;
    bench.report(&of("sweep-single"), single);
    Ok(())
}
