//! A pendulum in Cartesian coordinates.

use super::start::Start;
use crate::automatic::Scalar;
use crate::error::Result;
use crate::evolution::Dynamics;

/// Index of the force of the rod.
const FORCE: usize = 4;

/// Pendulum in Cartesian coordinates: a point on a rod, with an algebraic equation for the force of the rod.
///
/// The state holds the position (x, y) from the pivot with y upwards, the velocity (u, v), and the force F of the rod per mass,
/// positive if it pulls. In metres and seconds F has the unit N/kg. The parameters are the gravity g and the length ℓ of the
/// rod: θ = (g, ℓ).
///
/// The rod pulls towards the pivot: ẋ = u, ẏ = v, u̇ = −F x/ℓ and v̇ = −F y/ℓ − g. It keeps x² + y² = ℓ². Differentiated once,
/// this constraint says xu + yv = 0. Differentiated twice,
///
/// 0 = u² + v² + x u̇ + y v̇ = u² + v² − F (x² + y²)/ℓ − g y,
///
/// which determines F and is the fifth equation (index 1). The length and the energy are then kept to the accuracy of the steps,
/// and their errors grow with time. An absolute accuracy for F below 10⁻¹² g is less than its rounding where F is 0.
/// [`Method::Implicit`](crate::evolution::Method::Implicit) solves algebraic equations, and also finds F at the start.
///
/// ```
/// use pullback::evolution::{Evolution, Method};
/// use pullback::models::dynamics::Pendulum;
/// // Half a period of a small swing takes π √(ℓ/g).
/// let (g, length) = (9.81_f64, 2.0);
/// let half = std::f64::consts::PI * (length / g).sqrt();
/// let model = Evolution::new(Pendulum::new(0.01, 0.0)?, vec![0.0, half])?.method(Method::Implicit);
/// let x = model.predict(&[g, length])?;
/// assert!((x[5] + x[0]).abs() < 1e-6, "the other side");
/// assert!((x[4] - g * 0.01_f64.cos()).abs() < 1e-9, "the force at the start");
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pendulum {
    start: Start<2>,
}

impl Pendulum {
    /// Creates a pendulum from its initial angle to the downward vertical, in radians and towards positive x, and its angular
    /// velocity.
    ///
    /// # Errors
    /// Fails if a number is not finite.
    pub fn new(angle: f64, angular_velocity: f64) -> Result<Self> {
        let what = "the initial angle and angular velocity";
        let start = Start::finite(what, [angle, angular_velocity])?;
        Ok(Self { start })
    }

    /// Creates a pendulum with θ = (g, ℓ, φ₀, ω₀), where φ₀ and ω₀ are the initial angle and angular velocity.
    pub fn unknown_start() -> Self {
        let start = Start::Unknown;
        Self { start }
    }
}

impl Dynamics for Pendulum {
    fn dims(&self) -> (usize, usize) {
        (5, 2 + self.start.params())
    }

    #[inline(always)]
    fn rate<S: Scalar>(&self, _: f64, state: &[S], theta: &[S], out: &mut [S]) {
        let ([x, y, u, v], [gravity, length]) = (
            [state[0], state[1], state[2], state[3]],
            [theta[0], theta[1]],
        );
        let pull = state[FORCE] / length;
        out[0] = u;
        out[1] = v;
        out[2] = -pull * x;
        out[3] = -pull * y - gravity;
        out[FORCE] = u * u + v * v - pull * (x * x + y * y) - gravity * y;
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        let [angle, angular_velocity] = self.start.at(theta);
        let length = theta[1];
        let (x, y) = (length * angle.sin(), -length * angle.cos());
        out[0] = x;
        out[1] = y;
        // The point (ℓ sin φ, −ℓ cos φ) moves with (ℓφ̇ cos φ, ℓφ̇ sin φ).
        out[2] = -angular_velocity * y;
        out[3] = angular_velocity * x;
        // A guess: the force of a pendulum that hangs at rest.
        out[FORCE] = theta[0];
    }

    fn is_algebraic(&self, i: usize) -> bool {
        i == FORCE
    }
}
