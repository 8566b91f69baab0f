//! Seconds for values and gradients of transport losses. `benches/peers/sinkhorn.py` has the same work in NumPy and POT.
//!
//! `cargo bench --bench transport`, with `RAYON_NUM_THREADS=1` for one core. Other profiles: `cargo test --profile quick --bench transport`.

use std::hint::black_box;
use std::time::Instant;

use pullback::loss::{Sinkhorn, Transport};
use pullback::{Cpu, Grid, Loss, Result};

/// The shortest of some runs, in seconds, and what the last gave.
fn shortest<T>(repeats: usize, mut work: impl FnMut() -> Result<T>) -> Result<(f64, T)> {
    let mut best = f64::INFINITY;
    let mut result = work()?;
    for _ in 0..repeats {
        let begin = Instant::now();
        result = black_box(work()?);
        best = best.min(begin.elapsed().as_secs_f64());
    }
    Ok((best, result))
}

/// Gaussian density of mass one around (x, y).
fn gaussian(grid: &Grid, centre: [f64; 2], deviation: f64) -> Result<Vec<f64>> {
    let squares = |x: &[f64]| (x[0] - centre[0]).powi(2) + (x[1] - centre[1]).powi(2);
    let rho = grid.sample(|x| (-0.5 * squares(x) / (deviation * deviation)).exp());
    let mass = grid.integrate(&rho)?;
    Ok(rho.iter().map(|r| r / mass).collect())
}

fn main() -> Result<()> {
    let cpu = Cpu::default();
    for (cells, repeats) in [(48, 20), (64, 20), (128, 10), (256, 5)] {
        let grid = Grid::new(&[(-4.0, 9.0, cells), (-4.0, 9.0, cells)])?;
        let rho = gaussian(&grid, [1.0, 3.0], 0.7)?;
        let target = gaussian(&grid, [3.0, 2.0], 1.1)?;
        let q = || target.clone();
        let options = |extrapolate| Sinkhorn {
            epsilon: Some(0.25),
            extrapolate,
            ..Sinkhorn::default()
        };
        let losses = [
            ("ε = .25", Transport::sinkhorn(&grid, q(), &options(false))?),
            (
                "ε = .25, extrapolated",
                Transport::sinkhorn(&grid, q(), &options(true))?,
            ),
            ("marginals", Transport::marginals(&grid, q())?),
            ("slices of 8 frames", Transport::sliced(&grid, q(), 8)?),
        ];
        for (name, loss) in losses {
            let (value, misfit) = shortest(repeats, || loss.at(&rho, &cpu))?;
            let (both, _) = shortest(repeats, || loss.at(&rho, &cpu)?.covector(&cpu))?;
            println!(
                "{cells}x{cells}, {name}: value {:.2} ms, with gradient {:.2} ms, error of W₂² {:.2e}",
                1e3 * value,
                1e3 * both,
                2.0 * misfit.value() - 5.32
            );
        }
    }
    Ok(())
}
