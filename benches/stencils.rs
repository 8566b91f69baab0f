//! Solvers of stencils: where one overtakes another, and what the Lorenz problem takes on finer and finer grids.
//!
//! `cargo bench --bench stencils`, with `-- --quick` for a minute's worth. `benches/peers/stencil_adjoints.py` has the
//! adjoints in SciPy.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use pullback::faer::Mat;
use pullback::linalg::{SolveStats, Stencil, StencilSolver};
use pullback::models::flow::{Flow, VanDerPol};
use pullback::{Backend, Cpu, Grid, Operator, Result, Side, random};

#[path = "support/laplacian.rs"]
mod laplacian;
#[path = "../tests/support/lorenz.rs"]
mod lorenz;
#[path = "support/memory.rs"]
mod memory;

use laplacian::weighted_laplacian;
use lorenz::Problem;

const SOLVERS: [(&str, StencilSolver); 3] = [
    ("DILU", StencilSolver::Dilu),
    ("multigrid", StencilSolver::Multigrid),
    ("direct", StencilSolver::Direct),
];

/// Unknowns times columns of the largest cases of the first table.
const MOST: usize = 3_000_000;

/// Cells in space beyond which a factorisation of a generator takes minutes.
const LARGEST_LU: usize = 40_000;

/// A kind of matrix, its dimension, and the sizes of its boxes.
struct Family {
    definite: bool,
    dim: usize,
    sizes: &'static [usize],
}

const FAMILIES: [Family; 4] = [
    Family {
        definite: false,
        dim: 2,
        sizes: &[32, 64, 128, 256],
    },
    Family {
        definite: false,
        dim: 3,
        sizes: &[8, 16, 24, 32],
    },
    Family {
        definite: true,
        dim: 2,
        sizes: &[32, 64, 128, 256],
    },
    Family {
        definite: true,
        dim: 3,
        sizes: &[8, 16, 24, 32],
    },
];

impl Family {
    fn name(&self) -> &'static str {
        if self.definite {
            "Laplacian"
        } else {
            "generator"
        }
    }

    fn stencil(&self, n: usize) -> Result<Stencil> {
        if self.definite {
            return weighted_laplacian(&vec![(0.0, 1.0, n); self.dim], 2.0);
        }
        if self.dim == 3 {
            return Ok(Problem::new(n)?.generator);
        }
        let grid = Grid::new(&VanDerPol::BOX.map(|(lower, upper)| (lower, upper, n)))?;
        let generator = grid.flux_divergence(|face| {
            let v = VanDerPol.velocity(&face.centre, &VanDerPol::CLASSIC)[face.axis];
            let spread = 0.01 / face.spacing;
            [v.max(0.0) + spread, -(-v).max(0.0) - spread]
        });
        Ok(generator.with_gauge(1.0 / grid.cells() as f64))
    }
}

fn operator(stencil: &Stencil, definite: bool) -> Operator<'static> {
    let a = Operator::stencil(stencil.clone());
    if definite { a.positive_definite() } else { a }
}

/// Solution, seconds with everything that has to be made first, and what the solve found out.
fn timed(
    cpu: &Cpu,
    a: Operator<'static>,
    side: Side,
    b: &Mat<f64>,
) -> Result<(Mat<f64>, f64, SolveStats)> {
    let (mut x, begin) = (b.clone(), Instant::now());
    let stats = cpu.factor(a)?.solve(side, None, x.as_mut())?;
    Ok((x, begin.elapsed().as_secs_f64(), stats))
}

fn cpu(stencils: StencilSolver) -> Cpu {
    let mut cpu = Cpu::default();
    cpu.stencils = stencils;
    cpu
}

/// A line on stderr with what is going on.
fn progress(steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64);
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} [{pos}/{len}] {msg}") {
        bar.set_style(style);
    }
    bar
}

