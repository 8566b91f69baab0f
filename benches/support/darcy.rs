//! Darcy inversion with one parameter a cell and a Matérn prior.

use pullback::descent::Tolerances;
use pullback::loss::Observations;
use pullback::models::{Darcy, End};
use pullback::prior::Matern;
use pullback::{Cpu, Descent, Direction, Grid, Noise, Report, Result, Side};

const NOISE: f64 = 0.01;

/// The problem that the peer solves too; its data are made without chance.
pub struct Problem {
    pub model: Darcy,
    pub loss: Observations,
    pub prior: Matern,
    pub parameters: usize,
}

impl Problem {
    /// All cells are measured where `points` is 0.
    pub fn new(n: usize, points: usize) -> Result<Self> {
        let grid = Grid::new(&[(0.0, 1.0, n), (0.0, 1.0, n)])?;
        let model =
            Darcy::new(&grid)?
                .pressure(0, End::Lower, 1.0)?
                .pressure(0, End::Upper, 0.0)?;
        let turn = 2.0 * std::f64::consts::PI;
        let truth = grid.sample(|x| {
            (turn * x[0]).sin() * (turn * x[1]).cos() + 0.5 * (5.0 * x[0] * x[1]).cos()
        });
        let along = |i: usize, step: f64| 0.05 + 0.9 * (0.5 + i as f64 * step).fract();
        let wells: Vec<[f64; 2]> = (0..points)
            .map(|i| [along(i, 0.754877666), along(i, 0.569840291)])
            .collect();
        let measured = if points == 0 {
            model.observe_all()
        } else {
            model.observe(&wells)?
        };
        let mut data = measured.apply_to(Side::Plain, &model.pressures(&truth)?)?;
        for (i, d) in data.iter_mut().enumerate() {
            let i = i as f64;
            *d += NOISE * 2.0_f64.sqrt() * (0.7 * i * i + i).sin();
        }
        let noise = Noise::uniform(data.len(), NOISE)?;
        Ok(Self {
            loss: Observations::new(measured, data, noise)?,
            prior: Matern::new(&grid, 1.0, 0.3)?,
            parameters: grid.cells(),
            model,
        })
    }

    pub fn run(&self, direction: &dyn Direction, cpu: &Cpu) -> Result<Report> {
        let tolerances = Tolerances {
            gradient: 1e-6,
            iterations: 40,
            ..Tolerances::default()
        };
        Descent::new(&self.model, &self.loss)
            .prior(&self.prior)
            .direction(direction)
            .backend(cpu)
            .tolerances(tolerances)
            .run(&vec![0.0; self.parameters], |_| ())
    }
}
