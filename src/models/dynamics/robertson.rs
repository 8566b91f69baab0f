//! Three reactions with rates of very different sizes.

use super::start::Start;
use crate::automatic::Scalar;
use crate::error::Result;
use crate::evolution::Dynamics;

/// Reactions A → B, B + C → A + C and 2B → B + C with the rates k₁a, k₂bc and k₃b², where θ = (k₁, k₂, k₃) (Robertson 1966).
///
/// Concentrations (a, b, c) are dimensionless, and the constants have the unit 1/s. The sum a + b + c is constant. The rate is
/// stiff and needs [`Method::Implicit`](crate::evolution::Method::Implicit), with an absolute accuracy for b far below that of
/// a and c: b is of the order 10⁻⁵.
///
/// ```
/// use pullback::evolution::{Evolution, Method};
/// use pullback::models::dynamics::Robertson;
/// let seconds = vec![0.4, 4e3, 4e7];
/// let model = Evolution::new(Robertson::new(Robertson::START)?, seconds)?
///     .method(Method::Implicit)
///     .accuracy(1e-6, &[1e-8, 1e-12, 1e-8])?;
/// let x = model.predict(&Robertson::CLASSIC)?;
/// assert!((x[0] - 0.98517).abs() < 1e-5);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Robertson {
    start: Start<3>,
}

impl Robertson {
    /// Classic parameters (0.04, 10⁴, 3·10⁷).
    pub const CLASSIC: [f64; 3] = [0.04, 1e4, 3e7];

    /// Classic initial value (1, 0, 0).
    pub const START: [f64; 3] = [1.0, 0.0, 0.0];

    /// Creates the reactions with these initial concentrations.
    ///
    /// # Errors
    /// Fails if a concentration is negative or not finite.
    pub fn new(start: [f64; 3]) -> Result<Self> {
        let start = Start::amounts("the initial concentrations", start)?;
        Ok(Self { start })
    }

    /// Creates the reactions with θ = (k₁, k₂, k₃, a₀, b₀, c₀), where a₀, b₀ and c₀ are the initial concentrations.
    pub fn unknown_start() -> Self {
        let start = Start::Unknown;
        Self { start }
    }
}

impl Dynamics for Robertson {
    fn dims(&self) -> (usize, usize) {
        (3, 3 + self.start.params())
    }

    #[inline(always)]
    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let decay = theta[0] * x[0];
        let back = theta[1] * x[1] * x[2];
        let onward = theta[2] * x[1] * x[1];
        out[0] = back - decay;
        out[1] = decay - back - onward;
        out[2] = onward;
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out.copy_from_slice(&self.start.at(theta));
    }
}
