//! A square of porous medium between two reservoirs, with wells in it.

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
    /// The log-permeability that made the data, and its pressure.
    pub truth: Vec<f64>,
    pub pressure: Vec<f64>,
    /// The wells, unless every cell is measured.
    pub wells: Vec<[f64; 2]>,
    pub observations: usize,
}

impl Problem {
    pub fn new(options: &Options) -> Result<Self> {
        let n = options.cells();
        let grid = Grid::new(&[(0.0, 1.0, n), (0.0, 1.0, n)])?;
        // Water flows from the left, where the pressure is 1, to the right, where it is 0; no other side lets it through.
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

/// Waves of random direction and phase with the spectrum of the prior, so that the medium is the same on every grid.
fn medium(grid: &Grid, range: f64, seed: u64) -> Vec<f64> {
    const WAVES: usize = 300;
    let normal = random::normal(2 * WAVES, seed, 1);
    let chance = random::uniform(2 * WAVES, (0.0, 1.0), seed.wrapping_add(1));
    let decay = 8.0_f64.sqrt() / range;
    // A density ∝ (κ² + |w|²)⁻² in the plane is a normal one whose variance is that of κ²/(2 E), E exponential.
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
