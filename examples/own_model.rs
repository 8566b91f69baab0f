//! Defines a model: the stationary density ρ of dX = (a X − b X³) dt + √(2D) dW on a line, with parameters (a, b).
//!
//! The density solves J′ = 0, ∫ρ = 1 for the flux J = v ρ − D ρ′ with v = a x − b x³.

use pullback::faer::Mat;
use pullback::grid::Face;
use pullback::loss::Observations;
use pullback::{Cpu, Descent, Grid, Model, Noise, Operator, Side, verify};

struct DoubleWell {
    grid: Grid,
    diffusion: f64,
}

impl DoubleWell {
    /// Flux through a face, as weights of the densities in the cells below and above it.
    fn flux(&self, face: &Face, theta: &[f64]) -> [f64; 2] {
        let x = face.centre[0];
        let v = 0.5 * (theta[0] * x - theta[1] * x.powi(3));
        let d = self.diffusion / face.spacing;
        [v + d, v - d]
    }

    fn matrix(&self, theta: &[f64]) -> Operator<'static> {
        self.grid.stationary_matrix(|face| self.flux(face, theta))
    }
}

impl Model for DoubleWell {
    fn state_dim(&self) -> usize {
        self.grid.cells()
    }

    fn param_dim(&self) -> usize {
        2
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        self.matrix(theta).multiply(Side::Plain, rho, out);
        out[rho.len() - 1] -= 1.0;
    }

    fn state_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.matrix(theta)
    }

    fn param_jacobian<'a>(&'a self, rho: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        self.grid.stationary_columns(2, |face, dv| {
            let (x, mean) = (face.centre[0], 0.5 * (rho[face.lower] + rho[face.upper]));
            dv.copy_from_slice(&[x * mean, -x.powi(3) * mean]);
        })
    }
}

fn main() -> pullback::Result<()> {
    let grid = Grid::new(&[(-3.0, 3.0, 200)])?;
    let model = DoubleWell {
        grid,
        diffusion: 0.5,
    };

    // Check the derivatives by finite differences.
    let check = verify::model(&model, &[1.0, 1.0], 1)?;
    println!("{check}\n");

    // The data: a histogram with 20 bins of the density at the truth (1.2, 0.8), with measurement errors.
    let mut truth = vec![0.0; 200];
    model.solve(&[1.2, 0.8], &mut truth, &Cpu::default())?;
    let bins = Mat::from_fn(
        20,
        200,
        |bin, cell| if cell / 10 == bin { 0.1 } else { 0.0 },
    );
    let exact = Operator::dense(bins.clone()).apply_to(Side::Plain, &truth)?;
    let noise = pullback::random::normal(20, 7, 0);
    let data = exact.iter().zip(&noise).map(|(d, z)| d + 0.003 * z);
    let loss = Observations::new(bins, data.collect(), Noise::uniform(20, 0.003)?)?;

    let descent = || Descent::new(&model, &loss);
    let report = descent().run(&[0.5, 1.5], |iterate| println!("{iterate}"))?;
    println!("\n{report}\n");

    // Standard errors from the covariance of the estimate, which needs the noise of the data.
    let uncertainty = report.covariance(&descent())?;
    for (name, i, truth) in [("a", 0, 1.2), ("b", 1, 0.8)] {
        let (value, error) = (report.theta[i], uncertainty.standard_errors[i]);
        println!("{name}: estimate {value:.4} ± {error:.4}, truth {truth}");
    }
    let correlation = uncertainty.correlation(0, 1);
    println!("correlation of the errors of a and b: {correlation:.2}");
    Ok(())
}
