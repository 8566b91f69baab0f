//! Seconds for W₂ steps and information matrices. `benches/peers/` has the same work in NumPy and SciPy.
//!
//! `cargo bench --bench wasserstein`, with `RAYON_NUM_THREADS=1` for one core.

#[path = "support/mixture.rs"]
mod mixture;

use std::hint::black_box;
use std::time::Instant;

use mixture::{mixture, step};
use pullback::direction::information_matrix;
use pullback::faer::Mat;
use pullback::loss::L2Misfit;
use pullback::metric::Wasserstein2;
use pullback::{Cpu, Metric, Result};

/// The median of some runs after one that does not count.
fn seconds<T>(repeats: usize, mut work: impl FnMut() -> Result<T>) -> Result<f64> {
    black_box(work()?);
    let mut taken = Vec::new();
    for _ in 0..repeats {
        let begin = Instant::now();
        black_box(work()?);
        taken.push(begin.elapsed().as_secs_f64());
    }
    taken.sort_by(f64::total_cmp);
    Ok(taken[repeats / 2])
}

fn main() -> Result<()> {
    let cpu = Cpu::default();
    for cells in [56, 84, 168] {
        let model = mixture(cells)?;
        let target = model.density(&model.parameters())?;
        let loss = L2Misfit::new(model.grid(), target)?;
        let metric = Wasserstein2::new(model.grid());
        let eta = step(&model, &loss, &metric, &cpu)?;
        let median = seconds(15, || step(&model, &loss, &metric, &cpu))?;
        println!("w2 step, {cells}x{cells} cells: {:.2} ms", 1e3 * median);
        println!("eta = {eta:.10?}");
    }
    let model = mixture(30)?;
    let rho = model.density(&model.parameters())?;
    let p = rho.len() - 1;
    let z = Mat::from_fn(rho.len(), p, |i, j| match i {
        _ if i == p => -1.0,
        _ if i == j => 1.0,
        _ => 0.0,
    });
    let metric = Wasserstein2::new(model.grid());
    // The values of the density on all cells but the last, which keeps the mass.
    let work = || information_matrix(metric.at(&rho, &cpu)?.as_ref(), z.as_ref());
    let g = work()?;
    let trace: f64 = (0..p).map(|i| g[(i, i)]).sum();
    let median = seconds(7, work)?;
    println!("information matrix, {p} parameters: {median:.4} s");
    println!(
        "trace = {trace:.10e}, Frobenius norm = {:.10e}",
        g.norm_l2()
    );
    Ok(())
}
