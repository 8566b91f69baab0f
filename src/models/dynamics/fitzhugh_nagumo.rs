//! Spikes of a nerve cell.

use super::start::Start;
use crate::automatic::Scalar;
use crate::error::Result;
use crate::evolution::Dynamics;

/// Voltage V of a nerve cell and recovery R, V̇ = c(V − V³/3 + R), Ṙ = −(V − a + bR)/c, with θ = (a, b, c).
///
/// All quantities are dimensionless, as are the times. The equations are those of FitzHugh (1961) and of Nagumo, Arimoto and
/// Yoshizawa (1962), in the form in which Ramsay, Hooker, Campbell and Cao (2007) estimate their parameters. The larger c, the
/// sharper the spikes and the stiffer the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitzHughNagumo {
    start: Start<2>,
}

impl FitzHughNagumo {
    /// Classic parameters (0.2, 0.2, 3).
    pub const CLASSIC: [f64; 3] = [0.2, 0.2, 3.0];

    /// Classic initial value (−1, 1).
    pub const START: [f64; 2] = [-1.0, 1.0];

    /// Creates the equations with the initial voltage and recovery.
    ///
    /// # Errors
    /// Fails if a number is not finite.
    pub fn new(start: [f64; 2]) -> Result<Self> {
        let start = Start::finite("the initial voltage and recovery", start)?;
        Ok(Self { start })
    }

    /// Creates the equations with θ = (a, b, c, V₀, R₀), where V₀ and R₀ are the initial values.
    pub fn unknown_start() -> Self {
        let start = Start::Unknown;
        Self { start }
    }
}

impl Dynamics for FitzHughNagumo {
    fn dims(&self) -> (usize, usize) {
        (2, 3 + self.start.params())
    }

    #[inline(always)]
    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let ([v, r], [a, b, c]) = ([x[0], x[1]], [theta[0], theta[1], theta[2]]);
        out[0] = c * (v - v * v * v / 3.0 + r);
        out[1] = -(v - a + b * r) / c;
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out.copy_from_slice(&self.start.at(theta));
    }
}
