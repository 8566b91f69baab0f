//! Entropic potentials between Gaussians whose masses may differ, in closed form but for one number an axis.
//!
//! For Gaussians with axes along those of the grid, potentials are sums φ = Σ_d (A u_d² + B u_d) + C over the axes, with the distance
//! u from the mean (Janati et al. 2020). With x − y = u − v + Δ, the step φ ↦ ψ = −τ ln Σ_x a e^{φ − |x − y|²/ε} maps them by
//!
//! ```text
//! P = 1/(2s²) − A + 1/ε,   A' = τ (1 − 1/(εP))/ε,   B' = −τ ((B − 2Δ/ε)/(εP) + 2Δ/ε),
//! C' = −τ (ln m + C + Σ_d K),   K = −½ ln(2s²P) + (B − 2Δ/ε)²/(4P) − Δ²/ε.
//! ```

use super::masses::Parameters;
use super::measure::{Measure, sum_of_axes};

/// Measure with the moments of a Gaussian.
#[derive(Clone, Copy)]
pub(super) struct Weighed<'a> {
    pub(super) measure: &'a Measure,
    pub(super) mass: f64,
}

/// Returns the potential φ of the first of two Gaussians with the masses, means and deviations of these measures, at all cells.
pub(super) fn potential([a, b]: [Weighed<'_>; 2], parameters: Parameters) -> Vec<f64> {
    let axes = 0..a.measure.axes.len();
    let lines: Vec<Line> = axes.map(|d| Line::new([a, b], d, parameters)).collect();
    // C = −τ (K_b + C'), C' = −τ (K_a + C) with the sums K, and 1 − τ² = (1 − τ)(1 + τ).
    let total = |w: Weighed<'_>, k: usize| {
        w.mass.ln() + lines.iter().map(|line| line.constants[k]).sum::<f64>()
    };
    let damping = parameters.damping();
    let rest = parameters.epsilon / (parameters.lambda + parameters.epsilon);
    let (first, second) = (total(a, 0), total(b, 1));
    let constant = damping * (damping * first - second) / (rest * (1.0 + damping));
    let values: Vec<Vec<f64>> = (lines.iter().zip(&a.measure.axes))
        .map(|(line, u)| {
            u.iter()
                .map(|u| (line.square * u + line.slope) * u)
                .collect()
        })
        .collect();
    let sums = sum_of_axes(&values);
    sums.iter().map(|s| s + constant).collect()
}

/// Potential A u² + B u along one axis.
struct Line {
    square: f64,
    slope: f64,
    /// Constants K of the steps from a and from b.
    constants: [f64; 2],
}

impl Line {
    fn new([a, b]: [Weighed<'_>; 2], d: usize, parameters: Parameters) -> Self {
        let (epsilon, damping) = (parameters.epsilon, parameters.damping());
        // εP with the share κ = ε/(2s²) and α = εA. A cell alone counts as a narrow Gaussian.
        let share = |w: Weighed<'_>| {
            let variance = w.measure.deviations[d] * w.measure.deviations[d];
            epsilon / (2.0 * variance.max(NARROW * epsilon))
        };
        let shares = [a, b].map(share);
        let pivot = |k: usize, alpha: f64| 1.0 + shares[k] - alpha;
        let mut alpha = [0.0_f64; 2];
        for _ in 0..MOST_STEPS {
            // α < 1 keeps the pivots positive.
            let other = damping * (1.0 - pivot(0, alpha[0]).recip());
            let next = damping * (1.0 - pivot(1, other).recip());
            let change = (next - alpha[0]).abs();
            alpha = [next, other];
            if change <= f64::EPSILON {
                break;
            }
        }
        let [r, s] = [0, 1].map(|k| pivot(k, alpha[k]).recip());
        // Both equations of B and B' are linear, with t = 2Δ/ε:
        //
        //     B' = −τ r B − τ t (1 − r),   B = −τ s B' + τ t (1 − s).
        let shift = a.measure.mean[d] - b.measure.mean[d];
        let t = 2.0 * shift / epsilon;
        let forced = damping * s * (1.0 - r) + (1.0 - s);
        let slope = damping * t * forced / (1.0 - damping * damping * r * s);
        let back = -damping * (r * slope + t * (1.0 - r));
        let constant = |k: usize, r: f64, slope: f64, t: f64| {
            let width = -0.5 * (shares[k].recip() / r).ln();
            width + 0.25 * epsilon * r * (slope - t) * (slope - t) - 0.25 * epsilon * t * t
        };
        Self {
            square: alpha[0] / epsilon,
            slope,
            constants: [constant(0, r, slope, t), constant(1, s, back, -t)],
        }
    }
}

/// Least variance of a Gaussian, as a fraction of ε.
const NARROW: f64 = 1e-6;

/// Largest number of steps for A, each of which takes a few operations.
const MOST_STEPS: usize = 10_000;
