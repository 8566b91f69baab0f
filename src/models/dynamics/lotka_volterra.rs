//! Prey and predators.

use super::start::Start;
use crate::automatic::Scalar;
use crate::error::Result;
use crate::evolution::Dynamics;

/// Numbers of prey x and predators y, ẋ = αx − βxy, ẏ = γxy − δy, with θ = (α, β, γ, δ) (Lotka 1925, Volterra 1926).
///
/// | parameter | meaning | unit |
/// |---|---|---|
/// | α | growth rate of the prey | 1/time |
/// | β | death rate of the prey for each predator | 1/(time · predators) |
/// | γ | growth rate of the predators for each prey | 1/(time · prey) |
/// | δ | death rate of the predators | 1/time |
///
/// The numbers oscillate: γx − δ ln x + βy − α ln y is constant. Parameters that are far from those of the data give other
/// periods, and a fit over many periods then ends in a wrong optimum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LotkaVolterra {
    start: Start<2>,
}

impl LotkaVolterra {
    /// Creates the equations with the initial numbers of prey and predators.
    ///
    /// # Errors
    /// Fails if a number is not positive and finite.
    pub fn new(start: [f64; 2]) -> Result<Self> {
        let start = Start::positive("the initial numbers of prey and predators", start)?;
        Ok(Self { start })
    }

    /// Creates the equations with θ = (α, β, γ, δ, x₀, y₀), where x₀ and y₀ are the initial numbers.
    pub fn unknown_start() -> Self {
        let start = Start::Unknown;
        Self { start }
    }
}

impl Dynamics for LotkaVolterra {
    fn dims(&self) -> (usize, usize) {
        (2, 4 + self.start.params())
    }

    #[inline(always)]
    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let meetings = x[0] * x[1];
        out[0] = theta[0] * x[0] - theta[1] * meetings;
        out[1] = theta[2] * meetings - theta[3] * x[1];
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out.copy_from_slice(&self.start.at(theta));
    }
}
