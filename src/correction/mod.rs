//! Defect correction: the residual from a trusted simulator, the geometry from an approximate model.

mod averaging;
mod corrected;
mod iteration;
mod report;

pub use self::corrected::{Corrected, Options};
pub use self::report::{Correction, Ending, Estimate};

use crate::error::{Error, Result};

/// A simulator θ ↦ data: trusted, perhaps random, and not asked for derivatives.
///
/// ```
/// use pullback::{correction::{Simulated, Simulator}, Result, random};
/// /// A thousand noisy readings of √θ at each of two places, averaged.
/// struct Readings;
/// impl Simulator for Readings {
///     fn simulate(&self, theta: &[f64], seed: u64) -> Result<Simulated> {
///         if theta[0] < 0.0 {
///             return Ok(Simulated::Rejected("there is no root of a negative number".into()));
///         }
///         let noise = random::normal(2, seed, 0);
///         let readings: Vec<f64> = noise.iter().map(|e| theta[0].sqrt() + e / 1000.0_f64.sqrt()).collect();
///         Ok(readings.into())
///     }
/// }
/// assert!((Readings.simulate(&[4.0], 1)?.data()?[0] - 2.0).abs() < 0.2);
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Simulator: Sync {
    /// Simulates once at θ. The result is comparable with the data number by number: as many observations, processed in the
    /// same way, with the same noise. Equal seeds give equal results.
    ///
    /// A θ at which nothing can be simulated is [`Simulated::Rejected`]: the correction shortens its step, or leaves the start.
    ///
    /// # Errors
    /// Failures that other parameters would not cure. They end the correction.
    fn simulate(&self, theta: &[f64], seed: u64) -> Result<Simulated>;

    /// Checks whether data can be compared with at all.
    ///
    /// # Errors
    /// Data of a kind that this simulator never returns.
    fn check(&self, data: &[f64]) -> Result<()> {
        let _ = data;
        Ok(())
    }

    /// Returns why a result is of another kind than the data, so that their difference does not tell how to change θ; None if
    /// it is of the same kind.
    fn objection(&self, simulated: &[f64], data: &[f64]) -> Option<String> {
        let _ = (simulated, data);
        None
    }
}

/// The outcome of a simulation.
#[derive(Clone, Debug, PartialEq)]
pub enum Simulated {
    /// Simulated data.
    Data(Vec<f64>),
    /// Nothing can be simulated at these parameters, for this reason.
    Rejected(String),
}

impl From<Vec<f64>> for Simulated {
    fn from(data: Vec<f64>) -> Self {
        Self::Data(data)
    }
}

impl Simulated {
    /// Returns the simulated data.
    ///
    /// # Errors
    /// [`Error::Model`] with the reason of a rejection.
    pub fn data(self) -> Result<Vec<f64>> {
        match self {
            Self::Data(data) => Ok(data),
            Self::Rejected(reason) => Err(Error::Model(reason.into())),
        }
    }
}
