//! A model of your own: the stationary density of dX = (a X − b X³) dt + √(2D) dW on a line.
//!
//! It solves ∇·J = 0, ∫ρ = 1 for the flux J = v ρ − D ρ′ with v = a x − b x³; the parameters are (a, b).

use pullback::direction::information_matrix;
use pullback::faer::Mat;
use pullback::grid::Face;
use pullback::loss::Observations;
use pullback::{Descent, Grid, Linearisation, Loss, Model, Noise, Operator, Side, verify};

struct DoubleWell {
    grid: Grid,
    diffusion: f64,
}

impl DoubleWell {
    /// The flux through a face as weights of the densities below and above it.
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

    // Never trust a derivative that was not checked.
    let check = verify::model(&model, &[1.0, 1.0], 1)?;
    println!("{check}\n");

    // Twenty bins of the density at the truth (1.2, 0.8), with an error of 1 %.
    let mut truth = vec![0.0; 200];
    let cpu = pullback::Cpu::default();
    model.solve(&[1.2, 0.8], &mut truth, &cpu)?;
    let bins = Mat::from_fn(
        20,
        200,
        |bin, cell| if cell / 10 == bin { 0.1 } else { 0.0 },
    );
    let exact = Operator::dense(bins.clone()).apply_to(Side::Plain, &truth)?;
    let noise = pullback::random::normal(20, 7, 0);
    let data = exact.iter().zip(&noise).map(|(d, z)| d + 0.003 * z);
    let loss = Observations::new(bins, data.collect(), Noise::uniform(20, 0.003)?)?;

    let report = Descent::new(&model, &loss)
        .backend(&cpu)
        .run(&[0.5, 1.5], |iterate| println!("{iterate}"))?;
    println!("\n{report}\n");

    // With Gaussian noise G⁻¹ is the covariance of the estimate.
    let z = Linearisation::new(&model, &report.rho, &report.theta, &cpu)?;
    if let Some(metric) = loss.metric() {
        let root = metric.at(&report.rho, &cpu)?;
        let g = information_matrix(root.as_ref(), z.matrix()?.as_ref())?;
        let determinant = g[(0, 0)] * g[(1, 1)] - g[(0, 1)] * g[(1, 0)];
        for (name, i, truth) in [("a", 0, 1.2), ("b", 1, 0.8)] {
            let deviation = (g[(1 - i, 1 - i)] / determinant).sqrt();
            let value = report.theta[i];
            println!("{name}: recovered {value:.4} ± {deviation:.4}, truth {truth}");
        }
    }
    Ok(())
}
