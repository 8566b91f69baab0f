//! Push-forward of fixed draws by a map with parameters.

use faer::Mat;

use super::blocks::Layout;
use super::draws::Draws;
use super::sensitivity::{Derivatives, bend};
use crate::automatic::{Formula, Scalar, Watch};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Operator};
use crate::model::adjoint::{Sensitivity, explicit_jacobian};
use crate::model::{Model, Variation};

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

/// Model of a distribution by N particles xₙ = T(zₙ; θ) of fixed draws zₙ.
///
/// The state ρ holds the particles one after the other, Nd numbers. With several snapshots it holds one such cloud after the
/// other. Losses on clouds compare it with data, and [`SampledWasserstein`](crate::metric::SampledWasserstein) is its natural metric.
/// Derivatives are exact, by automatic differentiation of the map, on all threads.
///
/// ```
/// use pullback::automatic::Scalar;
/// use pullback::loss::SlicedTransport;
/// use pullback::models::{Draws, Map, PushForward};
/// use pullback::{Descent, random};
///
/// /// θ = (mean, logarithm of the deviation).
/// struct Normal;
/// impl Map for Normal {
///     fn dims(&self) -> (usize, usize, usize) { (1, 1, 2) }
///     fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
///         x[0] = theta[0] + theta[1].exp() * z[0];
///     }
/// }
/// let model = PushForward::new(Normal, Draws::normal(500, 1, 1)?)?;
/// let data = random::normal(300, 2, 0).iter().map(|z| 3.0 + 0.5 * z).collect();
/// let loss = SlicedTransport::new(1, data)?;
/// let report = Descent::new(&model, &loss).run(&[0.0, 0.0], |_| ())?;
/// assert!((report.theta[0] - 3.0).abs() < 0.1 && (report.theta[1].exp() - 0.5).abs() < 0.05);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct PushForward<M> {
    pub(super) map: M,
    pub(super) draws: Draws,
    watch: Watch,
}

impl<M: Map> PushForward<M> {
    /// Creates the model of a map and draws.
    ///
    /// # Errors
    /// Fails if a draw does not have the length that the map expects, or if the map has no space or no snapshots.
    pub fn new(map: M, draws: Draws) -> Result<Self> {
        let (latent, space, _) = map.dims();
        check::length("the length of a draw", draws.dim(), latent)?;
        for (what, number) in [
            ("the dimension of the space of particles", space),
            ("the number of snapshots", map.snapshots()),
        ] {
            check::option(what, number as f64, number > 0, "give at least 1")?;
        }
        Ok(Self {
            map,
            draws,
            watch: Watch::new(),
        })
    }

    /// Returns the map.
    pub fn map(&self) -> &M {
        &self.map
    }

    /// Returns the draws.
    pub fn draws(&self) -> &Draws {
        &self.draws
    }

    /// Returns the clouds at θ, the state of the model.
    ///
    /// # Errors
    /// Fails if θ has the wrong length, if the map is not defined at θ, or if a particle is not finite.
    pub fn sample(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let mut out = vec![0.0; self.layout().state()];
        self.write(theta, &mut out)?;
        Ok(out)
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

    /// Writes the clouds at θ to `out`.
    fn write(&self, theta: &[f64], out: &mut [f64]) -> Result<()> {
        check::length("θ", theta.len(), self.map.dims().2)?;
        check::finite("θ", theta)?;
        self.map.check(theta)?;
        self.evaluate(theta, out);
        check::finite("the position of a particle", out)
            .map_err(|failure| self.inspect(theta, out).err().unwrap_or(failure))
    }

    fn evaluate(&self, theta: &[f64], out: &mut [f64]) {
        let work = |(): &mut (), n: usize, x: &mut [f64]| {
            x.fill(f64::NAN);
            self.map.map(self.draws.of(n), theta, x);
        };
        self.layout().columns(out, || (), work);
    }

    /// Looks for the reason why a particle is not finite in its map.
    fn inspect(&self, theta: &[f64], rho: &[f64]) -> Result<()> {
        let layout = self.layout();
        let index = check::first_not_finite(rho).unwrap_or(0);
        let n = index / layout.space % layout.particles;
        // A watch of its own, which has seen no evaluation that was all right.
        let outcome = Watch::new().check(&self.particle(n), theta, 0);
        outcome.map_err(Error::from)
    }

    /// Checks the map of a particle that took these branches, unless they are known.
    pub(super) fn watch_particle(&self, n: usize, theta: &[f64], branch: u64) -> Result<()> {
        let outcome = self.watch.check(&self.particle(n), theta, branch);
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

impl<M: Map> Model for PushForward<M> {
    fn state_dim(&self) -> usize {
        self.layout().state()
    }

    fn param_dim(&self) -> usize {
        self.map.dims().2
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        self.evaluate(theta, out);
        out.iter_mut().zip(rho).for_each(|(g, r)| *g = r - *g);
    }

    fn state_jacobian<'a>(&'a self, rho: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(rho.len())
    }

    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        match Derivatives::new(self, theta) {
            Ok(z) => explicit_jacobian(Box::new(z)),
            Err(_) => Operator::dense(Mat::from_fn(rho.len(), theta.len(), |_, _| f64::NAN)),
        }
    }

    fn linearise<'a>(
        &'a self,
        _: &'a [f64],
        theta: &'a [f64],
        _: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        Ok(Box::new(Derivatives::new(self, theta)?))
    }

    fn second_derivative(
        &self,
        rho: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        // g = ρ − T(z; θ) depends on ρ linearly, and on θ as −T does.
        let product = bend(self, (theta, along.lambda), along.theta);
        let in_state = Mat::zeros(rho.len(), along.theta.ncols());
        Some([in_state, -product])
    }

    fn diagnose(&self, _: &[f64], theta: &[f64]) -> Result<()> {
        self.sample(theta)?;
        Derivatives::new(self, theta).map(drop)
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        check::length("the state ρ", rho.len(), self.state_dim())?;
        self.write(theta, rho)
    }
}
