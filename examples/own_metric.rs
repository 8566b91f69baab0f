//! Defines a metric: L² with a weight that emphasises the tails of a density.
//!
//! A metric is M = LᵀL. Here L = √(vol·w) is diagonal, so `lift` (L), `lower` (Lᵀ) and `dual` (L⁻ᵀ) take one line each.

use pullback::faer::{Mat, MatRef};
use pullback::loss::L2Misfit;
use pullback::metric::Root;
use pullback::models::{GaussianMixture, Parameter};
use pullback::step::Armijo;
use pullback::{Backend, Descent, Grid, Metric, Result, verify};

/// Metric ∫ w(x) ζ² dx with w = 1 + x².
struct TailWeighted {
    grid: Grid,
}

struct TailWeightedRoot {
    /// Diagonal of L: √(vol·w) for every cell.
    weights: Vec<f64>,
}

impl Metric for TailWeighted {
    fn at<'a>(&'a self, _: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        let volume = self.grid.volume();
        let weights = self.grid.sample(|x| (volume * (1.0 + x[0] * x[0])).sqrt());
        Ok(Box::new(TailWeightedRoot { weights }))
    }

    fn name(&self) -> &'static str {
        "tail-weighted L2"
    }
}

impl Root for TailWeightedRoot {
    fn dim(&self) -> usize {
        self.weights.len()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        Ok(Mat::from_fn(z.nrows(), z.ncols(), |i, j| {
            self.weights[i] * z[(i, j)]
        }))
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.lift(y)
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        Ok(c.iter().zip(&self.weights).map(|(c, w)| c / w).collect())
    }
}

fn main() -> Result<()> {
    let grid = Grid::new(&[(-6.0, 6.0, 120)])?;
    let metric = TailWeighted { grid: grid.clone() };
    let density = grid.sample(|x| (-0.5 * x[0] * x[0]).exp());
    // Check that the methods above fit together.
    println!("{}\n", verify::metric(&metric, &density, 1)?);

    let mixture = GaussianMixture::new(&grid)
        .component(1.0, &[0.0], 1.0)
        .free(&[Parameter::Mean(0, 0), Parameter::Variance(0)])?;
    let loss = L2Misfit::new(&grid, mixture.density(&[1.0, 1.5])?)?;
    // The metric does not match the loss, so a line search has to find the scale of the steps.
    let step = Armijo::growing(1.0, 2.0);
    let report = Descent::new(&mixture, &loss)
        .metric(&metric)
        .step(&step)
        .run(&[0.0, 1.0], |iterate| println!("{iterate}"))?;
    println!("\n{report}");
    println!("truth (μ, σ²) = (1, 1.5), estimate {:.6?}", report.theta);
    Ok(())
}
