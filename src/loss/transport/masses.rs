//! Entropic potentials between measures whose masses may differ.

use super::kernel::{Kernel, LogSums};
use super::measure::shares;
use super::mixing::{Limits, Stopped, fixed_point};
use super::potentials::{SELF_TOLERANCE, deviation, weigh};

/// One of the two measures, with masses relative to the mass of the target.
pub(super) struct Side {
    pub(super) masses: Vec<f64>,
    pub(super) logs: Vec<f64>,
    pub(super) mass: f64,
}

impl Side {
    pub(super) fn new(density: &[f64], total: f64) -> Self {
        // Cells are empty by their share of this measure, which may be far lighter than the target.
        let own: f64 = density.iter().sum();
        let masses: Vec<f64> = shares(density, own)
            .iter()
            .map(|share| share * (own / total))
            .collect();
        Self {
            logs: masses.iter().map(|m| m.ln()).collect(),
            mass: masses.iter().sum(),
            masses,
        }
    }

    /// Returns λ/ε Σ a (1 − e^{−φε/λ}).
    fn penalty(&self, parameters: Parameters, phi: impl Fn(usize) -> f64) -> f64 {
        let ratio = parameters.epsilon / parameters.lambda;
        let cells = self.masses.iter().enumerate().filter(|(_, m)| **m > 0.0);
        let terms = cells.map(|(i, m)| -m * (-ratio * phi(i)).exp_m1());
        terms.sum::<f64>() / ratio
    }
}

/// Weights ε of the entropy and λ of the marginals.
#[derive(Clone, Copy)]
pub(super) struct Parameters {
    pub(super) epsilon: f64,
    pub(super) lambda: f64,
}

impl Parameters {
    /// Returns λ/(λ + ε), by which penalties of the marginals shorten the potentials.
    pub(super) fn damping(self) -> f64 {
        self.lambda / (self.lambda + self.epsilon)
    }
}

/// Potential ψ of the second of two measures, OT(a, b)/ε, and the sum of the sizes of its terms.
pub(super) struct Between {
    pub(super) psi: Vec<f64>,
    pub(super) cost: f64,
    pub(super) size: f64,
}

/// Step φ ↦ −τ ln Σ_y b e^{ψ − c/ε}, ψ = −τ ln Σ_x a e^{φ − c/ε}, between two measures on one grid.
struct Step<'a> {
    kernel: &'a Kernel,
    measures: [&'a Side; 2],
    damping: f64,
    sums: [LogSums; 2],
    psi: Vec<f64>,
    l: Vec<f64>,
}

impl Step<'_> {
    /// Computes r ← T(φ) − φ, and returns the error in the marginal of the plan.
    fn residual(&mut self, phi: &[f64], r: &mut [f64]) -> f64 {
        let [a, b] = self.measures;
        weigh(&mut self.psi, &a.logs, phi);
        self.sums[0].apply(self.kernel, &mut self.psi, Some(&b.logs));
        self.psi.iter_mut().for_each(|s| *s *= -self.damping);
        weigh(&mut self.l, &b.logs, &self.psi);
        self.sums[1].apply(self.kernel, &mut self.l, Some(&a.logs));
        deviation(&a.masses, phi, (&self.l, self.damping), r) / a.mass
    }
}

/// Solves for the potentials between two measures, from the start for φ with the lesser error, and from the other one if
/// that does not converge.
pub(super) fn between(
    kernel: &Kernel,
    [a, b]: [&Side; 2],
    parameters: Parameters,
    limits: Limits,
    mut starts: [Vec<f64>; 2],
) -> Result<Between, Stopped> {
    let cells = a.masses.len();
    let step = || Step {
        kernel,
        measures: [a, b],
        damping: parameters.damping(),
        sums: [LogSums::new(cells), LogSums::new(cells)],
        psi: vec![0.0; cells],
        l: vec![0.0; cells],
    };
    let error = |start: &[f64]| step().residual(start, &mut vec![0.0; cells]);
    let [first, second] = [error(&starts[0]), error(&starts[1])];
    // The first may be NaN.
    let keeps = first <= second;
    if !keeps {
        starts.swap(0, 1);
    }
    let solve = |mut phi: Vec<f64>| {
        let mut step = step();
        fixed_point(&a.masses, &mut phi, limits, |phi, r| step.residual(phi, r))?;
        let psi = step.psi;
        let terms = dual(a, b, parameters, [&|i| phi[i], &|i| psi[i]]);
        Ok(Between {
            cost: terms.iter().sum(),
            size: terms.iter().map(|t| t.abs()).sum(),
            psi,
        })
    };
    let [better, worse] = starts;
    solve(better).or_else(|_| solve(worse))
}

/// Returns the potential φ of a measure with itself, and half of its cost, ½ OT(a, a)/ε.
pub(super) fn own_potential(
    kernel: &Kernel,
    a: &Side,
    parameters: Parameters,
    iterations: usize,
) -> Result<(Vec<f64>, f64), Stopped> {
    // As for equal masses, with the eigenvalues −τP of the derivative, τ < 1.
    const STEP: f64 = 2.0 / 3.0;
    let limits = Limits {
        tolerance: SELF_TOLERANCE,
        iterations,
    };
    let mut sums = LogSums::new(a.masses.len());
    let (mut phi, mut l) = (vec![0.0; a.masses.len()], vec![0.0; a.masses.len()]);
    let mut cost = 0.0;
    fixed_point(&a.masses, &mut phi, limits, |phi, r| {
        weigh(&mut l, &a.logs, phi);
        sums.apply(kernel, &mut l, Some(&a.logs));
        let error = deviation(&a.masses, phi, (&l, parameters.damping()), r) / a.mass;
        let pair: [&dyn Fn(usize) -> f64; 2] = [&|i| phi[i], &|i| phi[i] + r[i]];
        cost = 0.5 * dual(a, a, parameters, pair).iter().sum::<f64>();
        r.iter_mut().for_each(|r| *r *= STEP);
        error
    })?;
    Ok((phi, cost))
}

/// Returns the terms of the dual of OT(a, b)/ε, given φ and the best ψ for it.
fn dual(
    a: &Side,
    b: &Side,
    parameters: Parameters,
    potentials: [&dyn Fn(usize) -> f64; 2],
) -> [f64; 3] {
    // With f = εφ and g = εψ the dual is
    //
    //     λ Σ a (1 − e^{−f/λ}) + λ Σ b (1 − e^{−g/λ}) − ε (Σ plan − m_a m_b).
    //
    // For the best ψ = −τ ln Σ_x a e^{φ − c/ε} the plan has the marginal b e^{ψ − ψ/τ} = b e^{−g/λ}, whose mass is
    // m_b − (ε/λ) (λ/ε) Σ b (1 − e^{−g/λ}).
    let [phi, psi] = potentials;
    let (first, second) = (a.penalty(parameters, phi), b.penalty(parameters, psi));
    let ratio = parameters.epsilon / parameters.lambda;
    [first, second, ratio * second - b.mass + a.mass * b.mass]
}
