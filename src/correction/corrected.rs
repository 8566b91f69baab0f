//! Setting of a defect correction, the iteration θ ← θ − (ZᵀMZ)⁻¹ZᵀM(h(θ) − q).

use super::Simulator;
use super::regression::Regression;
use crate::check;
use crate::coordinates::Bounds;
use crate::direction::{Direction, LeastSquares};
use crate::error::Result;
use crate::linalg::Backend;
use crate::metric::Metric;
use crate::model::Model;

/// Fit of a [`Simulator`] to data, with the derivative of an approximate [`Model`] or of a [`Regression`].
///
/// A fit of the model itself inherits the model's error. The correction takes the residual h(θ) − q from the simulator, and
/// only Z and the metric M from the model: θ ← θ − (ZᵀMZ)⁻¹ZᵀM(h(θ) − q). The fixed-point equation ZᵀM(h(θ) − q) = 0 holds
/// at the true parameters for any error of the model. That error affects only the rate of contraction.
///
/// ```
/// use pullback::{Grid, Linearisation, Result};
/// use pullback::correction::{Corrected, Simulated, Simulator};
/// use pullback::metric::L2;
/// use pullback::models::{GaussianMixture, Parameter};
/// # let grid = Grid::new(&[(-5.0, 5.0, 50)])?;
/// # let of = |variance: f64| GaussianMixture::new(&grid).component(1.0, &[0.0], variance).free(&[Parameter::Mean(0, 0)]);
/// /// True system: a Gaussian of variance 1. The model assumes a variance of 1.3.
/// struct Truth(GaussianMixture);
/// impl Simulator for Truth {
///     fn simulate(&self, theta: &[f64], _: u64) -> Result<Simulated> { Ok(self.0.density(theta)?.into()) }
/// }
/// let (truth, model) = (Truth(of(1.0)?), of(1.3)?);
/// let data = truth.simulate(&[0.7], 0)?.data()?;
/// let metric = L2::new(&grid);
/// let report = Corrected::new(&model, &truth, &data, &metric).run(&[&[0.0]], |_| ())?;
/// assert!(report.converged() && (report.theta[0] - 0.7).abs() < 1e-6);
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// [`without_model`](Corrected::without_model) takes Z from the simulations themselves.
pub struct Corrected<'a> {
    pub(super) geometry: Geometry<'a>,
    pub(super) simulator: &'a dyn Simulator,
    pub(super) data: &'a [f64],
    pub(super) metric: &'a dyn Metric,
    pub(super) direction: &'a dyn Direction,
    pub(super) bounds: Option<&'a Bounds>,
    pub(super) backend: Option<&'a dyn Backend>,
    pub(super) options: Options,
}

/// Source of Z.
#[derive(Clone, Copy)]
pub(super) enum Geometry<'a> {
    Model(&'a dyn Model),
    Regression(Regression),
}

/// Options of a correction.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Largest change of a parameter in one step, relative to max(|θⱼ|, scaleⱼ).
    pub cap: f64,
    /// Typical sizes of the parameters, one per parameter. If empty, the sizes are |θⱼ| of the first starting point, or
    /// 1 where θⱼ is 0.
    pub scale: Vec<f64>,
    /// Relative step at which the iteration has converged.
    pub tolerance: f64,
    /// Largest number of steps from one starting point.
    pub iterations: usize,
    /// Least number of iterates to average when the iterates only fluctuate. Strongly autocorrelated iterates need
    /// more.
    pub average: usize,
    /// Number of random starting points to try after those given, scattered around the first.
    pub restarts: usize,
    /// Largest displacement of a random starting point along a parameter, as a fraction of the size of the parameter.
    pub scatter: f64,
    /// Seed from which the seeds of all simulations are derived.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cap: 0.3,
            scale: Vec::new(),
            tolerance: 1e-8,
            iterations: 60,
            // A standard deviation estimated from n independent values has the relative error 1/√(2(n − 1)),
            // here 21 %.
            average: 12,
            restarts: 20,
            scatter: 0.4,
            seed: 1,
        }
    }
}

impl Options {
    /// Checks the options of a correction of `p` parameters.
    fn check(&self, p: usize) -> Result<()> {
        let Options {
            cap,
            scale,
            average,
            scatter,
            tolerance,
            iterations,
            ..
        } = self;
        let sound = *scatter >= 0.0 && scatter.is_finite();
        check::option(
            "the scatter of the random starting points",
            *scatter,
            sound,
            "give a fraction such as 0.4",
        )?;
        let sound = *cap > 0.0 && cap.is_finite();
        check::option(
            "the cap on a step of the correction",
            *cap,
            sound,
            "give a fraction such as 0.3",
        )?;
        let sound = *tolerance >= 0.0 && tolerance.is_finite();
        check::option(
            "the tolerance of the correction",
            *tolerance,
            sound,
            "give a relative step such as 1e-8",
        )?;
        check::option(
            "the number of steps of the correction",
            *iterations as f64,
            *iterations > 0,
            "allow at least one",
        )?;
        let remedy =
            "average at least six iterates, because fewer do not determine a standard deviation";
        check::option(
            "the number of averaged iterates",
            *average as f64,
            *average > 5,
            remedy,
        )?;
        if !scale.is_empty() {
            check::length("the scales of the parameters", scale.len(), p)?;
            check::positive("the scales of the parameters", scale)?;
        }
        Ok(())
    }
}