fn crossovers(quick: bool) -> Result<()> {
    println!("ms for a batch, with a new factor; relative residual 1e-11; * is what Auto takes\n");
    println!("| matrix | cells | columns | DILU | multigrid | direct |");
    println!("|---|---|---|---|---|---|");
    let count = |f: &Family| sizes(f, quick).len() * 4;
    let bar = progress(FAMILIES.iter().map(count).sum());
    for family in &FAMILIES {
        for &n in sizes(family, quick) {
            let stencil = family.stencil(n)?;
            for columns in [1, 4, 16, 64] {
                bar.set_message(format!("{} {n}^{} x{columns}", family.name(), family.dim));
                if stencil.cells() * columns <= MOST {
                    let row = crossover(family, &stencil, columns)?;
                    let cells = format!("{n}^{}", family.dim);
                    bar.suspend(|| {
                        println!("| {} | {cells} | {columns} | {row} |", family.name());
                    });
                }
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn sizes(family: &Family, quick: bool) -> &'static [usize] {
    let most = if quick { 2 } else { family.sizes.len() };
    &family.sizes[..most]
}

/// The times of one batch; Auto has the bits of the solver that it takes.
fn crossover(family: &Family, stencil: &Stencil, columns: usize) -> Result<String> {
    let b = random::normal_matrix(stencil.cells(), columns, 3);
    let a = || operator(stencil, family.definite);
    let (chosen, ..) = timed(&cpu(StencilSolver::Auto), a(), Side::Plain, &b)?;
    let mut row = Vec::new();
    for (_, solver) in SOLVERS {
        let lu = solver == StencilSolver::Direct && family.dim == 3 && !family.definite;
        if lu && stencil.cells() > LARGEST_LU {
            row.push("–".to_string());
            continue;
        }
        let cpu = cpu(solver);
        row.push(match timed(&cpu, a(), Side::Plain, &b) {
            Ok((x, mut seconds, stats)) => {
                // Once more where it is cheap, for warm caches and a known sparsity pattern.
                if seconds < 0.5 {
                    seconds = seconds.min(timed(&cpu, a(), Side::Plain, &b)?.1);
                }
                let star = if x == chosen { "*" } else { "" };
                match stats.iterations {
                    0 => format!("{:.2}{star}", 1e3 * seconds),
                    n => format!("{:.2} ({n}){star}", 1e3 * seconds),
                }
            }
            Err(error) => error.kind().to_string(),
        });
    }
    Ok(row.join(" | "))
}

/// The Lorenz problem at n³ by one solver, to a relative residual of 1e-8.
fn lorenz_rows(n: usize, (name, solver): (&str, StencilSolver), bar: &ProgressBar) -> Result<()> {
    let (problem, mut cpu) = (Problem::new(n)?, cpu(solver));
    cpu.krylov_tolerance = 1e-8;
    let row = |what: &str, columns: usize, seconds: f64, stats: SolveStats| {
        let each = seconds / columns as f64;
        let iterations = stats.iterations;
        bar.suspend(|| {
            println!("| {n}³ | {name} | {what} | {iterations} | {seconds:.3} | {each:.3} |")
        });
        bar.inc(1);
    };
    let at = |what: &str| bar.set_message(format!("{n}^3 {name}: {what}"));
    at("stationary");
    let begin = Instant::now();
    let (rho, stats) = problem.stationary(&cpu)?;
    row("stationary", 1, begin.elapsed().as_secs_f64(), stats);
    let generator = || operator(&problem.generator, false);
    for columns in [1, 16] {
        at("adjoints");
        let b = problem.adjoint_sides(&rho, columns);
        let (_, seconds, stats) = timed(&cpu, generator(), Side::Transpose, &b)?;
        row(&format!("adjoints × {columns}"), columns, seconds, stats);
    }
    at("Laplacian");
    let a = operator(&problem.laplacian(&rho), true);
    let b = problem.potential_sides(&rho, 1);
    let (_, seconds, stats) = timed(&cpu, a, Side::Plain, &b)?;
    row("W₂ Laplacian", 1, seconds, stats);
    Ok(())
}

fn main() -> Result<()> {
    let quick = std::env::args().any(|a| a == "--quick");
    crossovers(quick)?;
    println!("\nThe Lorenz problem of docs and tests, relative residual 1e-8\n");
    println!("| cells | solver | what | iterations | seconds | seconds a column |");
    println!("|---|---|---|---|---|---|");
    let [dilu, multigrid, direct] = SOLVERS;
    let mut runs = vec![(32, direct), (32, dilu), (32, multigrid), (64, multigrid)];
    if !quick {
        runs.push((128, multigrid));
    }
    let bar = progress(4 * runs.len());
    for (n, solver) in runs {
        lorenz_rows(n, solver, &bar)?;
    }
    bar.finish_and_clear();
    if let Some(gibibytes) = memory::peak() {
        println!("\npeak memory {gibibytes:.2} GiB");
    }
    Ok(())
}
