//! Descents: minimisation of an objective from a starting point.

mod attempt;
mod carried;
mod counts;
mod curvature;
mod derivative;
mod escape;
mod history;
mod learned;
mod linearise;
mod linearised;
mod memory;
mod point;
mod problem;
mod progress;
mod remaining;
mod remark;
mod report;
mod resume;
mod run;
mod saved;
mod saving;
mod search;
mod step_norm;
mod stop;
mod stopping;
mod trials;
mod uncertainty;

pub(crate) use self::carried::{Carried, CarriedState};
pub use self::counts::Counts;
pub use self::history::{Control, Iterate, Move, Snapshot};
pub use self::point::Evaluation;
pub(crate) use self::remaining::{PROBE, Remaining};
pub use self::remark::Remark;
pub use self::report::Report;
pub use self::run::Run;
pub use self::saved::Saved;
pub(crate) use self::step_norm::{NO_EFFECT, StepNorm};
pub use self::stop::Stop;
pub(crate) use self::stopping::{NO_DECREASE, Rule};
pub use self::stopping::{Test, Tolerances};
pub use crate::saving::SaveError;

use self::problem::{FirstMetric, Problem, Setting};
use crate::check;
use crate::coordinates::{Bounds, Transform, check_transforms};
use crate::direction::{Direction, LeastSquares, Proposal};
use crate::error::Result;
use crate::linalg::{Backend, Cpu};
use crate::loss::Loss;
use crate::metric::Metric;
use crate::model::Model;
use crate::posterior::{Posterior, Rank, Uncertainty, Variance};
use crate::prior::Prior;
use crate::saving::Schedule;
use crate::step::{StepRule, TrustRatio};

/// Minimisation of f(ρ(θ)) + R(θ) over θ by (natural) gradient descent.
///
/// The defaults are the metric of the loss (which gives Gauss-Newton), directions by [`LeastSquares`], steps
/// by [`TrustRatio`], and solves on the [`Cpu`].
///
/// ```
/// use pullback::{Descent, Grid, loss::L2Misfit, models::{GaussianMixture, Parameter}};
/// let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 5.0, 100)])?)
///     .component(1.0, &[0.0], 1.0)
///     .free(&[Parameter::Mean(0, 0), Parameter::Variance(0)])?;
/// let data = mixture.density(&[0.5, 1.5])?;
/// let loss = L2Misfit::new(mixture.grid(), data)?;
/// let report = Descent::new(&mixture, &loss).run(&[0.0, 1.0], |_| ())?;
/// assert!(report.converged());
/// assert!((report.theta[0] - 0.5).abs() < 1e-8 && (report.theta[1] - 1.5).abs() < 1e-8);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Descent<'a> {
    setting: Setting<'a>,
    step: &'a dyn StepRule,
    backend: &'a dyn Backend,
    tolerances: Tolerances,
    saving: Option<Schedule>,
}

impl<'a> Descent<'a> {
    /// Creates a descent with the default metric, direction, step rule, backend and tolerances.
    pub fn new(model: &'a dyn Model, loss: &'a dyn Loss) -> Self {
        Self {
            setting: Setting {
                model,
                loss,
                metric: None,
                first_metric: None,
                direction: LeastSquares::STANDARD,
                bounds: None,
                transforms: None,
                priors: Vec::new(),
            },
            step: TrustRatio::STANDARD,
            backend: Cpu::shared(),
            tolerances: Tolerances::default(),
            saving: None,
        }
    }

    /// Sets the metric, which replaces the metric of the loss.
    #[must_use]
    pub fn metric(mut self, metric: &'a dyn Metric) -> Self {
        self.setting.metric = Some(metric);
        self
    }

    /// Sets a separate metric for the first steps. This metric is used until a step reduces the objective by
    /// less than the fraction `progress`, such as 0.1, or until no step reduces the objective.
    ///
    /// From a poor start some metrics make better progress than the metric of the loss, which converges much
    /// faster near the minimum.
    #[must_use]
    pub fn first_metric(mut self, metric: &'a dyn Metric, progress: f64) -> Self {
        self.setting.first_metric = Some(FirstMetric { metric, progress });
        self
    }

    /// Sets the method that computes descent directions.
    #[must_use]
    pub fn direction(mut self, direction: &'a dyn Direction) -> Self {
        self.setting.direction = direction;
        self
    }

    /// Sets the step rule.
    #[must_use]
    pub fn step(mut self, step: &'a dyn StepRule) -> Self {
        self.step = step;
        self
    }

    /// Sets bounds on θ.
    #[must_use]
    pub fn bounds(mut self, bounds: &'a Bounds) -> Self {
        self.setting.bounds = Some(bounds);
        self
    }

    /// Sets one transform per parameter, in whose coordinates steps are taken. Bounds and priors still refer to θ.
    #[must_use]
    pub fn transforms(mut self, transforms: &'a [Transform]) -> Self {
        self.setting.transforms = Some(transforms);
        self
    }

