//! The Lorenz equations, and a variant that is nonlinear in its parameters.

use super::{Flow, linear, name};
use crate::automatic::Scalar;

const NAMES: [&str; 3] = ["σ", "ρ", "β"];

/// The Lorenz equations x′ = σ(y − x), y′ = x(ρ − z) − y, z′ = xy − βz with θ = (σ, ρ, β).
///
/// ```
/// use pullback::{models::flow::{Flow, Lorenz}};
/// assert_eq!(Lorenz.velocity(&[1.0, 2.0, 3.0], &Lorenz::CLASSIC), [10.0, 23.0, -6.0]);
/// assert_eq!(Lorenz.param_name(1), "ρ");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lorenz;

impl Lorenz {
    /// Classic parameters (10, 28, 8/3).
    pub const CLASSIC: [f64; 3] = [10.0, 28.0, 8.0 / 3.0];
    /// Box around the attractor at the classic parameters.
    pub const BOX: [(f64, f64); 3] = [(-25.0, 25.0), (-35.0, 35.0), (0.0, 60.0)];
    /// Initial point near the attractor.
    pub const START: [f64; 3] = [1.0, 1.0, 20.0];

    /// Velocity at x, for all scalars.
    #[inline(always)]
    pub(in crate::models) fn field<S: Scalar>(x: [S; 3], theta: [S; 3]) -> [S; 3] {
        let ([x, y, z], [sigma, rho, beta]) = (x, theta);
        // The divergence −(σ + 1 + β) is constant, and negative for positive parameters. Volumes shrink to
        // zero, so that the invariant measure is singular. Only its averages over cells form a density.
        [sigma * (y - x), x * (rho - z) - y, x * y - beta * z]
    }
}

impl Flow for Lorenz {
    fn param_dim(&self) -> usize {
        3
    }

    fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3] {
        Self::field(*x, [theta[0], theta[1], theta[2]])
    }

    // The field is linear in θ, so that its derivatives do not depend on θ.
    fn param_derivative(&self, x: &[f64; 3], _: &[f64], out: &mut [[f64; 3]]) {
        let [x, y, z] = *x;
        out[0] = [y - x, 0.0, 0.0];
        out[1] = [0.0, x, 0.0];
        out[2] = [0.0, 0.0, -z];
    }

    fn second_derivative(&self, _: &[f64; 3], _: &[f64], _: &[f64], out: &mut [[f64; 3]]) -> bool {
        linear(out)
    }

    // Under (x, y) → (−x, −y) the products xz and xy give x′ → −x′, y′ → −y′ and z′ → z′.
    fn symmetry(&self) -> Option<[f64; 3]> {
        Some([-1.0, -1.0, 1.0])
    }

    fn param_name(&self, j: usize) -> String {
        name(&NAMES, j)
    }
}

/// The Lorenz equations with saturated velocities, v = 50 arctan(v_Lorenz/50) entry by entry, with θ = (σ, ρ, β).
///
/// The field is nonlinear in θ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArctanLorenz;

/// Speed s of the saturation s·arctan(v/s); at v = s the arctangent is π/4.
const SATURATION: f64 = 50.0;

impl ArctanLorenz {
    /// Classic parameters (10, 28, 8/3) of the Lorenz equations.
    pub const CLASSIC: [f64; 3] = Lorenz::CLASSIC;
    /// Box around the attractor at the classic parameters.
    pub const BOX: [(f64, f64); 3] = [(-30.0, 30.0), (-35.0, 35.0), (0.0, 60.0)];
    /// Initial point near the attractor.
    pub const START: [f64; 3] = Lorenz::START;
}

impl Flow for ArctanLorenz {
    fn param_dim(&self) -> usize {
        3
    }

    fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3] {
        let v = Lorenz.velocity(x, theta);
        v.map(|v| SATURATION * (v / SATURATION).atan())
    }

    fn param_derivative(&self, x: &[f64; 3], theta: &[f64], out: &mut [[f64; 3]]) {
        let v = Lorenz.velocity(x, theta);
        Lorenz.param_derivative(x, theta, out);
        // Chain rule with d/dv (s·arctan(v/s)) = 1/(1 + (v/s)²).
        for column in out {
            for (entry, v) in column.iter_mut().zip(v) {
                *entry /= 1.0 + (v / SATURATION).powi(2);
            }
        }
    }

    fn second_derivative(
        &self,
        x: &[f64; 3],
        theta: &[f64],
        d: &[f64],
        out: &mut [[f64; 3]],
    ) -> bool {
        let v = Lorenz.velocity(x, theta);
        Lorenz.param_derivative(x, theta, out);
        // d²/dv² (s·arctan(v/s)) = −2v/s² (1 + (v/s)²)⁻², times the slopes of v along θⱼ and along d.
        for (axis, v) in v.into_iter().enumerate() {
            let along: f64 = out.iter().zip(d).map(|(slope, d)| slope[axis] * d).sum();
            let factor = 1.0 + (v / SATURATION).powi(2);
            let bend = -2.0 * v / (SATURATION * factor).powi(2);
            out.iter_mut().for_each(|slope| slope[axis] *= bend * along);
        }
        true
    }

    // The arctangent is odd, so that saturation keeps the signs of v.
    fn symmetry(&self) -> Option<[f64; 3]> {
        Lorenz.symmetry()
    }

    fn param_name(&self, j: usize) -> String {
        name(&NAMES, j)
    }
}
