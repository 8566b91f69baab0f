//! Transforms of parameters that are confined to a half-line or an interval.

use super::error::Error;
use crate::check;
use crate::error::Result;

/// Transform θ = T(ξ) of one parameter. The descent steps in ξ.
///
/// One step changes a parameter with [`Log`](Self::Log) by a factor of at most 100, and with [`Logit`](Self::Logit) its odds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Transform {
    /// Identity θ = ξ.
    #[default]
    Identity,
    /// Exponential θ = exp ξ, for positive parameters of unknown magnitude.
    Log,
    /// Logistic function θ = lower + (upper − lower)/(1 + exp(−ξ)), for parameters inside an interval of finite
    /// length.
    Logit {
        /// Lower end of the interval.
        lower: f64,
        /// Upper end of the interval.
        upper: f64,
    },
}

/// Largest change of log θ, or of the log-odds, in one step of a descent: two decades.
//
// Where a parameter hardly matters, its column of Z may be all rounding, and an undamped step then moves its logarithm by any
// number, such as 10²⁵. Damping does not help: it limits the effects of all parameters together. Without the limit such a
// parameter would jump to its bound, or out of the range of numbers, where nothing depends on it any more.
const LONGEST: f64 = 2.0 * std::f64::consts::LN_10;

impl Transform {
    /// Returns the change of ξ that a step of a descent makes instead of this one.
    pub(crate) fn limit(self, change: f64) -> f64 {
        match self {
            Self::Identity => change,
            Self::Log | Self::Logit { .. } => change.clamp(-LONGEST, LONGEST),
        }
    }

    /// Returns ξ = T⁻¹(θ).
    pub fn inverse(self, theta: f64) -> f64 {
        match self {
            Self::Identity => theta,
            Self::Log => theta.ln(),
            Self::Logit { lower, upper } => ((theta - lower) / (upper - theta)).ln(),
        }
    }

    /// Returns θ = T(ξ), which is never an end of the interval.
    ///
    /// At an end the slope dθ/dξ is 0, so that a descent could not leave the end. The only exception is an interval
    /// without any `f64` between its ends, which a descent rejects.
    pub fn forward(self, xi: f64) -> f64 {
        match self {
            Self::Identity => xi,
            // exp ξ underflows to 0 or overflows for large |ξ|, and the logistic function rounds to 0 or 1.
            Self::Log => xi.exp().clamp(f64::MIN_POSITIVE, f64::MAX),
            Self::Logit { lower, upper } => {
                // For large negative ξ the exponential is ∞ and the quotient 0, not NaN.
                let theta = lower + (upper - lower) / (1.0 + (-xi).exp());
                theta.max(lower.next_up()).min(upper.next_down())
            }
        }
    }

    /// Returns the slope dθ/dξ at θ.
    pub fn slope(self, theta: f64) -> f64 {
        match self {
            // Slopes are functions of θ, not ξ, so that they need no exponential.
            Self::Identity => 1.0,
            Self::Log => theta,
            // θ = lower + w σ(ξ) with w = upper − lower has dθ/dξ = w σ(1 − σ) = (θ − lower)/w·(upper − θ). The first
            // factor is at most 1, so that nothing overflows.
            Self::Logit { lower, upper } => (theta - lower) / (upper - lower) * (upper - theta),
        }
    }

    /// Returns the second derivative d²θ/dξ² at θ, relative to the slope dθ/dξ.
    ///
    /// A function f(θ) has the second derivative T′² f″ + T″ f′ with respect to ξ. With the slope T′f′ in ξ, the second term
    /// is (T″/T′)(T′f′), where no T′ has to be divided out.
    pub fn bend(self, theta: f64) -> f64 {
        match self {
            Self::Identity => 0.0,
            // T = T′ = T″ = exp ξ.
            Self::Log => 1.0,
            // T = lower + w σ, T′ = w σ(1 − σ), T″ = T′(1 − 2σ), and w (1 − 2σ) = (upper − θ) − (θ − lower).
            Self::Logit { lower, upper } => ((upper - theta) - (theta - lower)) / (upper - lower),
        }
    }

    /// Checks that the interval is valid and that the parameter of a point lies inside.
    fn check(self, what: &'static str, index: usize, value: f64) -> Result<()> {
        match self {
            Self::Identity => Ok(()),
            Self::Log if value > 0.0 && value < f64::INFINITY => Ok(()),
            Self::Log => Err(Error::NoLogarithm { what, index, value }.into()),
            Self::Logit { lower, upper } => {
                if !(upper - lower).is_finite() || lower >= upper {
                    return Err(crate::error::Error::Bounds {
                        what: "the ends of a logit transform",
                        index,
                        lower,
                        upper,
                    });
                }
                if value > lower && value < upper {
                    return Ok(());
                }
                Err(Error::NotBetween {
                    what,
                    index,
                    value,
                    lower,
                    upper,
                }
                .into())
            }
        }
    }
}

/// Checks that there is one valid transform per parameter, and that a point lies inside their intervals. `what` names the point.
pub(crate) fn check_transforms(
    what: &'static str,
    transforms: &[Transform],
    theta: &[f64],
) -> Result<()> {
    check::length("the transforms", transforms.len(), theta.len())?;
    let mut parameters = transforms.iter().zip(theta).enumerate();
    parameters.try_for_each(|(index, (t, &value))| t.check(what, index, value))
}
