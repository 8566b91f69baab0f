//! The Van der Pol oscillator.

use super::{Flow, linear, name};

/// The Van der Pol oscillator in the plane, x′ = y, y′ = μ(1 − x²)y − x with θ = (μ).
///
/// The invariant measure is concentrated on a limit cycle. The equation is stiff for large μ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VanDerPol;

impl VanDerPol {
    /// Classic parameter μ = 1.
    pub const CLASSIC: [f64; 1] = [1.0];
    /// Box around the limit cycle at μ = 1.
    pub const BOX: [(f64, f64); 2] = [(-3.0, 3.0), (-4.0, 4.0)];
    /// Initial point near the limit cycle.
    pub const START: [f64; 3] = [2.0, 0.0, 0.0];
}

impl Flow for VanDerPol {
    fn dim(&self) -> usize {
        2
    }

    fn param_dim(&self) -> usize {
        1
    }

    fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3] {
        let [x, y, _] = *x;
        // The damping −μ(1 − x²) is negative for |x| < 1 and positive beyond: orbits converge to one limit
        // cycle.
        [y, theta[0] * (1.0 - x * x) * y - x, 0.0]
    }

    fn param_derivative(&self, x: &[f64; 3], _: &[f64], out: &mut [[f64; 3]]) {
        out[0] = [0.0, (1.0 - x[0] * x[0]) * x[1], 0.0];
    }

    fn second_derivative(&self, _: &[f64; 3], _: &[f64], _: &[f64], out: &mut [[f64; 3]]) -> bool {
        linear(out)
    }

    // v is odd in x: each of its terms changes sign under x → −x.
    fn symmetry(&self) -> Option<[f64; 3]> {
        Some([-1.0, -1.0, 1.0])
    }

    fn param_name(&self, j: usize) -> String {
        name(&["μ"], j)
    }
}
