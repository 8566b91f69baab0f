//! Box bounds of the parameters.

use crate::check;
use crate::error::{Error, Result};

/// Box lower ≤ θ ≤ upper. An infinite end imposes no bound. A parameter with equal ends is fixed.
///
/// ```
/// use pullback::Bounds;
/// assert!(Bounds::new(vec![0.0], vec![f64::INFINITY]).is_ok());
/// assert!(Bounds::new(vec![1.0], vec![0.0]).is_err());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl Bounds {
    /// Creates the box between two corners.
    ///
    /// # Errors
    /// Fails if the corners differ in length, if an end is NaN, or if a lower end is above its upper end.
    pub fn new(lower: Vec<f64>, upper: Vec<f64>) -> Result<Self> {
        check::length("the upper bounds", upper.len(), lower.len())?;
        for (index, (&lower, &upper)) in lower.iter().zip(&upper).enumerate() {
            if lower.is_nan() || upper.is_nan() || lower > upper {
                return Err(Error::Bounds {
                    what: "the bounds",
                    index,
                    lower,
                    upper,
                });
            }
        }
        Ok(Self { lower, upper })
    }

    /// Returns the lower ends.
    pub fn lower(&self) -> &[f64] {
        &self.lower
    }

    /// Returns the upper ends.
    pub fn upper(&self) -> &[f64] {
        &self.upper
    }

    /// Moves θ to the nearest point of the box.
    pub fn clamp(&self, theta: &mut [f64]) {
        for (t, (l, u)) in theta.iter_mut().zip(self.lower.iter().zip(&self.upper)) {
            *t = t.clamp(*l, *u);
        }
    }

    /// Checks that a point has the right length and lies in the box. `what` names the point.
    pub(crate) fn check(&self, what: &'static str, theta: &[f64]) -> Result<()> {
        check::length("the bounds", self.lower.len(), theta.len())?;
        for (index, &value) in theta.iter().enumerate() {
            let (lower, upper) = (self.lower[index], self.upper[index]);
            if value < lower || value > upper {
                return Err(Error::OutOfRange {
                    what,
                    index,
                    value,
                    lower,
                    upper,
                });
            }
        }
        Ok(())
    }

    /// Returns whether parameter `i` is fixed, or is at a bound with a `step` that points out of the box.
    pub(crate) fn blocks(&self, i: usize, theta: f64, step: f64) -> bool {
        // Active set of a projected gradient method: at a bound, only steps into the box are admissible.
        // Blocked parameters are removed from the linear system before it is solved. It would be wrong to
        // solve the full system and then to zero their entries of the step: G⁻¹ couples the parameters, so
        // that the truncated step need not be a descent direction (Bertsekas, SIAM J. Control Optim. 20,
        // 1982).
        (theta <= self.lower[i] && step < 0.0)
            || (theta >= self.upper[i] && step > 0.0)
            || self.lower[i] == self.upper[i]
    }
}
