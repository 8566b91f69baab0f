//! Runge-Kutta methods whose implicit stages have their own slope alone.

mod coefficients;
#[cfg(test)]
mod conditions;
mod tableau;

pub(super) use self::tableau::Tableau;

use crate::check;
use crate::error::Result;

/// Method of the time steps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Method {
    /// Explicit method of order 5 with an estimate of order 4 (Dormand and Prince 1980), for rates that are not stiff.
    #[default]
    Explicit,
    /// Diagonally implicit method of order 4 with an estimate of order 3, ARK4(3)6L\[2\]SA (Kennedy and Carpenter 2003), for stiff
    /// rates.
    Implicit,
    /// Diagonally implicit method of order 5 with an estimate of order 4, ARK5(4)8L\[2\]SA₂ (Kennedy and Carpenter 2019), for
    /// stiff rates at high accuracy: it takes fewer steps than [`Implicit`](Self::Implicit), of seven implicit stages instead of
    /// five.
    ImplicitFifth,
    /// The θ-method x₊ = x + h ((1 − θ) f(x) + θ f(x₊)) with this θ between ½ and 1.
    ///
    /// θ = 1 is the implicit Euler method, of order 1. θ = ½ is the trapezoidal rule, of order 2, which does not damp the stiffest
    /// components.
    Theta(f64),
}

impl Method {
    pub(super) fn tableau(self) -> Tableau {
        match self {
            Self::Explicit => coefficients::dormand_prince(),
            Self::Implicit => coefficients::kennedy_carpenter(),
            Self::ImplicitFifth => coefficients::kennedy_carpenter_fifth(),
            Self::Theta(theta) => Tableau::theta(theta),
        }
    }

    /// Checks the number of the θ-method.
    pub(super) fn check(self) -> Result<()> {
        let Self::Theta(theta) = self else {
            return Ok(());
        };
        // Below ½ the method is unstable for stiff rates, and above 1 it extrapolates.
        let sound = (0.5..=1.0).contains(&theta);
        let remedy = "give a number between 0.5 (trapezoidal rule) and 1 (implicit Euler)";
        check::option("the number of the θ-method", theta, sound, remedy)
    }
}
