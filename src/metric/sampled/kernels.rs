//! Gradient fields of potentials that are derivatives of Gaussian kernels.

use rand::RngExt;

use super::fields::mean;
use crate::check;
use crate::error::Result;
use crate::random::generator;

/// Potentials ∂ᵢk(Yₘ, ·) of the Gaussian kernel k(y, x) = exp(−|x − y|²/2s), each at a centre Yₘ that is one of the particles, and
/// with one coordinate i. Centres and coordinates are drawn at random.
///
/// ```
/// use pullback::metric::{Kernels, SampledWasserstein};
/// let kernels = Kernels { count: Some(50), width: 3.0, seed: 1 };
/// let metric = SampledWasserstein::new(2).kernels(kernels);
/// # let _ = metric;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Kernels {
    /// Number M of potentials. None takes ⌊d√N⌋, at most Nd/8 and N.
    pub count: Option<usize>,
    /// Variance s of the kernel, as a multiple of the mean of |xₙ − xₘ|² over all pairs of particles.
    pub width: f64,
    /// Seed of the centres and coordinates, which are those of the same particles at every state.
    pub seed: u64,
}

impl Default for Kernels {
    fn default() -> Self {
        Self {
            count: None,
            width: 3.0,
            seed: 1,
        }
    }
}

impl Kernels {
    /// Chooses centres among the particles, and the variance.
    ///
    /// # Errors
    /// Fails if an option is out of range, or if all particles are at one place.
    pub(super) fn at(&self, space: usize, cloud: &[f64]) -> Result<Prepared> {
        check::positive("the width of kernels", &[self.width])?;
        let particles = cloud.len() / space;
        let standard = (space as f64 * (particles as f64).sqrt()) as usize;
        let most = (particles * space / 8).min(particles).max(1);
        let count = self.count.unwrap_or(standard.min(most));
        check::option(
            "the number of kernels",
            count as f64,
            (1..=particles).contains(&count),
            "give at least 1, and at most one for each particle",
        )?;
        let mut rng = generator(self.seed, 0);
        let mut order: Vec<usize> = (0..particles).collect();
        let mut centres = Vec::with_capacity(count);
        for m in 0..count {
            // Without replacement, and one after the other: more kernels include those of fewer.
            order.swap(m, rng.random_range(m..particles));
            let coordinate = rng.random_range(0..space);
            centres.push((cloud[order[m] * space..][..space].to_vec(), coordinate));
        }
        // The mean of |xₙ − xₘ|² over all pairs is twice the trace of the covariance.
        let mean = mean(space, cloud);
        let points = cloud.chunks_exact(space);
        let squares: f64 = points
            .map(|x| {
                x.iter()
                    .zip(&mean)
                    .map(|(x, m)| (x - m) * (x - m))
                    .sum::<f64>()
            })
            .sum();
        let variance = self.width * 2.0 * squares / particles as f64;
        check::positive(
            "the spread of the particles around which kernels are put",
            &[variance],
        )?;
        Ok(Prepared {
            space,
            centres,
            variance,
        })
    }
}

/// Kernels of a cloud.
pub(super) struct Prepared {
    space: usize,
    /// Centre and coordinate of every potential.
    centres: Vec<(Vec<f64>, usize)>,
    variance: f64,
}

impl Prepared {
    pub(super) fn len(&self) -> usize {
        self.centres.len()
    }

    /// Writes the field of a potential at every particle.
    pub(super) fn write(&self, index: usize, cloud: &[f64], out: &mut [f64]) {
        let ((centre, i), s) = (&self.centres[index], self.variance);
        let points = cloud.chunks_exact(self.space);
        for (x, out) in points.zip(out.chunks_exact_mut(self.space)) {
            // ∂k/∂yᵢ = (xᵢ − yᵢ)k/s, with the gradient (eᵢ − (x − y)(xᵢ − yᵢ)/s)k/s. The factor 1/s is left out.
            let square: f64 = x.iter().zip(centre).map(|(x, y)| (x - y) * (x - y)).sum();
            let k = (-0.5 * square / s).exp();
            let along = (x[*i] - centre[*i]) / s;
            for ((out, x), y) in out.iter_mut().zip(x).zip(centre) {
                *out = -(x - y) * along * k;
            }
            out[*i] += k;
        }
    }
}
