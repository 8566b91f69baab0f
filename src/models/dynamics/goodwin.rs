//! A gene that is repressed by its own product.

use super::start::Start;
use crate::automatic::Scalar;
use crate::error::Result;
use crate::evolution::Dynamics;

/// Messenger x, enzyme y and repressor z of a gene, ẋ = a₁/(1 + (z/K)ⁿ) − d₁x, ẏ = a₂x − d₂y, ż = a₃y − d₃z (Goodwin 1965),
/// with θ = (a₁, a₂, a₃, d₁, d₂, d₃, K, n).
///
/// | parameter | meaning | unit |
/// |---|---|---|
/// | a₁ | rate of synthesis of the messenger without repression | concentration/time |
/// | a₂, a₃ | rates of synthesis of enzyme and repressor | 1/time |
/// | d₁, d₂, d₃ | rates of decay | 1/time |
/// | K | concentration of the repressor that halves the synthesis | concentration |
/// | n | Hill exponent | 1 |
///
/// For equal rates of decay the steady state is unstable only if n > 8 (Griffith 1968). Only then do
/// oscillations last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goodwin {
    start: Start<3>,
}

impl Goodwin {
    /// Creates the equations with the initial concentrations of messenger, enzyme and repressor.
    ///
    /// # Errors
    /// Fails if a concentration is not positive and finite. (The logarithm of the repressor enters the derivative with respect
    /// to n.)
    pub fn new(start: [f64; 3]) -> Result<Self> {
        let start = Start::positive("the initial concentrations", start)?;
        Ok(Self { start })
    }

    /// Creates the equations with θ = (a₁, a₂, a₃, d₁, d₂, d₃, K, n, x₀, y₀, z₀), where the last three are the initial
    /// concentrations.
    pub fn unknown_start() -> Self {
        let start = Start::Unknown;
        Self { start }
    }
}

impl Dynamics for Goodwin {
    fn dims(&self) -> (usize, usize) {
        (3, 8 + self.start.params())
    }

    #[inline(always)]
    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let (synthesis, decay) = (&theta[..3], &theta[3..6]);
        let repression = (x[2] / theta[6]).pow(theta[7]) + 1.0;
        out[0] = synthesis[0] / repression - decay[0] * x[0];
        out[1] = synthesis[1] * x[0] - decay[1] * x[1];
        out[2] = synthesis[2] * x[1] - decay[2] * x[2];
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out.copy_from_slice(&self.start.at(theta));
    }
}
