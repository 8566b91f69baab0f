//! The Rössler equations.

use super::{Flow, linear, name};

/// The Rössler equations x′ = −y − z, y′ = x + ay, z′ = b + z(x − c) with θ = (a, b, c).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rossler;

impl Rossler {
    /// Classic parameters (0.2, 0.2, 5.7).
    pub const CLASSIC: [f64; 3] = [0.2, 0.2, 5.7];
    /// Box around the attractor at the classic parameters.
    pub const BOX: [(f64, f64); 3] = [(-12.0, 15.0), (-14.0, 11.0), (-1.0, 28.0)];
    /// Initial point near the attractor.
    pub const START: [f64; 3] = [1.0, 1.0, 0.0];
}

impl Flow for Rossler {
    fn param_dim(&self) -> usize {
        3
    }

    fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3] {
        let ([x, y, z], [a, b, c]) = (*x, [theta[0], theta[1], theta[2]]);
        [-y - z, x + a * y, b + z * (x - c)]
    }

    // The field is linear in θ, so that its derivatives do not depend on θ.
    fn param_derivative(&self, x: &[f64; 3], _: &[f64], out: &mut [[f64; 3]]) {
        out[0] = [0.0, x[1], 0.0];
        out[1] = [0.0, 0.0, 1.0];
        out[2] = [0.0, 0.0, -x[2]];
    }

    fn second_derivative(&self, _: &[f64; 3], _: &[f64], _: &[f64], out: &mut [[f64; 3]]) -> bool {
        linear(out)
    }

    // No `symmetry`: the constant b forbids a sign change of z. The sum y + z in x′ then forbids one of y,
    // and therefore of x.
    fn param_name(&self, j: usize) -> String {
        name(&["a", "b", "c"], j)
    }
}
