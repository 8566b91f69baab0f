//! Defect correction: the residual from a trusted simulator, the geometry from an approximate model.

mod averaging;
mod corrected;
mod iteration;
mod report;

pub use self::corrected::{Corrected, Options};
pub use self::report::{Correction, Ending, Estimate};

use crate::error::Result;

/// θ ↦ what would have been observed: trusted, perhaps random, and not asked for derivatives.
///
/// ```
/// use pullback::{correction::Simulator, Result, random};
/// /// A thousand noisy readings of θ² at each of two places, averaged.
/// struct Readings;
/// impl Simulator for Readings {
///     fn simulate(&self, theta: &[f64], seed: u64) -> Result<Vec<f64>> {
///         let noise = random::normal(2, seed, 0);
///         Ok(noise.iter().map(|e| theta[0] * theta[0] + e / 1000.0_f64.sqrt()).collect())
///     }
/// }
/// assert!((Readings.simulate(&[2.0], 1)?[0] - 4.0).abs() < 0.2);
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Simulator: Sync {
    /// One realisation at θ, comparable with the data number by number: the same amount, treated in the same way, with
    /// the same noise. The same seed gives the same realisation.
    ///
    /// # Errors
    /// A θ at which nothing can be simulated: [`Error::BlowUp`](crate::Error::BlowUp),
    /// [`OutsideBox`](crate::Error::OutsideBox), [`Velocity`](crate::Error::Velocity),
    /// [`Trapped`](crate::Error::Trapped) and [`Model`](crate::Error::Model) count as an
    /// [`objection`](Simulator::objection); others end a correction.
    fn simulate(&self, theta: &[f64], seed: u64) -> Result<Vec<f64>>;

    /// Whether data can be compared with at all.
    ///
    /// # Errors
    /// Data of a kind that this simulator never shows.
    fn check(&self, data: &[f64]) -> Result<()> {
        let _ = data;
        Ok(())
    }

    /// Why a realisation is of another kind than the data, so that their difference says nothing of how to change θ;
    /// None where it is not.
    fn objection(&self, simulated: &[f64], data: &[f64]) -> Option<String> {
        let _ = (simulated, data);
        None
    }
}
