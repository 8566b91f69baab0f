//! Initial values, given or among the parameters.

use crate::automatic::Scalar;
use crate::check;
use crate::error::{Error, Result};

/// Numbers that determine the initial value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Start<const N: usize> {
    /// Given to the constructor.
    Given([f64; N]),
    /// The last entries of θ.
    Unknown,
}

impl<const N: usize> Start<N> {
    /// Takes finite numbers.
    pub(super) fn finite(what: &'static str, values: [f64; N]) -> Result<Self> {
        check::finite(what, &values)?;
        Ok(Self::Given(values))
    }

    /// Takes finite positive numbers.
    pub(super) fn positive(what: &'static str, values: [f64; N]) -> Result<Self> {
        check::positive(what, &values)?;
        Ok(Self::Given(values))
    }

    /// Takes finite numbers that are not negative.
    pub(super) fn amounts(what: &'static str, values: [f64; N]) -> Result<Self> {
        check::finite(what, &values)?;
        match values.iter().position(|&x| x < 0.0) {
            None => Ok(Self::Given(values)),
            Some(index) => Err(Error::Negative {
                what,
                index,
                value: values[index],
            }),
        }
    }

    /// Number of parameters.
    pub(super) fn params(&self) -> usize {
        match self {
            Self::Given(_) => 0,
            Self::Unknown => N,
        }
    }

    /// The numbers at θ.
    #[inline(always)]
    pub(super) fn at<S: Scalar>(&self, theta: &[S]) -> [S; N] {
        let first = theta.len() - self.params();
        std::array::from_fn(|i| match self {
            Self::Given(values) => S::from(values[i]),
            Self::Unknown => theta[first + i],
        })
    }
}
