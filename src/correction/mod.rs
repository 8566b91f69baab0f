//! Defect correction: the residual from a trusted simulator, the geometry from an approximate model, or from a regression on the
//! simulations where there is no model.

mod affine;
mod averaging;
mod conclusion;
mod corrected;
mod estimate;
mod iteration;
mod plan;
mod record;
mod regression;
mod replicates;
mod report;
mod represented;
mod response;
mod run;
mod spline;
mod survey;

pub use self::corrected::{Corrected, Options};
pub use self::regression::Regression;
pub use self::replicates::Replicates;
pub use self::report::{Iterate, Report, Stop};

use crate::error::{Error, Result};

/// Returns the seed of simulation `k` of a correction or of replicates.
fn seed_of(seed: u64, k: usize) -> u64 {
    // Multiples of 2⁶⁴/φ (Knuth's multiplicative hashing) lie far apart, so that no simulation repeats a small seed that
    // the data may have been simulated with.
    seed.wrapping_add(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(k as u64))
}

/// Trusted simulator h: θ ↦ data, possibly random and without derivatives.
///
/// ```
/// use pullback::{correction::{Simulated, Simulator}, Result, random};
/// /// Two averages of a thousand noisy readings of √θ each.
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
    /// Simulates once at θ. Equal seeds give equal results.
    ///
    /// The result has the form of the data: the same number of observations, processed in the same manner, with the same
    /// noise. Return [`Simulated::Rejected`] for a θ that cannot be simulated: the correction then shortens its step or
    /// rejects the starting point. NaN is an error, here and in the data, and does not stand for a missing value: leave missing
    /// values out of both.
    ///
    /// Seeds are any numbers below 2⁶⁴. Those of the simulations of a run differ, and so do their last 31 bits.
    ///
    /// # Errors
    /// Fails only for causes that do not depend on θ. Such a failure ends the correction.
    fn simulate(&self, theta: &[f64], seed: u64) -> Result<Simulated>;

    /// Checks that the data are valid for this simulator.
    ///
    /// # Errors
    /// Fails if this simulator cannot produce the data.
    fn check(&self, data: &[f64]) -> Result<()> {
        let _ = data;
        Ok(())
    }

    /// Returns the reason why the difference between a simulation and the data carries no information about
    /// θ, or None if the difference does.
    ///
    /// An example is a simulation that settled on a fixed point while the data are chaotic.
    fn objection(&self, simulated: &[f64], data: &[f64]) -> Option<String> {
        let _ = (simulated, data);
        None
    }
}

/// Outcome of a simulation: data, or the reason for a rejection.
#[derive(Clone, Debug, PartialEq)]
pub enum Simulated {
    /// Simulated data.
    Data(Vec<f64>),
    /// These parameters cannot be simulated, for this reason.
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
    /// Fails with [`Error::Model`], which holds the reason, if the simulation was rejected.
    pub fn data(self) -> Result<Vec<f64>> {
        match self {
            Self::Data(data) => Ok(data),
            Self::Rejected(reason) => Err(Error::Model(reason.into())),
        }
    }
}
