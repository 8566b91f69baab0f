//! Batched solves beside the memory of the machine: products and sweeps, whole adjoints, factorisations.
//!
//! `cargo bench --features internals --bench batched_solve`, with `-- --quick` for a minute's worth. `benches/peers/batched_solve.py` has the
//! factorisations in SciPy, and scikit-sparse and pyamg where they are installed.

use std::hint::black_box;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use pullback::faer::{Mat, MatMut};
use pullback::linalg::internals::Kernels;
use pullback::linalg::{Factor, Precision, SolveStats, StencilSolver};
use pullback::{Backend, Cpu, Operator, Result, Side, random};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

#[path = "support/laplacian.rs"]
mod laplacian;
#[allow(
    dead_code,
    reason = "the problem has more sides than this bench looks at"
)]
#[path = "../tests/support/lorenz.rs"]
mod lorenz;
#[path = "support/memory.rs"]
mod memory;

use laplacian::weighted_laplacian;
use lorenz::Problem;

/// Numbers in the vectors whose copies measure the bandwidth: far beyond any cache.
const COPIED: usize = 1 << 24;

/// The least of so many runs counts.
const RUNS: usize = 5;

fn seconds(mut work: impl FnMut()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64()
}

fn best(runs: usize, mut work: impl FnMut()) -> f64 {
    work();
    (0..runs)
        .map(|_| seconds(&mut work))
        .fold(f64::INFINITY, f64::min)
}

fn pool(threads: usize) -> Result<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| pullback::Error::Model(Box::new(error)))
}

/// Bytes a second that so many threads copy, reading and writing.
fn copy_bandwidth(threads: usize) -> Result<f64> {
    let mut vectors: Vec<_> = (0..threads)
        .map(|_| (vec![1.0_f64; COPIED], vec![0.0_f64; COPIED]))
        .collect();
    let seconds = pool(threads)?.install(|| {
        best(RUNS, || {
            vectors.par_iter_mut().for_each(|(from, to)| {
                to.copy_from_slice(from);
                black_box(&to);
            });
        })
    });
    Ok((threads * COPIED * 16) as f64 / seconds)
}

/// A line on stderr with what is going on.
fn progress(steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64);
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} [{pos}/{len}] {msg}") {
        bar.set_style(style);
    }
    bar
}

