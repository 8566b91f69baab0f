//! What the Lorenz problem takes: a W₂ direction, whole recoveries, and the largest grid of a laptop.
//!
//! `cargo bench --bench lorenz`, with `-- --quick` without the largest grid, and with `RAYON_NUM_THREADS=1` for one core.
//! `benches/peers/lorenz_w2_step.py` has the first rows in SciPy.

#[path = "support/invariant.rs"]
mod invariant;
#[path = "support/memory.rs"]
mod memory;

use std::hint::black_box;
use std::time::Instant;

use indicatif::ProgressBar;
use invariant::{START, model};
use pullback::loss::{Divergence, L2Misfit};
use pullback::metric::Wasserstein2;
use pullback::models::flow::Lorenz;
use pullback::{Cpu, Descent, Linearisation, Result};

fn main() -> Result<()> {
    let quick = std::env::args().any(|a| a == "--quick");
    direction()?;
    println!();
    let sizes: &[usize] = if quick { &[16, 32] } else { &[16, 32, 64] };
    for &n in sizes {
        recovery(n)?;
    }
    if !quick {
        println!();
        large(128)?;
    }
    Ok(())
}

/// The shortest of some runs, and what the last one gave.
fn best<T>(repeats: usize, mut work: impl FnMut() -> Result<T>) -> Result<(f64, T)> {
    let (mut least, mut last) = (f64::INFINITY, work()?);
    for _ in 0..repeats {
        let begin = Instant::now();
        last = black_box(work()?);
        least = least.min(begin.elapsed().as_secs_f64());
    }
    Ok((least, last))
}

/// Density and W₂ direction of an L² loss on 14×22×16 cells.
fn direction() -> Result<()> {
    let (model, cpu) = (model([14, 22, 16])?, Cpu::default());
    let loss = L2Misfit::new(model.grid(), model.density(&Lorenz::CLASSIC, &cpu)?)?;
    let metric = Wasserstein2::new(model.grid());
    let (forward, _) = best(20, || model.density(&START, &cpu))?;
    println!("forward, 14×22×16 cells:          {:8.1} ms", 1e3 * forward);
    let (whole, proposal) = best(20, || {
        let descent = Descent::new(&model, &loss).metric(&metric).backend(&cpu);
        descent.propose(&START, 0.0)
    })?;
    let eta: Vec<String> = proposal.eta.iter().map(|e| format!("{e:.9e}")).collect();
    println!(
        "forward and direction together:   {:8.1} ms   η = [{}]",
        1e3 * whole,
        eta.join(", ")
    );
    Ok(())
}

/// Twin data, KL with Fisher-Rao.
fn recovery(n: usize) -> Result<()> {
    let bar = ProgressBar::new_spinner().with_message(format!("recovery on {n}³ cells"));
    let (model, cpu) = (model([n; 3])?, Cpu::default());
    let data = model.density(&Lorenz::CLASSIC, &cpu)?;
    let loss = Divergence::kullback_leibler(model.grid(), data)?;
    let begin = Instant::now();
    let report = Descent::new(&model, &loss)
        .backend(&cpu)
        .run(&START, |_| bar.tick())?;
    bar.finish_and_clear();
    let off = report
        .theta
        .iter()
        .zip(Lorenz::CLASSIC)
        .map(|(a, b)| ((a - b) / b).abs());
    println!(
        "recovery on {n}³ cells: {:7.2} s, {} steps, largest relative error {:.1e}",
        begin.elapsed().as_secs_f64(),
        report.iterations(),
        off.fold(0.0, f64::max)
    );
    Ok(())
}

/// A density and its three sensitivities.
fn large(n: usize) -> Result<()> {
    let bar = ProgressBar::new_spinner().with_message(format!("{n}³ cells: density"));
    bar.tick();
    let (model, cpu) = (model([n; 3])?, Cpu::default());
    let begin = Instant::now();
    let rho = model.density(&Lorenz::CLASSIC, &cpu)?;
    let density = begin.elapsed().as_secs_f64();
    bar.set_message(format!("{n}³ cells: sensitivities"));
    bar.tick();
    let z = Linearisation::new(&model, &rho, &Lorenz::CLASSIC, &cpu)?;
    z.matrix()?;
    bar.finish_and_clear();
    let whole = begin.elapsed().as_secs_f64();
    println!(
        "{n}³ cells: density {density:.1} s, three sensitivities {:.1} s, together {whole:.1} s{}",
        whole - density,
        memory::peak().map_or(String::new(), |gibibytes| format!(
            ", {gibibytes:.2} GiB at most"
        ))
    );
    Ok(())
}
