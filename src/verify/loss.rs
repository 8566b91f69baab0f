//! Verification of the gradient of a loss.

use super::probe::{DIRECTIONS, column, direction, dot, largest, moved, ratio, relative, worst};
use super::report::{Check, Verification};
use super::scan::{Scan, samples, scalar_floor};
use super::{PLATEAU, SOLVED};
use crate::check;
use crate::error::Result;
use crate::linalg::Cpu;
use crate::loss::{Loss, Misfit};
use crate::metric::{Metric, Root, prepare, shaped};

const GRADIENT: &str = "⟨∂f/∂ρ, v⟩ = (f(ρ+hv) − f(ρ−hv))/2h";
const AGREEMENT: &str = "at(ρ) agrees with value and gradient";
const FINITE: &str = "M v is finite";

/// Verifies ∂f/∂ρ of a loss by differences along vᵢ = ξᵢ|ρᵢ| with random ξ.
///
/// These perturbations keep positive entries positive. Zero entries are perturbed by the size of ρ, or held fixed if
/// the loss cannot be evaluated there. The metric of the loss, if it has one, is only checked to be finite: the
/// metric equals the Hessian only at a match with the data, see [`matching`](super::matching).
///
/// ```
/// use pullback::{Grid, loss::Divergence, verify};
/// let grid = Grid::new(&[(0.0, 1.0, 4)])?;
/// let loss = Divergence::kullback_leibler(&grid, vec![0.5, 1.0, 1.5, 1.0])?;
/// assert!(verify::loss(&loss, &[1.0, 1.2, 0.9, 0.9], 1)?.passed());
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// # Errors
/// Fails if the loss, its gradient or its metric is not defined at ρ.
pub fn loss(loss: &dyn Loss, rho: &[f64], seed: u64) -> Result<Verification> {
    let (value, covector) = evaluated(loss, rho)?;
    let mut report = Verification::new(format!("loss on {} states", rho.len()));
    let scan = scan(loss, rho, (value, &covector), &directions(rho, seed));
    // A perturbed zero becomes negative on one side, where an entropy is not defined. An empty scan is no
    // evidence against the gradient, which may be right along the other entries.
    let scan = if scan.is_empty() && rho.contains(&0.0) {
        let mut held = directions(rho, seed);
        held.iter_mut().for_each(|v| hold_zeros(v, rho));
        let scan = self::scan(loss, rho, (value, &covector), &held);
        scan.remark("entries that are zero were held fixed")
    } else {
        scan
    };
    report.push(scan.check(GRADIENT, PLATEAU));
    let v = &directions(rho, seed)[0];
    report.push(agreement(loss, rho, (value, &covector), v));
    let (cpu, metric) = (Cpu::default(), loss.metric());
    let misfit = loss.at(rho, &cpu)?;
    if let Some(root) = root_of(misfit.as_ref(), metric.as_deref(), rho, &cpu)? {
        let product = root.apply(column(&directions(rho, seed)[0]))?;
        let size = largest(product.col_as_slice(0));
        let error = if size.is_finite() { 0.0 } else { f64::NAN };
        report.push(Check::new(FINITE, error, 0.0));
    }
    Ok(report)
}

/// Returns the metric that a descent would use: that of the preparation, or the one that the loss names.
pub(super) fn root_of<'a>(
    misfit: &'a dyn Misfit,
    metric: Option<&'a dyn Metric>,
    rho: &'a [f64],
    cpu: &'a Cpu,
) -> Result<Option<Box<dyn Root + 'a>>> {
    match (misfit.root(cpu)?, metric) {
        (Some(root), _) => shaped(root, "the loss's own", rho.len()).map(Some),
        (None, Some(metric)) => prepare(metric, rho, cpu).map(Some),
        (None, None) => Ok(None),
    }
}

