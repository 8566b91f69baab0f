//! Maps of draws, and the particles that they make.

use super::blocks::Layout;
use super::draws::Draws;
use crate::automatic::{Formula, Scalar, Watch};
use crate::error::{Error, Result};

/// Map x = T(z; θ) of a latent draw z, written once for all scalars.
///
/// ```
/// use pullback::automatic::Scalar;
/// use pullback::models::Map;
/// /// Normal distributions on the line: θ = (mean, logarithm of the deviation).
/// struct Normal;
/// impl Map for Normal {
///     fn dims(&self) -> (usize, usize, usize) { (1, 1, 2) }
///     fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
///         x[0] = theta[0] + theta[1].exp() * z[0];
///     }
/// }
/// ```
pub trait Map: Sync {
    /// Returns (l, d, p): the lengths of the draw z, of the point x in space, and of θ.
    fn dims(&self) -> (usize, usize, usize);

    /// Writes T(z; θ) to `x`. It has d entries for each of the [snapshots](Self::snapshots), one after the other.
    ///
    /// Compute on the calling thread, and assign an entry before you read it. A value read by [`Scalar::value`] carries no
    /// derivative.
    fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]);

    /// Returns the number of points of a particle, such as its positions at several times. The default is 1.
    fn snapshots(&self) -> usize {
        1
    }

    /// Checks that the map is defined at θ. The default accepts every θ.
    ///
    /// # Errors
    /// Fails with the reason if it is not.
    fn check(&self, theta: &[f64]) -> Result<()> {
        let _ = theta;
        Ok(())
    }
}

/// Particles of a map and draws.
pub(super) struct Cloud<M> {
    pub(super) map: M,
    pub(super) draws: Draws,
    watch: Watch,
}

impl<M: Map> Cloud<M> {
    pub(super) fn new(map: M, draws: Draws) -> Self {
        Self {
            map,
            draws,
            watch: Watch::new(),
        }
    }

    pub(super) fn layout(&self) -> Layout {
        Layout {
            particles: self.draws.count(),
            space: self.map.dims().1,
            snapshots: self.map.snapshots(),
        }
    }

    /// Returns the map of one particle as a formula.
    pub(super) fn particle(&self, n: usize) -> Particle<'_, M> {
        Particle {
            map: &self.map,
            z: self.draws.of(n),
        }
    }

    /// Writes all particles at θ to `out`, with NaN for entries that the map does not write.
    pub(super) fn evaluate(&self, theta: &[f64], out: &mut [f64]) {
        let work = |(): &mut (), n: usize, x: &mut [f64]| {
            x.fill(f64::NAN);
            self.map.map(self.draws.of(n), theta, x);
        };
        self.layout().columns(out, || (), work);
    }

    /// Checks the map of a particle that took these branches, unless they are known.
    pub(super) fn check(&self, n: usize, theta: &[f64], branch: u64) -> Result<()> {
        let outcome = self.watch.check(&self.particle(n), theta, branch);
        outcome.map_err(Error::from)
    }

    /// Looks for the reason why a particle is not finite in its map.
    pub(super) fn inspect(&self, n: usize, theta: &[f64]) -> Result<()> {
        // A watch of its own, which has seen no evaluation that was all right.
        let outcome = Watch::new().check(&self.particle(n), theta, 0);
        outcome.map_err(Error::from)
    }
}

/// Map of one particle, a function of θ.
pub(super) struct Particle<'a, M> {
    map: &'a M,
    z: &'a [f64],
}

impl<M: Map> Formula for Particle<'_, M> {
    fn dims(&self) -> (usize, usize) {
        let (_, space, parameters) = self.map.dims();
        (space * self.map.snapshots(), parameters)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        self.map.map(self.z, theta, out);
    }
}