/// A kernel: its name, the bytes that an unknown moves in a column of m, passes in a call, and the call.
type Kernel = (&'static str, fn(f64) -> f64, usize, fn(&mut Kernels));

const KERNELS: [Kernel; 3] = [
    ("product", |m| 16.0 + 56.0 / m, 1, Kernels::product),
    ("sweep", |m| 24.0 + 56.0 / m, 4, Kernels::sweeps),
    (
        "sweep, single",
        |m| 12.0 + 28.0 / m,
        4,
        Kernels::sweeps_single,
    ),
];

/// Products and sweeps of the Lorenz generator, in ns an unknown and column and in GB/s.
fn kernels(sizes: &[usize], bar: &ProgressBar) -> Result<()> {
    println!("| cells | threads | columns | kernel | ns | GB/s | of a copy |");
    println!("|---|---|---|---|---|---|---|");
    for &n in sizes {
        let stencil = Problem::new(n)?.generator.with_gauge(0.0);
        for threads in [1, 2] {
            let copy = copy_bandwidth(threads)?;
            let pool = pool(threads)?;
            for (columns, lanes) in [(1, 1), (8, 8), (32, 16), (64, 16)] {
                if stencil.cells() * columns > 64 * 64 * 64 * 64 {
                    continue;
                }
                bar.set_message(format!("{n}^3, {threads} threads, {columns} columns"));
                let mut vectors = Kernels::new(&stencil, columns / lanes, lanes);
                for (name, bytes, passes, call) in KERNELS {
                    let seconds = pool.install(|| best(RUNS, || call(&mut vectors)));
                    let each = seconds / (stencil.cells() * columns * passes) as f64;
                    // Coefficients are read once for every chunk of lanes.
                    let rate = bytes(lanes as f64) / each;
                    let share = 100.0 * rate / copy;
                    let (ns, rate) = (1e9 * each, 1e-9 * rate);
                    bar.suspend(|| {
                        println!("| {n}³ | {threads} | {columns} | {name} | {ns:.2} | {rate:.1} | {share:.0} % |");
                    });
                }
                bar.inc(1);
            }
        }
    }
    Ok(())
}

fn multigrid(cycles: Precision) -> Cpu {
    let mut cpu = Cpu::default();
    cpu.stencils = StencilSolver::Multigrid;
    cpu.krylov_tolerance = 1e-8;
    cpu.cycles = cycles;
    cpu
}

/// Seconds for a batch, or for its columns one after another.
fn adjoints(factor: &dyn Factor, b: &Mat<f64>, at_once: bool) -> Result<(f64, SolveStats)> {
    let mut x = b.clone();
    let (mut stats, begin) = (SolveStats::default(), Instant::now());
    if at_once {
        stats = factor.solve(Side::Transpose, None, x.as_mut())?;
    } else {
        for column in x.col_iter_mut() {
            stats = stats.worst(factor.solve(Side::Transpose, None, column.as_mat_mut())?);
        }
    }
    Ok((begin.elapsed().as_secs_f64(), stats))
}

/// What BiCGSTAB with multigrid would take if every pass ran at the bandwidth of a copy: two products a step, and two
/// cycles of eight sweeps, a residual and a correction on levels that add up to 8/7 of the finest.
fn roofline(unknowns: usize, lanes: f64, iterations: usize, (copy, size): (f64, f64)) -> f64 {
    let product = 16.0 + 56.0 / lanes;
    let cycle = size * (8.0 * (3.0 + 7.0 / lanes) + (2.0 + 7.0 / lanes) + 2.0);
    (2.0 * product + 2.0 * cycle * 8.0 / 7.0) * (unknowns * iterations) as f64 / copy
}

fn whole_solves(n: usize, columns: usize, bar: &ProgressBar) -> Result<()> {
    println!(
        "\n| cells | cycles | columns | threads | how | iterations | seconds | a column | of the roofline |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let problem = Problem::new(n)?;
    let (rho, _) = problem.stationary(&multigrid(Precision::Auto))?;
    let b = problem.adjoint_sides(&rho, columns);
    for (name, cycles, size) in [
        ("double", Precision::Double, 8.0),
        ("single", Precision::Single, 4.0),
    ] {
        let cpu = multigrid(cycles);
        let factor = cpu.factor(Operator::stencil(problem.generator.clone()))?;
        let runs = [(2, true), (1, true), (2, false)];
        // One by one, 128³ takes minutes.
        for &(threads, at_once) in &runs[..if n > 64 { 2 } else { 3 }] {
            let how = if at_once { "one batch" } else { "one by one" };
            bar.set_message(format!(
                "{n}^3 x {columns}, {name}, {threads} threads, {how}"
            ));
            let pool = pool(threads)?;
            // Once for the hierarchy and the room.
            pool.install(|| adjoints(factor.as_ref(), &b, at_once))?;
            let (seconds, stats) = pool.install(|| adjoints(factor.as_ref(), &b, at_once))?;
            let lanes = (columns / threads).min(16);
            let lanes = if at_once { lanes as f64 } else { 1.0 };
            let copy = copy_bandwidth(threads)?;
            let ideal = roofline(rho.len() * columns, lanes, stats.iterations, (copy, size));
            let (each, share) = (1e3 * seconds / columns as f64, 100.0 * ideal / seconds);
            let iterations = stats.iterations;
            bar.suspend(|| {
                println!("| {n}³ | {name} | {columns} | {threads} | {how} | {iterations} | {seconds:.3} | {each:.1} ms | {share:.0} % |");
            });
            bar.inc(1);
        }
    }
    Ok(())
}

/// Factorising anew, and once more with a known pattern; then batches.
fn factorised(
    name: &str,
    a: impl Fn() -> Operator<'static>,
    sides: &[Side],
    bar: &ProgressBar,
) -> Result<()> {
    bar.set_message(format!("factors of {name}"));
    let mut cpu = Cpu::default();
    cpu.stencils = StencilSolver::Direct;
    let n = a().nrows();
    let made = || -> Result<(f64, f64)> {
        // The factor is made by the first solve: what the second takes is the solve's.
        let (factor, mut x) = (cpu.factor(a())?, random::normal_matrix(n, 1, 3));
        let solve = |x: MatMut<'_, f64>| -> Result<f64> {
            let begin = Instant::now();
            factor.solve(Side::Plain, None, x)?;
            Ok(begin.elapsed().as_secs_f64())
        };
        let first = solve(x.as_mut())?;
        let second = solve(x.as_mut())?;
        Ok((first - second, second))
    };
    let (anew, _) = made()?;
    let (again, single) = made()?;
    let factor = cpu.factor(a())?;
    let mut row = format!("| {name} | {anew:.2} | {again:.2} | {:.1} |", 1e3 * single);
    for &side in sides {
        let b = random::normal_matrix(n, 64, 4);
        let mut x = b.clone();
        factor.solve(side, None, x.as_mut())?;
        let seconds = (0..3).map(|_| {
            x.copy_from(&b);
            let begin = Instant::now();
            let solved = factor.solve(side, None, x.as_mut());
            solved.map(|_| begin.elapsed().as_secs_f64())
        });
        let seconds = seconds.collect::<Result<Vec<_>>>()?;
        let least = seconds.into_iter().fold(f64::INFINITY, f64::min);
        row += &format!(" {:.2} |", 1e3 * least / 64.0);
    }
    if sides.len() < 2 {
        row += " |";
    }
    bar.suspend(|| println!("{row}"));
    bar.inc(1);
    Ok(())
}

fn factors(sizes: &[usize], bar: &ProgressBar) -> Result<()> {
    println!(
        "\n| matrix | s, anew | s, known pattern | ms, one column | ms a column of 64 | transposed |"
    );
    println!("|---|---|---|---|---|---|");
    for &n in sizes {
        let generator = Problem::new(n)?.generator;
        let name = format!("Lorenz generator {n}³");
        let a = || Operator::stencil(generator.clone());
        factorised(&name, a, &[Side::Plain, Side::Transpose], bar)?;
    }
    let laplacian = weighted_laplacian(&[(0.0, 1.0, 512); 2], 1.0)?;
    let a = || Operator::stencil(laplacian.clone()).positive_definite();
    factorised("weighted Laplacian 512²", a, &[Side::Plain], bar)
}

fn main() -> Result<()> {
    let quick = std::env::args().any(|a| a == "--quick");
    let copies = [copy_bandwidth(1)?, copy_bandwidth(2)?].map(|rate| 1e-9 * rate);
    println!(
        "copies: {:.1} GB/s on one thread, {:.1} on two\n",
        copies[0], copies[1]
    );
    let bar = progress(if quick { 16 } else { 35 });
    kernels(if quick { &[32] } else { &[32, 64, 128] }, &bar)?;
    if quick {
        whole_solves(32, 64, &bar)?;
        factors(&[16], &bar)?;
    } else {
        whole_solves(64, 64, &bar)?;
        whole_solves(128, 16, &bar)?;
        factors(&[32, 48], &bar)?;
    }
    bar.finish_and_clear();
    if let Some(gibibytes) = memory::peak() {
        println!("\npeak memory {gibibytes:.2} GiB");
    }
    Ok(())
}
