//! The Chen equations.

use super::{Flow, linear, name};

/// The Chen equations x′ = a(y − x), y′ = (c − a)x − xz + cy, z′ = xy − bz with θ = (a, b, c).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chen;

impl Chen {
    /// Classic parameters (35, 3, 28).
    pub const CLASSIC: [f64; 3] = [35.0, 3.0, 28.0];
    /// Box around the attractor at the classic parameters.
    pub const BOX: [(f64, f64); 3] = [(-35.0, 35.0), (-40.0, 40.0), (0.0, 60.0)];
    /// Initial point near the attractor.
    pub const START: [f64; 3] = [1.0, 1.0, 20.0];
}

impl Flow for Chen {
    fn param_dim(&self) -> usize {
        3
    }

    fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3] {
        let ([x, y, z], [a, b, c]) = (*x, [theta[0], theta[1], theta[2]]);
        [a * (y - x), (c - a) * x - x * z + c * y, x * y - b * z]
    }

    // The field is linear in θ, so that its derivatives do not depend on θ.
    fn param_derivative(&self, x: &[f64; 3], _: &[f64], out: &mut [[f64; 3]]) {
        let [x, y, z] = *x;
        out[0] = [y - x, -x, 0.0];
        out[1] = [0.0, 0.0, -z];
        out[2] = [0.0, x + y, 0.0];
    }

    fn second_derivative(&self, _: &[f64; 3], _: &[f64], _: &[f64], out: &mut [[f64; 3]]) -> bool {
        linear(out)
    }

    // Under (x, y) → (−x, −y) the products xz and xy give x′ → −x′, y′ → −y′ and z′ → z′.
    fn symmetry(&self) -> Option<[f64; 3]> {
        Some([-1.0, -1.0, 1.0])
    }

    fn param_name(&self, j: usize) -> String {
        name(&["a", "b", "c"], j)
    }
}
