//! Push-forward of fixed draws by a map with parameters.

use faer::Mat;

use super::cloud::{Cloud, Map};
use super::draws::Draws;
use super::sensitivity::{Derivatives, bend};
use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Operator};
use crate::model::adjoint::{Sensitivity, explicit_jacobian};
use crate::model::{Clouds, Model, Variation};

/// Model of a distribution by N particles xₙ = T(zₙ; θ) of fixed draws zₙ.
///
/// The state ρ holds the particles one after the other, Nd numbers. With several snapshots it holds one such cloud after the
/// other. Losses on clouds, such as [`SlicedTransport`](crate::loss::SlicedTransport), compare it with data.
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
    cloud: Cloud<M>,
}

impl<M: Map> PushForward<M> {
    /// Creates the model of a map and draws.
    ///
    /// # Errors
    /// Fails if a draw does not have the length that the map expects, if the map has no space or no snapshots, or if there are fewer
    /// positions of particles than parameters.
    pub fn new(map: M, draws: Draws) -> Result<Self> {
        let (latent, space, parameters) = map.dims();
        check::length("the length of a draw", draws.dim(), latent)?;
        for (what, number) in [
            ("the dimension of the space of particles", space),
            ("the number of snapshots", map.snapshots()),
        ] {
            check::option(what, number as f64, number > 0, "give at least 1")?;
        }
        let particles = draws.count();
        check::option(
            "the number of particles",
            particles as f64,
            particles * space * map.snapshots() >= parameters,
            "give more: their positions, in all snapshots, are fewer than the parameters, which they cannot tell apart",
        )?;
        Ok(Self {
            cloud: Cloud::new(map, draws),
        })
    }

    /// Returns the map.
    pub fn map(&self) -> &M {
        &self.cloud.map
    }

    /// Returns the draws.
    pub fn draws(&self) -> &Draws {
        &self.cloud.draws
    }

    /// Returns the clouds at θ, the state of the model.
    ///
    /// # Errors
    /// Fails if θ has the wrong length, if the map is not defined at θ, or if a particle is not finite.
    pub fn sample(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let mut out = vec![0.0; self.cloud.layout().state()];
        self.write(theta, &mut out)?;
        Ok(out)
    }

    /// Writes the clouds at θ to `out`.
    fn write(&self, theta: &[f64], out: &mut [f64]) -> Result<()> {
        let cloud = &self.cloud;
        check::length("θ", theta.len(), cloud.map.dims().2)?;
        check::finite("θ", theta)?;
        cloud.map.check(theta)?;
        cloud.evaluate(theta, out);
        check::finite("the position of a particle", out).map_err(|failure| {
            let (layout, index) = (cloud.layout(), check::first_not_finite(out));
            let n = index.unwrap_or(0) / layout.space % layout.particles;
            cloud.inspect(n, theta).err().unwrap_or(failure)
        })
    }
}

impl<M: Map> Model for PushForward<M> {
    fn state_dim(&self) -> usize {
        self.cloud.layout().state()
    }

    fn param_dim(&self) -> usize {
        self.cloud.map.dims().2
    }

    fn clouds(&self) -> Option<Clouds> {
        let layout = self.cloud.layout();
        Some(Clouds {
            count: layout.snapshots,
            space: layout.space,
        })
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        self.cloud.evaluate(theta, out);
        out.iter_mut().zip(rho).for_each(|(g, r)| *g = r - *g);
    }

    fn state_jacobian<'a>(&'a self, rho: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(rho.len())
    }

    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        match Derivatives::new(&self.cloud, theta) {
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
        Ok(Box::new(Derivatives::new(&self.cloud, theta)?))
    }

    fn second_derivative(
        &self,
        rho: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        // g = ρ − T(z; θ) depends on ρ linearly, and on θ as −T does.
        let product = bend(&self.cloud, (theta, along.lambda), along.theta);
        let in_state = Mat::zeros(rho.len(), along.theta.ncols());
        Some([in_state, -product])
    }

    fn diagnose(&self, _: &[f64], theta: &[f64]) -> Result<()> {
        self.sample(theta)?;
        Derivatives::new(&self.cloud, theta).map(drop)
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        check::length("the state ρ", rho.len(), self.state_dim())?;
        self.write(theta, rho)
    }
}
