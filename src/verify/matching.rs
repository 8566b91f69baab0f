//! Verification of the metric of a loss as its Hessian at a match with the data.

use super::loss::{directions, evaluated, root_of};
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

/// Verifies that the metric of a loss is its Hessian, M = ∇²f, at a ρ that matches the data.
///
/// M v is compared with differences of ∂f/∂ρ along admissible tangents v. For a metric with a projection Π,
/// MΠv is compared with differences of Πᵀ∂f/∂ρ along Πv. Metric and Hessian differ for most losses away from
/// the match. They also differ in cells that the metric treats as empty. Every row is therefore weighted by
/// the size of ρ.
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
/// Fails if the loss, its gradient or its metric is not defined at ρ. A loss without a metric gives a failed check.
pub fn matching(loss: &dyn Loss, target_rho: &[f64], seed: u64) -> Result<Verification> {
    let (_, covector) = evaluated(loss, target_rho)?;
    let subject = format!("metric of a loss at its match, {} states", target_rho.len());
    let mut report = Verification::new(subject);
    let (cpu, metric) = (Cpu::default(), loss.metric());
    let misfit = loss.at(target_rho, &cpu)?;
    let Some(root) = root_of(misfit.as_ref(), metric.as_deref(), target_rho, &cpu)? else {
        let mut check = Check::new(HESSIAN, f64::NAN, PLATEAU);
        check.note = Some("the loss has no metric".into());
        report.push(check);
        return Ok(report);
    };
    let at_match = AtMatch {
        loss,
        root: root.as_ref(),
        rho: target_rho,
    };
    let slope = at_match.slope(covector, &directions(target_rho, seed)[0]);
    report.push(Check::new(STATIONARY, slope, SOLVED));
    let mut scans = Vec::new();
    for v in directions(target_rho, seed) {
        scans.push(at_match.scan(&tangent(root.as_ref(), v))?);
    }
    report.push_after(&[STATIONARY], HESSIAN, || {
        Scan::worst(scans).check(HESSIAN, PLATEAU)
    });
    Ok(report)
}

/// Loss and its metric at the match with the data.
struct AtMatch<'a> {
    loss: &'a dyn Loss,
    root: &'a dyn Root,
    rho: &'a [f64],
}

impl AtMatch<'_> {
    /// Returns Πᵀ∂f/∂ρ at ρ + hv, or None if the loss cannot be prepared there.
    fn covector(&self, h: f64, v: &[f64]) -> Option<Vec<f64>> {
        let mut u = super::loss::covector(self.loss, &moved(self.rho, h, v))?;
        self.root.project(&mut u);
        Some(u)
    }

    /// Returns ‖Πᵀ∂f/∂ρ‖∞ at ρ relative to its value at ρ + hv with h = 10⁻².
    fn slope(&self, mut covector: Vec<f64>, v: &[f64]) -> f64 {
        // Around a match Πᵀ∂f/∂ρ(ρ + hv) = h Πᵀ∇²f v + O(h²). Its size at a distance of one percent is the
        // scale on which the covector at the match should vanish.
        self.root.project(&mut covector);
        let size = self.covector(1e-2, v).map_or(f64::NAN, |u| largest(&u));
        ratio(largest(&covector), size)
    }

    /// Compares M v with differences of Πᵀ∂f/∂ρ along v.
    fn scan(&self, v: &[f64]) -> Result<Scan> {
        let product = self.root.apply(column(v))?.col_as_slice(0).to_vec();
        let samples = samples(|h| self.covector(h, v));
        Ok(Scan::new(&product, &self.floor(&product), &samples))
    }

    /// Returns, for every row i, a lower bound on the scale of its error: a thousandth of the largest
    /// |ρⱼ||(Mv)ⱼ|, divided by |ρᵢ|.
    ///
    /// Covectors are paired with tangents of size |ρᵢ|. With this floor, an error counts by its pairing with
    /// such tangents, so that cells that are almost empty hardly count.
    fn floor(&self, product: &[f64]) -> Vec<f64> {
        // Row i has the scale max(|(Mv)ᵢ|, 10⁻³ P/|ρᵢ|) with P the largest pairing. Multiplied by |ρᵢ|, an error counts
        // relative to max(|ρᵢ||(Mv)ᵢ|, 10⁻³ P).
        let sizes = relative(self.rho);
        let pairings: Vec<f64> = product.iter().zip(&sizes).map(|(m, r)| m * r).collect();
        let largest = largest(&pairings);
        sizes.iter().map(|r| 1e-3 * largest / r).collect()
    }
}

/// Returns Πv from the available Πᵀ, by (Πv)ᵢ = ⟨Πv, eᵢ⟩ = ⟨v, Πᵀeᵢ⟩.
pub(super) fn tangent(root: &dyn Root, v: Vec<f64>) -> Vec<f64> {
    // If Πᵀ leaves the random v unchanged, Π is taken to be the identity.
    let mut image = v.clone();
    root.project(&mut image);
    if image == v {
        return v;
    }
    // k projections of vectors of length k are affordable in a check, and metrics need not implement another
    // method.
    let entry = |i: usize| {
        let mut e = vec![0.0; v.len()];
        e[i] = 1.0;
        root.project(&mut e);
        dot(&v, &e)
    };
    (0..v.len()).map(entry).collect()
}
