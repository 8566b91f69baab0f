//! The Lorenz equations from an initial value.

use super::start::Start;
use crate::automatic::Scalar;
use crate::error::Result;
use crate::evolution::Dynamics;
use crate::models::flow;

/// The Lorenz equations ẋ = σ(y − x), ẏ = x(ρ − z) − y, ż = xy − βz with θ = (σ, ρ, β), from an initial value (Lorenz 1963).
///
/// All quantities are dimensionless. At the classic parameters neighbouring solutions separate like e^(0.9 t): a fit over more
/// than a few units of time has many optima. [`flow::Lorenz`] has the same vector field for fits of trajectories and
/// of invariant measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lorenz {
    start: Start<3>,
}

impl Lorenz {
    /// Classic parameters (10, 28, 8/3).
    pub const CLASSIC: [f64; 3] = flow::Lorenz::CLASSIC;

    /// Initial point near the attractor.
    pub const START: [f64; 3] = flow::Lorenz::START;

    /// Creates the equations with an initial value.
    ///
    /// # Errors
    /// Fails if a number is not finite.
    pub fn new(start: [f64; 3]) -> Result<Self> {
        let start = Start::finite("the initial value", start)?;
        Ok(Self { start })
    }

    /// Creates the equations with θ = (σ, ρ, β, x₀, y₀, z₀), where the last three are the initial value.
    pub fn unknown_start() -> Self {
        let start = Start::Unknown;
        Self { start }
    }
}

impl Dynamics for Lorenz {
    fn dims(&self) -> (usize, usize) {
        (3, 3 + self.start.params())
    }

    #[inline(always)]
    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let parameters = [theta[0], theta[1], theta[2]];
        out.copy_from_slice(&flow::Lorenz::field([x[0], x[1], x[2]], parameters));
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out.copy_from_slice(&self.start.at(theta));
    }
}
