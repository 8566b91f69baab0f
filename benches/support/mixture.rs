//! Mixture of two Gaussians with five parameters, and one step from a point away from its data.

use pullback::models::{GaussianMixture, Parameter};
use pullback::{Cpu, Descent, Grid, Loss, Metric, Result};

/// Point of the step.
const HERE: [f64; 5] = [0.4, 1.5, 3.2, 3.3, 1.8];

/// Two Gaussians on `cells`×`cells` cells, of which one weight and both means are unknown.
pub fn mixture(cells: usize) -> Result<GaussianMixture> {
    let mean = Parameter::Mean;
    GaussianMixture::new(&Grid::new(&[(-4.0, 10.0, cells), (-4.0, 10.0, cells)])?)
        .component(0.3, &[1.0, 3.0], 1.0)
        .component(0.7, &[3.0, 2.0], 1.0)
        .free(&[
            Parameter::Weight(0),
            mean(0, 0),
            mean(0, 1),
            mean(1, 0),
            mean(1, 1),
        ])
}

/// Density, sensitivities, gradient, metric, direction: all that a step needs.
pub fn step(
    model: &GaussianMixture,
    loss: &dyn Loss,
    metric: &dyn Metric,
    cpu: &Cpu,
) -> Result<Vec<f64>> {
    let descent = Descent::new(model, loss).metric(metric).backend(cpu);
    Ok(descent.propose(&HERE, 0.0)?.eta)
}
