//! Entropic potentials by Sinkhorn's iteration.
//!
//! For probability measures a and b, the entropic cost with c = |x − y|² is
//!
//! ```text
//! OT_ε(a, b) = max ⟨a, f⟩ + ⟨b, g⟩ − ε ⟨a⊗b, e^{(f + g − c)/ε} − 1⟩.
//! ```
//!
//! At the maximum f = −ε ln Σ_y b e^{(g − c)/ε} and g likewise, and the last term vanishes. Sinkhorn's iteration computes one
//! from the other. It is a fixed-point iteration for f, whose derivative at the solution is symmetric in L²(a), with
//! eigenvalues in [0, 1). Potentials are kept in units of ε: φ = f/ε and ψ = g/ε.

use super::kernel::{Kernel, LogSums};
use super::measure::Measure;
use super::mixing::{Limits, Stopped, fixed_point};

/// Error in the marginal of a plan at which the potential of a measure with itself has converged.
//
// The iteration of a measure with itself reduces errors by at least ⅓ a step, so that accuracy is cheap. Potentials of equal
// measures then agree to rounding, and the loss vanishes at the match.
pub(super) const SELF_TOLERANCE: f64 = 1e-13;

/// Potential of a measure with itself.
pub(super) struct SelfPotential {
    /// Kernel from the measure to itself.
    kernel: Kernel,
    /// Potential φ, accurate in the cells that are not empty.
    pub(super) potential: Vec<f64>,
    /// Half of the entropic cost, ½ OT_ε(a, a)/ε = ⟨a, φ⟩.
    pub(super) half_cost: f64,
}

impl SelfPotential {
    /// Solves φ = −ln Σ_y a e^{φ − c/ε}.
    pub(super) fn new(a: &Measure, epsilon: f64, iterations: usize) -> Result<Self, Stopped> {
        let kernel = Kernel::new(&a.axes, &a.axes, epsilon);
        // The derivative of φ ↦ −ln Σ a e^{φ − c/ε} is −P with the conditional expectations P of the plan, whose eigenvalues
        // are in [0, 1] for a Gaussian kernel. φ ← φ + ⅔ (−ln Σ … − φ) has the derivative 1 − ⅔(1 + P), between ⅓ and −⅓.
        const STEP: f64 = 2.0 / 3.0;
        let limits = Limits {
            tolerance: SELF_TOLERANCE,
            iterations,
        };
        let mut sums = LogSums::new(a.masses.len());
        let mut potential = vec![0.0; a.masses.len()];
        let mut l = potential.clone();
        let mut half_cost = 0.0;
        fixed_point(&a.masses, &mut potential, limits, |phi, r| {
            weigh(&mut l, &a.logs, phi);
            sums.apply(&kernel, &mut l, Some(&a.logs));
            let error = deviation(&a.masses, phi, (&l, 1.0), r);
            // The values φ and −ln Σ … of a dual pair have the value ⟨a, φ⟩ + ⟨a, −ln Σ …⟩, with a quadratic error.
            half_cost = a.integral(|i| phi[i] + 0.5 * r[i]);
            r.iter_mut().for_each(|r| *r *= STEP);
            error
        })?;
        Ok(Self {
            kernel,
            potential,
            half_cost,
        })
    }

    /// Returns φ at all cells, empty ones included.
    pub(super) fn everywhere(&self, a: &Measure) -> Vec<f64> {
        extended(&self.kernel, a, &self.potential)
    }
}

/// Potentials of two measures.
pub(super) struct Potentials {
    /// Kernel from b to a.
    back: Kernel,
    /// Potential ψ on b, accurate in the cells that are not empty.
    psi: Vec<f64>,
    /// Entropic cost OT_ε(a, b)/ε.
    pub(super) cost: f64,
    /// Sum of the sizes of the terms of the cost.
    pub(super) size: f64,
}

impl Potentials {
    /// Solves for the potentials, from a start for φ.
    pub(super) fn new(
        [a, b]: [&Measure; 2],
        mut phi: Vec<f64>,
        epsilon: f64,
        limits: Limits,
    ) -> Result<Self, Stopped> {
        let there = Kernel::new(&a.axes, &b.axes, epsilon);
        let back = Kernel::new(&b.axes, &a.axes, epsilon);
        let cells = phi.len();
        let (mut sums_there, mut sums_back) = (LogSums::new(cells), LogSums::new(cells));
        let (mut psi, mut l) = (vec![0.0; cells], vec![0.0; cells]);
        fixed_point(&a.masses, &mut phi, limits, |phi, r| {
            weigh(&mut psi, &a.logs, phi);
            sums_there.apply(&there, &mut psi, Some(&b.logs));
            psi.iter_mut().for_each(|s| *s = -*s);
            weigh(&mut l, &b.logs, &psi);
            sums_back.apply(&back, &mut l, Some(&a.logs));
            deviation(&a.masses, phi, (&l, 1.0), r)
        })?;
        // ψ is computed from φ, so that the plan has the marginal b and the mass 1 exactly: the last term of the dual vanishes,
        // and its value has an error quadratic in that of φ.
        let terms = [a.integral(|i| phi[i]), b.integral(|i| psi[i])];
        let sizes = [a.integral(|i| phi[i].abs()), b.integral(|i| psi[i].abs())];
        Ok(Self {
            back,
            psi,
            cost: terms[0] + terms[1],
            size: sizes[0] + sizes[1],
        })
    }

    /// Returns φ at all cells, empty ones included.
    pub(super) fn everywhere(&self, b: &Measure) -> Vec<f64> {
        extended(&self.back, b, &self.psi)
    }
}

/// Computes l ← ln a + φ, and −∞ in empty cells.
pub(super) fn weigh(l: &mut [f64], logs: &[f64], phi: &[f64]) {
    for ((l, log), phi) in l.iter_mut().zip(logs).zip(phi) {
        // In empty cells φ may be infinite.
        *l = if *log == f64::NEG_INFINITY {
            *log
        } else {
            log + phi
        };
    }
}

/// Computes r ← −τ s − φ, zero in empty cells, and returns the error Σ a |e^{−r} − 1| of the marginal of the plan.
///
/// The factor τ shortens potentials where marginals may differ; it is 1 for equal masses.
pub(super) fn deviation(
    masses: &[f64],
    phi: &[f64],
    (s, damping): (&[f64], f64),
    r: &mut [f64],
) -> f64 {
    let mut error = 0.0;
    for (((r, mass), phi), s) in r.iter_mut().zip(masses).zip(phi).zip(s) {
        *r = if *mass > 0.0 { -damping * s - phi } else { 0.0 };
        error += mass * (-*r).exp_m1().abs();
    }
    error
}

/// Returns −ln Σ_y m e^{ψ − c/ε} at all cells.
fn extended(kernel: &Kernel, measure: &Measure, psi: &[f64]) -> Vec<f64> {
    let mut l = vec![0.0; psi.len()];
    weigh(&mut l, &measure.logs, psi);
    LogSums::new(psi.len()).apply(kernel, &mut l, None);
    l.iter_mut().for_each(|s| *s = -*s);
    l
}