/// Returns the loss f(ρ) and its gradient ∂f/∂ρ. Fails unless both are finite.
pub(super) fn evaluated(loss: &dyn Loss, rho: &[f64]) -> Result<(f64, Vec<f64>)> {
    check::finite("the state ρ", rho)?;
    loss.check(rho)?;
    // `at` returns the reason for a failure, whereas `value` would only return NaN.
    let misfit = loss.at(rho, Cpu::shared())?;
    let value = misfit.value();
    check::option(
        "the loss",
        value,
        value.is_finite(),
        "choose a state at which it is finite",
    )?;
    let covector = misfit.covector(Cpu::shared())?;
    check::length("the gradient of the loss", covector.len(), rho.len())?;
    check::finite("the gradient of the loss", &covector)?;
    // Entries that the loss does not write stay NaN.
    check::finite("the gradient of the loss", &gradient(loss, rho))?;
    Ok((value, covector))
}

/// Returns the gradient ∂f/∂ρ by [`Loss::gradient`], with NaN in entries that the loss does not write.
fn gradient(loss: &dyn Loss, rho: &[f64]) -> Vec<f64> {
    let mut out = vec![f64::NAN; rho.len()];
    loss.gradient(rho, &mut out);
    out
}

/// Returns f(ρ) as a descent computes it, or None if the loss cannot be prepared at ρ.
pub(super) fn value(loss: &dyn Loss, rho: &[f64]) -> Option<f64> {
    let misfit = loss.at(rho, Cpu::shared()).ok()?;
    Some(misfit.value())
}

/// Returns ∂f/∂ρ as a descent computes it, or None if the loss cannot be prepared at ρ.
pub(super) fn covector(loss: &dyn Loss, rho: &[f64]) -> Option<Vec<f64>> {
    let misfit = loss.at(rho, Cpu::shared()).ok()?;
    misfit.covector(Cpu::shared()).ok()
}

/// Compares the value and covector of the prepared loss with `Loss::value` and `Loss::gradient`.
fn agreement(
    loss: &dyn Loss,
    rho: &[f64],
    (prepared, covector): (f64, &[f64]),
    v: &[f64],
) -> Check {
    // Where the loss matches the data, value and gradient are rounding errors. Those one percent away give the scale.
    let near = moved(rho, 1e-2, v);
    let (height, slope) = (value(loss, &near), self::covector(loss, &near));
    let height = height.map_or(0.0, f64::abs).max(prepared.abs());
    let slope = slope.map_or(0.0, |u| largest(&u)).max(largest(covector));
    let gradient = gradient(loss, rho);
    let gaps: Vec<f64> = gradient.iter().zip(covector).map(|(a, b)| a - b).collect();
    let values = ratio((loss.value(rho) - prepared).abs(), height);
    let covectors = ratio(largest(&gaps), slope);
    let mut check = Check::new(AGREEMENT, worst(values, covectors), SOLVED);
    if !check.passed() {
        check.note = Some(format!(
            "relative errors: value {values:.1e}, gradient {covectors:.1e}; implement `value` and `gradient` by \
             `loss::value_of` and `loss::gradient_of`"
        ));
    }
    check
}

/// Returns the random directions ξ|ρ| of a seed.
pub(super) fn directions(rho: &[f64], seed: u64) -> Vec<Vec<f64>> {
    let weights = relative(rho);
    let streams = 0..DIRECTIONS as u64;
    streams.map(|j| direction(&weights, seed, j)).collect()
}

/// Sets the entries of a direction to zero where ρ is zero.
fn hold_zeros(v: &mut [f64], rho: &[f64]) {
    let zeros = v.iter_mut().zip(rho).filter(|(_, r)| **r == 0.0);
    zeros.for_each(|(v, _)| *v = 0.0);
}

/// Scans all directions at once, one row each.
fn scan(
    loss: &dyn Loss,
    rho: &[f64],
    (value, covector): (f64, &[f64]),
    directions: &[Vec<f64>],
) -> Scan {
    // The derivative of h ↦ f(ρ + hv) at h = 0 is ⟨∂f/∂ρ, v⟩.
    let along = |h: f64| directions.iter().map(move |v| moved(rho, h, v));
    let samples = samples(|h| along(h).map(|rho| self::value(loss, &rho)).collect());
    let slopes: Vec<f64> = directions.iter().map(|v| dot(covector, v)).collect();
    let floor = scalar_floor(&vec![value; directions.len()], &samples);
    Scan::new(&slopes, &floor, &samples)
}