    /// Adds a prior to the objective. The prior refers to θ, not to transformed coordinates.
    #[must_use]
    pub fn prior(mut self, prior: &'a dyn Prior) -> Self {
        self.setting.priors.push(prior);
        self
    }

    /// Sets the backend of the linear solves.
    #[must_use]
    pub fn backend(mut self, backend: &'a dyn Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Sets the tolerances of the stopping tests.
    #[must_use]
    pub fn tolerances(mut self, tolerances: Tolerances) -> Self {
        self.tolerances = tolerances;
        self
    }

    /// Runs the descent from `theta`. The observer receives every iterate and may return [`Control::Stop`].
    ///
    /// # Errors
    /// Fails if an input is invalid, if the objective cannot be computed at the start, or if a solve fails at an
    /// accepted point. A failure at a trial point only rejects the trial.
    pub fn run<F: Into<Control>>(
        &self,
        theta: &[f64],
        observer: impl FnMut(Snapshot<'_>) -> F,
    ) -> Result<Report> {
        self.begin(theta)?.finish(observer)
    }

    /// Begins a run at `theta` that the caller advances step by step.
    ///
    /// # Errors
    /// Fails if an input is invalid, or if the objective cannot be computed at the start.
    pub fn begin(&self, theta: &[f64]) -> Result<Run<'a>> {
        Ok(Run::new(self, theta, None)?.saving(self.saving.clone()))
    }

    /// Runs the descent from `theta` to its end, with an optional guess of the state there. Returns the cost also of a run
    /// that fails, except of one that fails at its start.
    pub(crate) fn attempt(&self, theta: &[f64], rho: Option<&[f64]>) -> (Result<Report>, Counts) {
        self.attempt_steps(theta, rho, usize::MAX)
    }

    /// Runs as [`attempt`](Self::attempt) does, but ends after at most so many steps.
    pub(crate) fn attempt_steps(
        &self,
        theta: &[f64],
        rho: Option<&[f64]>,
        steps: usize,
    ) -> (Result<Report>, Counts) {
        let mut run = match Run::new(self, theta, rho) {
            Ok(run) => run,
            Err(error) => return (Err(error), Counts::default()),
        };
        for _ in 0..steps {
            match run.step() {
                Ok(None) => {}
                Ok(Some(_)) => break,
                Err(error) => return (Err(error), run.report().counts),
            }
        }
        let report = run.report();
        let counts = report.counts;
        (Ok(report), counts)
    }

    /// Computes the direction η from `theta` at this damping, its predicted decrease and its rank, without
    /// taking a step.
    ///
    /// η has an entry for every parameter, 0 for parameters that are held at a bound. With transforms η is a
    /// step in the transformed coordinates.
    ///
    /// ```
    /// use pullback::{Descent, Grid, loss::L2Misfit, models::{GaussianMixture, Parameter}};
    /// let grid = Grid::new(&[(-5.0, 5.0, 100)])?;
    /// let mixture = GaussianMixture::new(&grid)
    ///     .component(1.0, &[0.0], 1.0)
    ///     .free(&[Parameter::Mean(0, 0)])?;
    /// let loss = L2Misfit::new(&grid, mixture.density(&[0.1])?)?;
    /// let proposal = Descent::new(&mixture, &loss).propose(&[0.0], 0.0)?;
    /// assert!((proposal.eta[0] - 0.1).abs() < 1e-3); // a Gauss-Newton step almost reaches 0.1
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails as [`run`](Descent::run) does.
    pub fn propose(&self, theta: &[f64], damping: f64) -> Result<Proposal> {
        self.begin(theta)?.propose(damping)
    }

    /// Returns p, the length of θ.
    pub fn param_dim(&self) -> usize {
        self.setting.model.param_dim()
    }

    /// Computes the objective f(ρ(θ)) + R(θ) at `theta`.
    ///
    /// # Errors
    /// Fails if an input is invalid, or if the objective cannot be computed or is not finite.
    pub fn objective(&self, theta: &[f64]) -> Result<f64> {
        self.objective_from(theta, None)
    }

    /// Computes the objective with an optional guess of the state.
    pub(crate) fn objective_from(&self, theta: &[f64], rho: Option<&[f64]>) -> Result<f64> {
        self.check(theta)?;
        Problem::new(self.setting.clone(), self.backend).objective(theta, rho)
    }

    /// Computes the objective f(ρ(θ)) + R(θ) at `theta` and its gradient, by one adjoint solve.
    ///
    /// The gradient is the derivative with respect to θ itself, not to transformed coordinates: with
    /// [`Transform::Log`], multiply ∂f/∂θⱼ by θⱼ for the derivative with respect to ln θⱼ
    /// ([`Transform::slope`](crate::Transform::slope)). It has an entry for every parameter, also for those that are fixed or at a
    /// bound.
    ///
    /// ```
    /// use pullback::models::dynamics::LotkaVolterra;
    /// use pullback::{Descent, evolution::Evolution, loss::L2Misfit};
    ///
    /// let model = Evolution::new(LotkaVolterra::new([1.0, 1.0])?, vec![1.0, 2.0, 3.0])?;
    /// let theta = [1.5, 1.0, 1.0, 3.0];
    /// let model = model.keep_steps(&theta)?; // a smooth function of θ, as differences need it
    /// let loss = L2Misfit::euclidean(vec![1.0; 6])?;
    /// let descent = Descent::new(&model, &loss);
    /// let evaluation = descent.gradient(&theta)?;
    /// for j in 0..4 {
    ///     let [above, below] = [1e-4, -1e-4].map(|h| {
    ///         let mut moved = theta;
    ///         moved[j] += h;
    ///         descent.gradient(&moved).map(|evaluation| evaluation.value)
    ///     });
    ///     let difference = (above? - below?) / 2e-4;
    ///     assert!((evaluation.gradient[j] - difference).abs() < 1e-5);
    /// }
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails if an input is invalid, if the objective cannot be computed or is not finite, and if the solve fails.
    pub fn gradient(&self, theta: &[f64]) -> Result<Evaluation> {
        self.check(theta)?;
        Problem::new(self.setting.clone(), self.backend).evaluation(theta)
    }

    /// Computes the Gaussian posterior at `theta`, for any number of parameters (see [`Posterior`]). Bounds and transforms are
    /// ignored.
    ///
    /// # Errors
    /// Fails as [`run`](Descent::run) does, if there is no prior, and if the prior leaves some parameters free.
    pub fn posterior(&self, theta: &[f64], rank: Rank) -> Result<Posterior<'a>> {
        self.check(theta)?;
        self.setting.posterior(self.backend, theta, None, rank)
    }

