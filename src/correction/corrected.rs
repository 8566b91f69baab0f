//! The iteration θ ← θ − (ZᵀMZ)⁻¹ZᵀM(h(θ) − q).

use std::sync::Arc;

use super::Simulator;
use super::iteration::{Run, Way};
use super::report::{Correction, Estimate};
use crate::coordinates::Bounds;
use crate::direction::{Direction, LeastSquares};
use crate::error::{Error, Result};
use crate::linalg::{Backend, Cpu, Reuse, Tally, merge_solved};
use crate::metric::Metric;
use crate::model::Model;
use crate::{check, random};

/// Fits a [`Simulator`] to data with the derivative of a [`Model`] that only approximates it.
///
/// A fit of the model itself inherits the model's error. Here the residual h(θ) − q is the simulator's, and the
/// model supplies Z and the metric M alone: θ ← θ − (ZᵀMZ)⁻¹ZᵀM(h(θ) − q). Its fixed point ZᵀM(h(θ) − q) = 0 holds at
/// the truth whatever the model's error, which only sets how fast the iteration contracts.
///
/// ```
/// use pullback::{Grid, Linearisation, Result};
/// use pullback::correction::{Corrected, Simulated, Simulator};
/// use pullback::metric::L2;
/// use pullback::models::{GaussianMixture, Parameter};
/// # let grid = Grid::new(&[(-5.0, 5.0, 50)])?;
/// # let of = |variance: f64| GaussianMixture::new(&grid).component(1.0, &[0.0], variance).free(&[Parameter::Mean(0, 0)]);
/// /// The truth: a Gaussian of variance 1. The model believes in a variance of 1.3.
/// struct Truth(GaussianMixture);
/// impl Simulator for Truth {
///     fn simulate(&self, theta: &[f64], _: u64) -> Result<Simulated> { Ok(self.0.density(theta)?.into()) }
/// }
/// let (truth, model) = (Truth(of(1.0)?), of(1.3)?);
/// let data = truth.simulate(&[0.7], 0)?.data()?;
/// let metric = L2::new(&grid);
/// let estimate = Corrected::new(&model, &truth, &data, &metric).run(&[&[0.0]], |_| ())?;
/// assert!(estimate.converged() && (estimate.theta[0] - 0.7).abs() < 1e-6);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Corrected<'a> {
    pub(super) model: &'a dyn Model,
    pub(super) simulator: &'a dyn Simulator,
    pub(super) data: &'a [f64],
    pub(super) metric: &'a dyn Metric,
    pub(super) direction: &'a dyn Direction,
    pub(super) bounds: Option<&'a Bounds>,
    backend: Option<&'a dyn Backend>,
    pub(super) options: Options,
}

/// How a correction goes about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Most that one step may change a parameter, relative to the larger of its size and its scale.
    pub cap: f64,
    /// Sizes of parameters near zero, one a parameter; if empty, those of the first start, or 1 where that is 0.
    pub scale: Vec<f64>,
    /// A relative step that ends the iteration.
    pub tolerance: f64,
    /// Most steps from one start.
    pub iterations: usize,
    /// Fewest iterates that are averaged once they only jitter; more where each is much like the one before.
    pub average: usize,
    /// Further starts that are tried when those given are used up, scattered around the first of them.
    pub restarts: usize,
    /// How far: by up to this fraction of a parameter's size.
    pub scatter: f64,
    /// The seed of the first simulation; the next ones count up.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cap: 0.3,
            scale: Vec::new(),
            tolerance: 1e-8,
            iterations: 60,
            average: 12,
            restarts: 20,
            scatter: 0.4,
            seed: 1,
        }
    }
}

/// Reasons for leaving starts that an error names.
const REASONS: usize = 3;

impl<'a> Corrected<'a> {
    /// A correction with the defaults: least squares, no bounds, on the [`Cpu`].
    pub fn new(
        model: &'a dyn Model,
        simulator: &'a dyn Simulator,
        data: &'a [f64],
        metric: &'a dyn Metric,
    ) -> Self {
        Self {
            model,
            simulator,
            data,
            metric,
            direction: LeastSquares::STANDARD,
            bounds: None,
            backend: None,
            options: Options::default(),
        }
    }

