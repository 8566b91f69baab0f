//! Errors of plain and corrected fits to Lorenz trajectories, over ten seeds: the table of docs/lorenz.md.
//!
//! `cargo bench --bench correction`; `-- --quick` takes 16³ cells alone.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use pullback::correction::{Corrected, Options};
use pullback::descent::Tolerances;
use pullback::loss::Divergence;
use pullback::models::flow::Lorenz;
use pullback::models::trajectory::Sampling;
use pullback::models::{InvariantMeasure, Occupations};
use pullback::{Bounds, Cpu, Descent, Grid, Result};

const SEEDS: u64 = 10;

/// Errors of the iterates in per cent (the plain fit first), error of the estimate, and seconds for the whole run.
struct Outcome {
    path: Vec<f64>,
    error: f64,
    seconds: f64,
}

fn main() -> Result<()> {
    let quick = std::env::args().any(|a| a == "--quick");
    println!(
        "errors ‖θ − θ*‖/‖θ*‖ in per cent, medians over {SEEDS} seeds, and seconds for one run, both fits included"
    );
    println!(
        "{:>4} {:>6} {:>6} | {:>7} {:>7} {:>7} {:>7} {:>9} {:>7} {:>9}",
        "n", "T", "noise", "plain", "step 1", "step 2", "step 3", "averaged", "worst", "seconds"
    );
    let sizes: &[usize] = if quick { &[16] } else { &[16, 24, 32] };
    for &n in sizes {
        for (duration, noise) in [(2000.0, 0.0), (200.0, 0.0), (2000.0, 1.0)] {
            let bar = progress(&format!("{n}³ cells, T = {duration}, noise {noise}"));
            let mut runs = Vec::new();
            for seed in 0..SEEDS {
                runs.push(run(n, duration, noise, seed)?);
                bar.inc(1);
            }
            bar.finish_and_clear();
            row((n, duration, noise), &runs);
        }
    }
    Ok(())
}

fn progress(what: &str) -> ProgressBar {
    let bar = ProgressBar::new(SEEDS).with_message(what.to_string());
    if let Ok(style) = ProgressStyle::with_template("{msg:36} {wide_bar} {pos}/{len}") {
        bar.set_style(style);
    }
    bar
}

fn row((n, duration, noise): (usize, f64, f64), runs: &[Outcome]) {
    let median = |f: &dyn Fn(&Outcome) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(f).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let step = |k: usize| median(&|r: &Outcome| r.path.get(k).copied().unwrap_or(f64::NAN));
    let worst = runs.iter().map(|r| r.error).fold(0.0, f64::max);
    let slowest = runs.iter().map(|r| r.seconds).fold(0.0, f64::max);
    println!(
        "{n:>4} {duration:>6} {noise:>6} | {:>7.2} {:>7.2} {:>7.3} {:>7.3} {:>9.3} {worst:>7.3} {:>4.1}–{slowest:.1}",
        step(0),
        step(1),
        step(2),
        step(3),
        median(&|r| r.error),
        median(&|r| r.seconds)
    );
}

fn error(theta: &[f64]) -> f64 {
    let norm = |a: &mut dyn Iterator<Item = f64>| a.map(|x| x * x).sum::<f64>().sqrt();
    let truth = Lorenz::CLASSIC;
    let off = norm(&mut theta.iter().zip(truth).map(|(a, b)| a - b));
    100.0 * off / norm(&mut truth.into_iter())
}

fn run(n: usize, duration: f64, noise: f64, seed: u64) -> Result<Outcome> {
    let grid = Grid::new(&Lorenz::BOX.map(|(a, b)| (a, b, n)))?;
    let (model, cpu) = (InvariantMeasure::new(&grid, Lorenz)?, Cpu::default());
    let sampling = Sampling {
        duration,
        noise,
        seed: 100 + seed,
        ..Sampling::default()
    };
    let data = sampling
        .occupation(&Lorenz, &Lorenz::CLASSIC, &grid, |_| ())?
        .density;
    let started = Instant::now();
    let loss = Divergence::kullback_leibler(&grid, data.clone())?;
    let bounds = Bounds::new(vec![1.0, 2.8, 0.26], vec![40.0, 112.0, 10.6])?;
    // The plain fit is a start; more digits of a biased answer are worth nothing.
    let rough = Tolerances {
        loss: 1e-4,
        iterations: 15,
        ..Tolerances::default()
    };
    let plain = Descent::new(&model, &loss)
        .bounds(&bounds)
        .backend(&cpu)
        .tolerances(rough)
        .run(&[8.0, 22.0, 1.5], |_| ())?;
    let simulator = Occupations::new(&grid, &Lorenz, sampling);
    let metric = simulator.metric();
    let options = Options {
        seed: 1000 + 100 * seed,
        ..Options::default()
    };
    let report = Corrected::new(&model, &simulator, &data, &metric)
        .bounds(&bounds)
        .backend(&cpu)
        .options(options)
        .run(&[&plain.theta], |_| ())?;
    Ok(Outcome {
        path: report.history.iter().map(|c| error(&c.theta)).collect(),
        error: error(&report.theta),
        seconds: started.elapsed().as_secs_f64(),
    })
}
