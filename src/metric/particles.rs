//! Metric of labelled particles: M = I/N.

use super::l2::uniform;
use super::sampled::count;
use super::{Metric, Root};
use crate::error::Result;
use crate::linalg::Backend;

/// Lagrangian metric of N labelled particles, whose square of the length of velocities v is (1/N) Σ |vₙ|².
///
/// The state holds the positions of the particles one after the other. Pulled back by a push-forward x = T(z; θ) the metric is
/// E(JᵀJ) with J = ∂T/∂θ. It counts velocities that only exchange particles and leave their distribution as it is, such as
/// rotations of a round cloud. [`SampledWasserstein`](super::SampledWasserstein) does not.
///
/// ```
/// use pullback::{Cpu, Metric, faer::mat, metric::Particles};
/// let cpu = Cpu::default();
/// // Two particles in the plane.
/// let metric = Particles::new(2);
/// let root = metric.at(&[0.0, 0.0, 1.0, 1.0], &cpu)?;
/// let product = root.apply(mat![[1.0], [0.0], [1.0], [0.0]].as_ref())?;
/// assert!((product[(0, 0)] - 0.5).abs() < 1e-15);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Particles {
    space: usize,
}

impl Particles {
    /// Returns the metric of particles in ℝᵈ with d = `space`.
    pub fn new(space: usize) -> Self {
        Self { space }
    }
}

impl Metric for Particles {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        let particles = count(self.space, rho)?;
        Ok(uniform(rho.len(), (particles as f64).recip()))
    }

    fn name(&self) -> &'static str {
        "particles"
    }
}
