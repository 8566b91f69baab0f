//! Nanoseconds per cell for the rates of fields on grids, and seconds for their sweeps.
//!
//! `cargo bench --bench fields`. `benches/peers/heat.py` solves the heat equation with SciPy.

use std::hint::black_box;
use std::time::Instant;

use pullback::evolution::{Dynamics, Evolution, Method};
use pullback::faer::Mat;
use pullback::models::InvariantMeasure;
use pullback::models::fields::{AdvectionDiffusion, FokkerPlanck, GrayScott, Heat};
use pullback::models::flow::VanDerPol;
use pullback::{Cpu, Grid, Linearisation, Result};

/// Returns the shortest of many evaluations in nanoseconds per component of the state.
fn shortest<D: Dynamics>(dynamics: &D, theta: &[f64]) -> f64 {
    let n = dynamics.dims().0;
    let (mut x, mut out) = (vec![0.0; n], vec![0.0; n]);
    dynamics.initial(theta, &mut x);
    let mut best = f64::INFINITY;
    for _ in 0..500 {
        let started = Instant::now();
        dynamics.rate(0.0, black_box(&x), black_box(theta), &mut out);
        black_box(&mut out);
        best = best.min(started.elapsed().as_nanos() as f64);
    }
    best / n as f64
}

/// Returns the seconds of one run, and its result.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let clock = Instant::now();
    let found = work()?;
    Ok((clock.elapsed().as_secs_f64(), found))
}

/// Returns the shortest of a few runs.
fn best<T>(runs: usize, mut work: impl FnMut() -> Result<T>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        best = best.min(timed(&mut work)?.0);
    }
    Ok(best)
}

/// Largest memory of the process so far in MiB, where the system tells.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    number.unwrap_or(f64::NAN) / 1024.0
}

/// The heat equation with as many conductivities as cells: all tangents.
fn heat() -> Result<()> {
    let n = 200;
    let grid = Grid::new(&[(0.0, 1.0, n)])?;
    let initial = (0..n).map(|i| (0.03 * i as f64).sin()).collect();
    let times = (1..=10).map(|i| 0.02 * f64::from(i)).collect();
    let model = Evolution::new(Heat::new(&grid, initial)?, times)?;
    let model = model.method(Method::Implicit).accuracy(1e-6, &[1e-8])?;
    let theta: Vec<f64> = (0..n).map(|i| (0.05 * i as f64).cos()).collect();
    let rho = model.predict(&theta)?;
    let linearised = || Linearisation::new(&model, &rho, &theta, Cpu::shared());
    let all = Mat::<f64>::identity(n, n);
    let forward = best(20, || model.predict(&theta))?;
    let linear = best(20, || linearised().map(drop))?;
    let tangents = best(20, || linearised()?.tangent(all.as_ref()))?;
    println!(
        "heat, 200 cells: forward {:.1} ms, linearised {:.1} ms, with 200 tangents {:.1} ms",
        1e3 * forward,
        1e3 * linear,
        1e3 * tangents
    );
    Ok(())
}

/// Reactions on a plane: the gradient in four parameters.
fn spots() -> Result<()> {
    let n = 128;
    let grid = Grid::new(&[(0.0, 2.5, n), (0.0, 2.5, n)])?;
    let model = Evolution::new(GrayScott::square(&grid)?, vec![2000.0])?.every(1.0)?;
    let model = model.memory(600 << 20);
    let theta = [2e-5, 1e-5, 0.04, 0.06];
    let (forward, rho) = timed(|| model.predict(&theta))?;
    let w = Mat::from_fn(rho.len(), 1, |i, _| rho[i] - 0.5);
    let (linear, at) = timed(|| Linearisation::new(&model, &rho, &theta, Cpu::shared()))?;
    let (adjoint, _) = timed(|| at.adjoint(w.as_ref()))?;
    println!(
        "Gray-Scott, 128×128, 2000 steps: forward {forward:.2} s, linearised {linear:.2} s, adjoint {adjoint:.2} s, \
         together {:.1} times; at most {:.0} MiB",
        (linear + adjoint) / forward,
        peak(),
    );
    Ok(())
}

/// Many steps with few stored states.
fn checkpoints() -> Result<()> {
    let grid = Grid::new(&[(0.0, 1.0, 100)])?;
    let initial: Vec<f64> = (0..100).map(|i| (0.03 * i as f64).sin()).collect();
    let theta: Vec<f64> = (0..100).map(|i| (0.05 * i as f64).cos()).collect();
    let model = |memory: usize| {
        let model = Evolution::new(Heat::new(&grid, initial.clone())?, vec![1.0])?;
        let model = model.method(Method::Implicit).every(1e-4)?;
        Ok::<_, pullback::Error>(model.memory(memory))
    };
    let mut seconds = Vec::new();
    let mut gradients = Vec::new();
    for memory in [usize::MAX, 30 * 1600] {
        let model = model(memory)?;
        let rho = model.predict(&theta)?;
        let w = Mat::from_fn(rho.len(), 1, |_, _| 1.0);
        let adjoint =
            || Linearisation::new(&model, &rho, &theta, Cpu::shared())?.adjoint(w.as_ref());
        seconds.push(best(3, adjoint)?);
        gradients.push(adjoint()?);
    }
    let same = gradients[0] == gradients[1];
    println!(
        "10,000 steps, stored: {:.3} s; with 30 states: {:.3} s, {:.2} times; same bits: {same}",
        seconds[0],
        seconds[1],
        seconds[1] / seconds[0],
    );
    Ok(())
}

fn main() -> Result<()> {
    heat()?;
    // The memory of the process is read here, before that of stored steps.
    spots()?;
    checkpoints()?;
    println!("{:40} ns per unknown", "rate");
    for n in [32, 64, 128] {
        let grid = Grid::new(&[(0.0, 2.5, n), (0.0, 2.5, n)])?;
        let spots = GrayScott::square(&grid)?;
        let name = format!("Gray-Scott, {n}×{n}, two species");
        let best = shortest(&spots, &[2e-5, 1e-5, 0.04, 0.06]);
        println!("{name:40} {best:8.2}");
    }
    let (line, plane) = (
        Grid::new(&[(0.0, 1.0, 200)])?,
        Grid::new(&[(-3.0, 3.0, 64), (-4.0, 4.0, 64)])?,
    );
    for (name, grid) in [("200", &line), ("64×64", &plane)] {
        let n = grid.cells();
        let heat = shortest(&Heat::new(grid, vec![0.5; n])?, &vec![0.1; n]);
        println!("{:40} {heat:8.2}", format!("heat, {name}"));
        let transport = AdvectionDiffusion::new(grid, 0.1)?.velocity(|x| [x[0]; 3])?;
        let transport = shortest(&transport, &vec![0.1; n]);
        println!("{:40} {transport:8.2}", format!("transport, {name}"));
    }
    let measure = InvariantMeasure::new(&plane, VanDerPol)?.diffusion(0.1)?;
    let density = FokkerPlanck::new(measure, vec![1.0; plane.cells()])?;
    println!("{:40} {:8.2}", "density, 64×64", shortest(&density, &[1.0]));
    Ok(())
}
