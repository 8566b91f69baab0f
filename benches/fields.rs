//! Nanoseconds per cell for the rates of fields on grids.
//!
//! `cargo bench --bench fields`.

use std::hint::black_box;
use std::time::Instant;

use pullback::evolution::Dynamics;
use pullback::models::InvariantMeasure;
use pullback::models::fields::{AdvectionDiffusion, FokkerPlanck, GrayScott, Heat};
use pullback::models::flow::VanDerPol;
use pullback::{Grid, Result};

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

fn main() -> Result<()> {
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
