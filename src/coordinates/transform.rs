//! Coordinates for parameters that live on a half-line or an interval, and box bounds.

use crate::check;
use crate::error::{Error, Result};

/// A change of one parameter's coordinate, θ = T(ξ); the descent moves in ξ.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Transform {
    /// θ = ξ.
    #[default]
    Identity,
    /// θ = exp ξ, for positive parameters of unknown size.
    Log,
    /// θ = lower + (upper − lower)/(1 + exp(−ξ)), for parameters inside an interval of finite length.
    Logit {
        /// Lower end.
        lower: f64,
        /// Upper end.
        upper: f64,
    },
}

impl Transform {
    /// ξ for this θ.
    pub fn inverse(self, theta: f64) -> f64 {
        match self {
            Self::Identity => theta,
            Self::Log => theta.ln(),
            Self::Logit { lower, upper } => ((theta - lower) / (upper - theta)).ln(),
        }
    }

    /// θ for this ξ; never an end of the interval, where the slope is 0 and nothing could leave it again, unless no
    /// double lies between the ends: then a descent refuses the transform.
    pub fn forward(self, xi: f64) -> f64 {
        match self {
            Self::Identity => xi,
            Self::Log => xi.exp().clamp(f64::MIN_POSITIVE, f64::MAX),
            Self::Logit { lower, upper } => {
                let theta = lower + (upper - lower) / (1.0 + (-xi).exp());
                theta.max(lower.next_up()).min(upper.next_down())
            }
        }
    }

    /// dθ/dξ at this θ.
    pub fn slope(self, theta: f64) -> f64 {
        match self {
            Self::Identity => 1.0,
            Self::Log => theta,
            // In this order nothing overflows.
            Self::Logit { lower, upper } => (theta - lower) / (upper - lower) * (upper - theta),
        }
    }

    fn check(self, index: usize, value: f64) -> Result<()> {
        let (lower, upper) = match self {
            Self::Identity => return Ok(()),
            Self::Log => (0.0, f64::INFINITY),
            Self::Logit { lower, upper } => (lower, upper),
        };
        let logit = matches!(self, Self::Logit { .. });
        if (logit && !(upper - lower).is_finite()) || lower >= upper {
            return Err(Error::Bounds {
                what: "the ends of a logit transform",
                index,
                lower,
                upper,
            });
        }
        if value > lower && value < upper {
            return Ok(());
        }
        Err(Error::OutOfRange {
            what: "a transformed parameter of the start",
            index,
            value,
            lower,
            upper,
        })
    }
}

pub(crate) fn check_transforms(transforms: &[Transform], theta: &[f64]) -> Result<()> {
    check::length("the transforms", transforms.len(), theta.len())?;
    let mut pairs = transforms.iter().zip(theta).enumerate();
    pairs.try_for_each(|(index, (t, &value))| t.check(index, value))
}

/// A box lower ≤ θ ≤ upper; infinite ends are free, equal ones hold a parameter fixed.
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
    /// The box between two corners.
    ///
    /// # Errors
    /// Corners of different length, a NaN, or a lower end above its upper end.
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

    /// Moves θ to the nearest point of the box.
    pub fn clamp(&self, theta: &mut [f64]) {
        for (t, (l, u)) in theta.iter_mut().zip(self.lower.iter().zip(&self.upper)) {
            *t = t.clamp(*l, *u);
        }
    }

    pub(crate) fn check(&self, theta: &[f64]) -> Result<()> {
        check::length("the bounds", self.lower.len(), theta.len())?;
        for (index, &value) in theta.iter().enumerate() {
            let (lower, upper) = (self.lower[index], self.upper[index]);
            if value < lower || value > upper {
                return Err(Error::OutOfRange {
                    what: "the start",
                    index,
                    value,
                    lower,
                    upper,
                });
            }
        }
        Ok(())
    }

    /// Whether parameter `i` sits at a bound and `move_` would push it further out.
    pub(crate) fn blocks(&self, i: usize, theta: f64, move_: f64) -> bool {
        (theta <= self.lower[i] && move_ < 0.0)
            || (theta >= self.upper[i] && move_ > 0.0)
            || self.lower[i] == self.upper[i]
    }
}