impl<'a> Corrected<'a> {
    /// Creates a correction with least squares, without bounds, on the [`Cpu`](crate::Cpu), with default
    /// options.
    pub fn new(
        model: &'a dyn Model,
        simulator: &'a dyn Simulator,
        data: &'a [f64],
        metric: &'a dyn Metric,
    ) -> Self {
        Self::from_geometry(Geometry::Model(model), simulator, data, metric)
    }

    /// Creates a correction whose Z comes from a [`Regression`] on its own simulations, with default options.
    ///
    /// The metric is prepared at the data. The fixed point ZᵀM(h(θ) − q) = 0 is a point with h(θ) = q, if there is one. If there
    /// are more data than parameters and the simulator cannot meet them, it is the least-squares fit in the metric, up to the
    /// error of Z times the distance that remains. For a deterministic simulator Z is refined there by central differences, at most
    /// three times with two simulations per parameter.
    ///
    /// The [standard errors](super::Report::standard_errors) of averaged iterates are those for data as random as the simulator. For
    /// data with another noise take the metric of that noise, and [`data_errors`](super::Report::data_errors).
    ///
    /// ```
    /// use pullback::Result;
    /// use pullback::correction::{Corrected, Simulated, Simulator};
    /// use pullback::metric::L2;
    /// /// Height of a thrown ball at four times, from its speed and the gravity.
    /// struct Ball;
    /// impl Simulator for Ball {
    ///     fn simulate(&self, theta: &[f64], _: u64) -> Result<Simulated> {
    ///         let height = |t: f64| theta[0] * t - 0.5 * theta[1] * t * t;
    ///         Ok([0.2, 0.4, 0.6, 0.8].map(height).to_vec().into())
    ///     }
    /// }
    /// let data = Ball.simulate(&[12.0, 9.81], 0)?.data()?;
    /// let metric = L2 { volume: 1.0 };
    /// let report = Corrected::without_model(&Ball, &data, &metric).run(&[&[10.0, 10.0]], |_| ())?;
    /// assert!((report.theta[1] - 9.81).abs() < 1e-9);
    /// // The ball is linear in its parameters: three simulations determine Z, and two more find and confirm the answer.
    /// assert_eq!(report.simulations, 5);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    pub fn without_model(
        simulator: &'a dyn Simulator,
        data: &'a [f64],
        metric: &'a dyn Metric,
    ) -> Self {
        let geometry = Geometry::Regression(Regression::default());
        Self::from_geometry(geometry, simulator, data, metric)
    }

    fn from_geometry(
        geometry: Geometry<'a>,
        simulator: &'a dyn Simulator,
        data: &'a [f64],
        metric: &'a dyn Metric,
    ) -> Self {
        Self {
            geometry,
            simulator,
            data,
            metric,
            direction: LeastSquares::STANDARD,
            bounds: None,
            backend: None,
            options: Options::default(),
        }
    }

    /// Takes Z from a regression with these options.
    #[must_use]
    pub fn regression(mut self, regression: Regression) -> Self {
        self.geometry = Geometry::Regression(regression);
        self
    }

    /// Sets the method that computes the directions of the steps.
    #[must_use]
    pub fn direction(mut self, direction: &'a dyn Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Sets bounds on θ.
    #[must_use]
    pub fn bounds(mut self, bounds: &'a Bounds) -> Self {
        self.bounds = Some(bounds);
        self
    }

    /// Sets the backend of the linear solves.
    #[must_use]
    pub fn backend(mut self, backend: &'a dyn Backend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// Sets the options of the correction.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    pub(super) fn check(&self, starts: &[&[f64]]) -> Result<()> {
        let given = !starts.is_empty();
        check::option(
            "the number of starting points",
            0.0,
            given,
            "give at least one",
        )?;
        let p = match self.geometry {
            Geometry::Model(model) => {
                check::length("the data", self.data.len(), model.state_dim())?;
                model.param_dim()
            }
            Geometry::Regression(regression) => {
                let remedy = "give at least one";
                check::option("the number of data", 0.0, !self.data.is_empty(), remedy)?;
                regression.check(starts[0].len())?;
                starts[0].len()
            }
        };
        check::finite("the data", self.data)?;
        for start in starts {
            check::length("a starting point θ", start.len(), p)?;
            check::finite("a starting point θ", start)?;
            if let Some(bounds) = self.bounds {
                bounds.check("the start", start)?;
            }
        }
        self.options.check(p)?;
        self.direction.check()
    }

    /// Returns max(|θⱼ|, scaleⱼ), the size of a parameter.
    pub(super) fn size(&self, j: usize, theta: &[f64]) -> f64 {
        let scale = self.options.scale.get(j).copied().unwrap_or(1.0);
        theta[j].abs().max(scale)
    }

    /// Converts a step from θ to units of the parameters' sizes.
    pub(super) fn relative(&self, theta: &[f64], step: &[f64]) -> Vec<f64> {
        let relative = |(j, s): (usize, &f64)| s / self.size(j, theta);
        step.iter().enumerate().map(relative).collect()
    }
}
