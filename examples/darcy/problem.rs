//! Porous medium in a square between two reservoirs, with wells where the pressure is measured.

use std::f64::consts::PI;

use pullback::loss::Observations;
use pullback::models::{Darcy, End};
use pullback::prior::Matern;
use pullback::{Grid, Noise, Operator, Result, Side, random};

use crate::options::Options;

pub struct Problem {
    pub grid: Grid,
    pub model: Darcy,
    pub prior: Matern,
    pub loss: Observations,
    /// True log-permeability, which generated the data.
    pub truth: Vec<f64>,
    /// Pressure for the true log-permeability.
    pub pressure: Vec<f64>,
    /// Positions of the wells; empty if every cell is measured.
    pub wells: Vec<[f64; 2]>,
    pub observations: usize,
}

impl Problem {
    pub fn new(options: &Options) -> Result<Self> {
        let n = options.cells;
        let grid = Grid::new(&[(0.0, 1.0, n), (0.0, 1.0, n)])?;
        // Water flows from left (pressure 1) to right (pressure 0); the other two sides are impermeable.
        let model =
            Darcy::new(&grid)?
                .pressure(0, End::Lower, 1.0)?
                .pressure(0, End::Upper, 0.0)?;
        let truth = medium(&grid, options.range, options.seed);
        let pressure = model.pressures(&truth)?;
        let wells = wells(options.points, options.seed);
        let measured = if wells.is_empty() {
            model.observe_all()
        } else {
            model.observe(&wells)?
        };
        let data = noisy(&measured, &pressure, options)?;
        let noise = Noise::uniform(data.len(), options.noise)?;
        Ok(Self {
            observations: data.len(),
            loss: Observations::new(measured, data, noise)?,
            prior: Matern::new(&grid, 1.0, options.range)?,
            model,
            truth,
            pressure,
            wells,
            grid,
        })
    }
}

/// Random log-permeability with the spectrum of the prior: a sum of plane waves, which does not depend on the grid.
fn medium(grid: &Grid, range: f64, seed: u64) -> Vec<f64> {
    const WAVES: usize = 300;
    let normal = random::normal(2 * WAVES, seed, 1);
    let chance = random::uniform(2 * WAVES, (0.0, 1.0), seed.wrapping_add(1));
    let decay = 8.0_f64.sqrt() / range;
    // A wave vector with density ∝ (κ² + |w|²)⁻² is normal with random variance κ²/(2E), E exponentially distributed.
    let wave = |j: usize| {
        let spread = decay / (-2.0 * (1.0 - chance[j]).ln()).sqrt();
        let phase = 2.0 * PI * chance[WAVES + j];
        (spread * normal[j], spread * normal[WAVES + j], phase)
    };
    let waves: Vec<(f64, f64, f64)> = (0..WAVES).map(wave).collect();
    let size = (2.0 / WAVES as f64).sqrt();
    grid.sample(|x| {
        let height = waves
            .iter()
            .map(|(a, b, phase)| (a * x[0] + b * x[1] + phase).cos());
        size * height.sum::<f64>()
    })
}

fn wells(count: usize, seed: u64) -> Vec<[f64; 2]> {
    let places = random::uniform(2 * count, (0.03, 0.97), seed.wrapping_add(2));
    places.chunks(2).map(|p| [p[0], p[1]]).collect()
}

fn noisy(measured: &Operator<'_>, pressure: &[f64], options: &Options) -> Result<Vec<f64>> {
    let mut data = measured.apply_to(Side::Plain, pressure)?;
    let errors = random::normal(data.len(), options.seed, 2);
    data.iter_mut()
        .zip(errors)
        .for_each(|(d, e)| *d += options.noise * e);
    Ok(data)
}