    /// Finds directions in this way.
    #[must_use]
    pub fn direction(mut self, direction: &'a dyn Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Keeps θ in a box.
    #[must_use]
    pub fn bounds(mut self, bounds: &'a Bounds) -> Self {
        self.bounds = Some(bounds);
        self
    }

    /// Solves on this backend.
    #[must_use]
    pub fn backend(mut self, backend: &'a dyn Backend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// Goes about it in this way.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Corrects from the first start that the simulator does not object to; the observer sees every step.
    ///
    /// Starts are fits of the model, or what else is at hand. One is left for the next when the simulation there, or
    /// on the way even by a step an eighth as long, is of another kind than the data; then for random ones nearby.
    ///
    /// # Errors
    /// Input that makes no sense, failing solves, and [`Error::NoStart`] when no start is left.
    pub fn run(
        &self,
        starts: &[&[f64]],
        mut observer: impl FnMut(&Correction),
    ) -> Result<Estimate> {
        self.check(starts)?;
        let cpu = Cpu::default();
        let backend = self.backend.unwrap_or(&cpu);
        let tally = Tally::new(backend).sharing(Arc::new(Reuse::new(backend)));
        self.simulator.check(self.data)?;
        let mut setting = Self {
            options: self.options.clone(),
            ..*self
        };
        if setting.options.scale.is_empty() {
            let size = |t: &f64| if *t == 0.0 { 1.0 } else { t.abs() };
            setting.options.scale = starts[0].iter().map(size).collect();
        }
        let mut run = Run {
            setting: &setting,
            finder: setting.direction.begin(),
            backend: &tally,
            estimate: Estimate::new(),
        };
        let scattered = (0..self.options.restarts).map(|k| setting.scattered(starts[0], k));
        let given = starts.iter().map(|start| start.to_vec());
        for start in given.chain(scattered) {
            run.estimate.begin(&start);
            match run.follow(&start, &mut observer)? {
                Way::Arrived(ending) => {
                    run.estimate.ending = ending;
                    run.estimate.solvers = merge_solved(tally.solved());
                    return Ok(run.estimate);
                }
                Way::Abandoned(reason) => run.estimate.abandoned.push(reason),
            }
        }
        let mut reasons = run.estimate.abandoned;
        let more = reasons.len().saturating_sub(REASONS);
        reasons.truncate(REASONS);
        if more > 0 {
            reasons.push(format!("and {more} starts more"));
        }
        Err(Error::NoStart {
            reasons: reasons.join("; "),
        })
    }

    /// A start near another.
    fn scattered(&self, start: &[f64], k: usize) -> Vec<f64> {
        let Options { scatter, seed, .. } = self.options;
        let moves = random::uniform(
            start.len(),
            (-scatter, scatter),
            seed ^ (k as u64 + 1) << 32,
        );
        let moved = start.iter().zip(moves).enumerate();
        let mut theta: Vec<f64> = moved
            .map(|(j, (t, m))| t + m * self.size(j, start))
            .collect();
        if let Some(bounds) = self.bounds {
            bounds.clamp(&mut theta);
        }
        theta
    }

    fn check(&self, starts: &[&[f64]]) -> Result<()> {
        let p = self.model.param_dim();
        check::length("the data", self.data.len(), self.model.state_dim())?;
        check::finite("the data", self.data)?;
        let some = !starts.is_empty();
        check::option("the number of starts", 0.0, some, "give at least one")?;
        for start in starts {
            check::length("a start θ", start.len(), p)?;
            check::finite("a start θ", start)?;
            if let Some(bounds) = self.bounds {
                bounds.check(start)?;
            }
        }
        let Options {
            cap,
            scale,
            average,
            scatter,
            ..
        } = &self.options;
        let sound = *scatter >= 0.0 && scatter.is_finite();
        check::option(
            "the scatter of restarts",
            *scatter,
            sound,
            "give a fraction such as 0.4",
        )?;
        let sound = *cap > 0.0 && cap.is_finite();
        check::option(
            "the cap of a correction",
            *cap,
            sound,
            "give a fraction such as 0.3",
        )?;
        let remedy = "average at least six iterates, since fewer do not show their spread";
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
        self.direction.check()
    }

    /// max(|θⱼ|, scaleⱼ).
    pub(super) fn size(&self, j: usize, theta: &[f64]) -> f64 {
        let scale = self.options.scale.get(j).copied().unwrap_or(1.0);
        theta[j].abs().max(scale)
    }

    /// The step from θ in units of the parameters' sizes.
    pub(super) fn relative(&self, theta: &[f64], step: &[f64]) -> Vec<f64> {
        let relative = |(j, s): (usize, &f64)| s / self.size(j, theta);
        step.iter().enumerate().map(relative).collect()
    }
}
