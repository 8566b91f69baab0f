//! Verification of the gradient of θ ↦ f(ρ(θ)).

use super::probe::{DIRECTIONS, direction, dot, moved, relative};
use super::scan::{Scan, samples, scalar_floor};
use super::taylor::Remainder;
use super::{SOLVED_PLATEAU, Verification};
use crate::check;
use crate::error::Result;
use crate::linalg::Cpu;
use crate::loss::Loss;
use crate::model::adjoint::Linearisation;
use crate::model::{Model, solve_checked};

const FIRST: &str = "f(θ+hv) − f(θ) = O(h)";
const SECOND: &str = "f(θ+hv) − f(θ) − h⟨∇f, v⟩ = O(h²)";
const CENTRAL: &str = "⟨∇f, v⟩ = (f(θ+hv) − f(θ−hv))/2h";

/// Verifies the gradient ∇f = Zᵀ∂f/∂ρ of f(ρ(θ)), computed by one adjoint solve, in a Taylor test.
///
/// The remainders f(θ+hv) − f(θ) and f(θ+hv) − f(θ) − h⟨∇f, v⟩ must vanish with the orders 1 and 2, and central
/// differences must reach the [`SOLVED_PLATEAU`]. Directions are random multiples of the entries of θ. Choose a θ whose
/// entries have typical sizes. The model is solved 20 times in each of three directions.
///
/// ```
/// use pullback::{Grid, loss::L2Misfit, models::{GaussianMixture, Parameter}, verify};
/// let grid = Grid::new(&[(-5.0, 5.0, 40)])?;
/// let mixture = GaussianMixture::new(&grid)
///     .component(1.0, &[0.0], 1.0)
///     .free(&[Parameter::Mean(0, 0), Parameter::Variance(0)])?;
/// let loss = L2Misfit::new(&grid, mixture.density(&[0.0, 1.0])?)?;
/// assert!(verify::gradient(&mixture, &loss, &[0.5, 1.3], 1)?.passed());
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// # Errors
/// Fails if the model cannot be solved or linearised at θ, or if the loss is not finite at ρ(θ).
pub fn gradient(
    model: &dyn Model,
    loss: &dyn Loss,
    theta: &[f64],
    seed: u64,
) -> Result<Verification> {
    let cpu = Cpu::default();
    let rho = solve_checked(model, theta, &cpu)?;
    let (value, covector) = super::loss::evaluated(loss, &rho)?;
    let slope = Linearisation::new(model, &rho, theta, &cpu)?.pull_back(&covector)?;
    check::finite("the gradient Zᵀ ∂f/∂ρ", &slope)?;

    // ⟨∇f, v⟩ = ⟨Zᵀ∂f/∂ρ, v⟩ = ⟨∂f/∂ρ, Z v⟩ is the derivative of h ↦ f(ρ(θ + hv)) at h = 0.
    let weights = relative(theta);
    let v: Vec<Vec<f64>> = (0..DIRECTIONS as u64)
        .map(|j| direction(&weights, seed, j))
        .collect();
    let value_at = |theta: Vec<f64>| {
        let rho = solve_checked(model, &theta, &cpu).ok()?;
        loss.check(&rho).ok()?;
        super::loss::value(loss, &rho)
    };
    let samples = samples(|h| v.iter().map(|v| value_at(moved(theta, h, v))).collect());
    let base = vec![value; DIRECTIONS];
    let slopes: Vec<f64> = v.iter().map(|v| dot(&slope, v)).collect();

    let subject = format!("gradient of a loss over {} parameters", theta.len());
    let mut report = Verification::new(subject);
    // The first remainder involves no derivative. If it fails, the objective is not continuous, or its state
    // is not solved well enough, and the other two say nothing about the gradient.
    for (name, expected, slopes) in [
        (FIRST, 1.0, vec![0.0; DIRECTIONS]),
        (SECOND, 2.0, slopes.clone()),
    ] {
        let remainder = Remainder {
            name,
            expected,
            base: &base,
            slopes: &slopes,
        };
        report.push(remainder.check(&samples));
    }
    let floor = scalar_floor(&base, &samples);
    report.push(Scan::new(&slopes, &floor, &samples).check(CENTRAL, SOLVED_PLATEAU));
    Ok(report)
}