    fn uncertainty(&self, theta: &[f64], rho: &[f64], variance: Variance) -> Result<Uncertainty> {
        self.check(theta)?;
        self.setting.uncertainty(self.backend, theta, rho, variance)
    }

    /// Returns the loss.
    pub fn loss(&self) -> &'a dyn Loss {
        self.setting.loss
    }

    /// Returns the name of the direction.
    pub fn direction_name(&self) -> &'static str {
        self.setting.direction.name()
    }

    /// Returns whether there are priors.
    pub(crate) fn has_priors(&self) -> bool {
        !self.setting.priors.is_empty()
    }

    fn exact_uncertainty(&self, theta: &[f64], rho: &[f64]) -> Result<Uncertainty> {
        self.check(theta)?;
        self.setting
            .exact_uncertainty(self.backend, theta, Some(rho))
    }

    /// Returns the bounds and transforms of the parameters.
    pub(crate) fn domain(&self) -> (Option<&'a Bounds>, Option<&'a [Transform]>) {
        (self.setting.bounds, self.setting.transforms)
    }

    /// Returns the descent with other bounds, and without a target, at which it would stop before the minimum.
    pub(crate) fn within<'b>(&self, bounds: &'b Bounds) -> Descent<'b>
    where
        'a: 'b,
    {
        let setting = Setting {
            bounds: Some(bounds),
            ..self.setting.clone()
        };
        Descent {
            setting,
            step: self.step,
            backend: self.backend,
            tolerances: Tolerances {
                target: None,
                ..self.tolerances
            },
            saving: None,
        }
    }

    /// Checks that a point lies inside the bounds and the transforms. `what` names the point.
    pub(crate) fn check_domain(&self, what: &'static str, theta: &[f64]) -> Result<()> {
        if let Some(bounds) = self.setting.bounds {
            bounds.check(what, theta)?;
        }
        match self.setting.transforms {
            Some(transforms) => check_transforms(what, transforms, theta),
            None => Ok(()),
        }
    }

    /// Checks the settings and a starting point.
    pub(crate) fn check(&self, theta: &[f64]) -> Result<()> {
        let setting = &self.setting;
        check::length("the start θ", theta.len(), setting.model.param_dim())?;
        check::finite("the start θ", theta)?;
        self.check_domain("the start", theta)?;
        if let Some(first) = setting.first_metric {
            check::option(
                "the progress threshold of the first metric",
                first.progress,
                first.progress >= 0.0 && first.progress < 1.0,
                "give a fraction such as 0.1",
            )?;
        }
        setting.direction.check()?;
        self.step.check()?;
        let judge = self.step.begin();
        check::option(
            "the first scale of a step rule that searches, with a direction that keeps momentum,",
            judge.first().0,
            judge.is_scheduled() || !setting.direction.needs_schedule(),
            "take `Fixed` or `Decaying`",
        )?;
        self.tolerances.check()
    }
}
