//! Losses f(ρ): values, gradients as covectors, and the geometry that makes the step Gauss-Newton.

mod divergence;
mod l2;
mod observations;
mod sobolev;
mod sum;

pub use self::divergence::Divergence;
pub use self::l2::L2Misfit;
pub use self::observations::Observations;
pub use self::sobolev::SobolevMisfit;
pub use self::sum::Sum;

use crate::error::Result;
use crate::metric::Metric;

/// A loss on states.
///
/// ```
/// use pullback::Loss;
/// struct Height; // f(ρ) = ½ (ρ₀ − 3)²
/// impl Loss for Height {
///     fn value(&self, rho: &[f64]) -> f64 { 0.5 * (rho[0] - 3.0).powi(2) }
///     fn gradient(&self, rho: &[f64], out: &mut [f64]) { out.fill(0.0); out[0] = rho[0] - 3.0; }
/// }
/// assert!(pullback::verify::loss(&Height, &[1.0, 2.0], 1)?.passed());
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Loss: Sync {
    /// f(ρ); NaN or ∞ outside its domain, which a line search understands.
    fn value(&self, rho: &[f64]) -> f64;

    /// out ← ∂f/∂ρ, the plain derivative with respect to the numbers ρᵢ (so it contains cell volumes).
    fn gradient(&self, rho: &[f64], out: &mut [f64]);

    /// The metric M with M = ∇²f at the match, its factor included; used when no other is named.
    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        None
    }

    /// Whether the loss is defined at ρ, with an error that says why not.
    ///
    /// # Errors
    /// A ρ of the wrong length, or outside the domain.
    fn check(&self, rho: &[f64]) -> Result<()> {
        let _ = rho;
        Ok(())
    }
}
