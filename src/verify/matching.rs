//! Losses at their match: the metric that is to be the Hessian.

use super::loss::{directions, evaluated, gradient};
use super::probe::{column, dot, largest, moved, ratio, relative};
use super::report::{Check, Verification};
use super::scan::{Scan, samples};
use super::{PLATEAU, SOLVED};
use crate::error::Result;
use crate::linalg::Cpu;
use crate::loss::Loss;
use crate::metric::Root;

const STATIONARY: &str = "Πᵀ ∂f/∂ρ = 0 at the match";
const HESSIAN: &str = "M v = Πᵀ(∂f(ρ+hv) − ∂f(ρ−hv))/2h";

/// Verifies that the metric a loss names is its Hessian, M = ∇²f, at a ρ that matches the data.
///
/// M v is compared with differences of ∂f/∂ρ along admissible tangents v; a metric with a projection sees Πv
/// on one side and Πᵀ(∂f(ρ+hΠv) − ∂f(ρ−hΠv)) on the other. Away from the match the two differ for most losses,
/// and so they do in cells that the metric takes for empty: rows count by the size of ρ there.
///
/// ```
/// use pullback::{Grid, loss::Divergence, verify};
/// let grid = Grid::new(&[(0.0, 1.0, 4)])?;
/// let target = vec![0.5, 1.0, 1.5, 1.0];
/// let loss = Divergence::hellinger(&grid, target.clone())?;
/// assert!(verify::matching(&loss, &target, 1)?.passed());
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// # Errors
/// A ρ at which the loss, its gradient or its metric is not defined. A loss without a metric is a failed check.
pub fn matching(loss: &dyn Loss, target_rho: &[f64], seed: u64) -> Result<Verification> {
    let (_, covector) = evaluated(loss, target_rho)?;
    let subject = format!("metric of a loss at its match, {} states", target_rho.len());
    let mut report = Verification::new(subject);
    let Some(metric) = loss.metric() else {
        let mut check = Check::new(HESSIAN, f64::NAN, PLATEAU);
        check.note = Some("the loss names no metric".into());
        report.push(check);
        return Ok(report);
    };
    let cpu = Cpu::default();
    let root = metric.at(target_rho, &cpu)?;
    let curved = Curved {
        loss,
        root: root.as_ref(),
        rho: target_rho,
    };
    let slope = curved.slope(covector, &directions(target_rho, seed)[0]);
    report.push(Check::new(STATIONARY, slope, SOLVED));
    let mut scans = Vec::new();
    for v in directions(target_rho, seed) {
        scans.push(curved.scan(&tangent(root.as_ref(), v))?);
    }
    report.push_after(&[STATIONARY], HESSIAN, || {
        Scan::worst(scans).check(HESSIAN, PLATEAU)
    });
    Ok(report)
}

/// A loss and its metric at the match.
struct Curved<'a> {
    loss: &'a dyn Loss,
    root: &'a dyn Root,
    rho: &'a [f64],
}

impl Curved<'_> {
    /// Πᵀ∂f/∂ρ at ρ + hv.
    fn covector(&self, h: f64, v: &[f64]) -> Vec<f64> {
        let mut u = gradient(self.loss, &moved(self.rho, h, v));
        self.root.project(&mut u);
        u
    }

    /// ‖Πᵀ∂f/∂ρ‖∞, relative to what it is a step of 10⁻² away.
    fn slope(&self, mut covector: Vec<f64>, v: &[f64]) -> f64 {
        self.root.project(&mut covector);
        ratio(largest(&covector), largest(&self.covector(1e-2, v)))
    }

    fn scan(&self, v: &[f64]) -> Result<Scan> {
        let product = self.root.apply(column(v))?.col_as_slice(0).to_vec();
        let samples = samples(|h| Some(self.covector(h, v)));
        Ok(Scan::new(&product, &self.floor(&product), &samples))
    }

    /// A thousandth of the largest |ρᵢ||(Mv)ᵢ|, over |ρᵢ|: rows count by the tangents they pair with, and cells
    /// that are empty to the metric hardly do.
    fn floor(&self, product: &[f64]) -> Vec<f64> {
        let sizes = relative(self.rho);
        let paired: Vec<f64> = product.iter().zip(&sizes).map(|(m, r)| m * r).collect();
        let largest = largest(&paired);
        sizes.iter().map(|r| 1e-3 * largest / r).collect()
    }
}

/// Πv, from ⟨Πv, eᵢ⟩ = ⟨v, Πᵀeᵢ⟩; v itself where Π is the identity.
fn tangent(root: &dyn Root, v: Vec<f64>) -> Vec<f64> {
    let mut image = v.clone();
    root.project(&mut image);
    if image == v {
        return v;
    }
    let entry = |i: usize| {
        let mut e = vec![0.0; v.len()];
        e[i] = 1.0;
        root.project(&mut e);
        dot(&v, &e)
    };
    (0..v.len()).map(entry).collect()
}
