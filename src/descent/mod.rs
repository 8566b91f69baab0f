//! The one loop: linearise, find a direction, try steps, judge, move on.

mod doubt;
mod here;
mod iterate;
mod outlook;
mod point;
mod report;
mod search;
mod stop;
mod stopping;
mod uncertainty;

pub use self::iterate::{Control, Counts, Iterate, Move, Snapshot};
pub use self::point::Remark;
pub use self::report::Report;
pub use self::stop::Stop;
pub use self::stopping::Tolerances;

use std::time::Instant;

use self::iterate::Progress;
use self::outlook::Outlook;
use self::point::Problem;
use self::search::Outcome;
use crate::check;
use crate::coordinates::{Bounds, Transform, check_transforms};
use crate::direction::{Direction, LeastSquares, Proposal};
use crate::error::Result;
use crate::linalg::{Backend, Cpu, Tally};
use crate::loss::Loss;
use crate::metric::Metric;
use crate::model::Model;
use crate::prior::Prior;
use crate::step::{StepRule, TrustRatio};

/// Minimises f(ρ(θ)) + R(θ) over θ by (natural) gradient descent.
///
/// Unless told otherwise it takes the metric that the loss names (which makes it Gauss-Newton), finds
/// directions by [`LeastSquares`], steps by [`TrustRatio`], and solves on the [`Cpu`].
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
    step: Option<&'a mut dyn StepRule>,
    backend: Option<&'a dyn Backend>,
    tolerances: Tolerances,
}

/// What is minimised, and how directions are found.
struct Setting<'a> {
    model: &'a dyn Model,
    loss: &'a dyn Loss,
    metric: Option<&'a dyn Metric>,
    first_metric: Option<FirstMetric<'a>>,
    direction: &'a dyn Direction,
    bounds: Option<&'a Bounds>,
    transforms: Option<&'a [Transform]>,
    priors: Vec<&'a dyn Prior>,
}

/// A metric to begin with, and the relative decrease of the objective in a step below which it has done its part.
#[derive(Clone, Copy)]
struct FirstMetric<'a> {
    metric: &'a dyn Metric,
    progress: f64,
}

const LEAST_SQUARES: &LeastSquares = &LeastSquares {
    rank_tolerance: 1e-12,
    damping: crate::direction::Damping::Diagonal,
};

impl<'a> Descent<'a> {
    /// A descent with the defaults.
    pub fn new(model: &'a dyn Model, loss: &'a dyn Loss) -> Self {
        Self {
            setting: Setting {
                model,
                loss,
                metric: None,
                first_metric: None,
                direction: LEAST_SQUARES,
                bounds: None,
                transforms: None,
                priors: Vec::new(),
            },
            step: None,
            backend: None,
            tolerances: Tolerances::default(),
        }
    }

    /// Measures steps with this metric instead of the one that the loss names.
    #[must_use]
    pub fn metric(mut self, metric: &'a dyn Metric) -> Self {
        self.setting.metric = Some(metric);
        self
    }

    /// Measures the first steps with another metric: until one reduces the objective by less than the fraction
    /// `progress`, such as 0.1, or none does. Some metrics see further from a bad start than the one that matches the
    /// loss, which in turn is much the faster near the end.
    #[must_use]
    pub fn first_metric(mut self, metric: &'a dyn Metric, progress: f64) -> Self {
        self.setting.first_metric = Some(FirstMetric { metric, progress });
        self
    }

    /// Finds directions in this way.
    #[must_use]
    pub fn direction(mut self, direction: &'a dyn Direction) -> Self {
        self.setting.direction = direction;
        self
    }

    /// Chooses steps by this rule, which may learn from one step to the next.
    #[must_use]
    pub fn step(mut self, step: &'a mut dyn StepRule) -> Self {
        self.step = Some(step);
        self
    }

    /// Keeps θ in a box.
    #[must_use]
    pub fn bounds(mut self, bounds: &'a Bounds) -> Self {
        self.setting.bounds = Some(bounds);
        self
    }

    /// Moves in other coordinates, one transform a parameter. Bounds and priors still speak of θ.
    #[must_use]
    pub fn transforms(mut self, transforms: &'a [Transform]) -> Self {
        self.setting.transforms = Some(transforms);
        self
    }

    /// Adds a prior on θ (not on transformed coordinates) to the objective.
    #[must_use]
    pub fn prior(mut self, prior: &'a dyn Prior) -> Self {
        self.setting.priors.push(prior);
        self
    }

    /// Solves on this backend.
    #[must_use]
    pub fn backend(mut self, backend: &'a dyn Backend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// Stops by these tolerances.
    #[must_use]
    pub fn tolerances(mut self, tolerances: Tolerances) -> Self {
        self.tolerances = tolerances;
        self
    }

    /// Descends from `theta`. The observer sees every iterate and may return [`Control::Stop`].
    ///
    /// # Errors
    /// Input that makes no sense, a start where the objective cannot be computed, and solves that fail at an
    /// accepted point. A trial point where something fails is only a bad trial.
    pub fn run<F: Into<Control>>(
        self,
        theta: &[f64],
        mut observer: impl FnMut(Snapshot<'_>) -> F,
    ) -> Result<Report> {
        self.check(theta)?;
        let started = Instant::now();
        let (cpu, mut trust) = (Cpu::default(), TrustRatio::default());
        let own = self.setting.loss.metric();
        let backend = self.backend.unwrap_or(&cpu);
        let systems = Tally::new(backend);
        let problem = Problem::new(self.setting, backend, own.as_deref(), &systems);
        let rule = self.step.unwrap_or(&mut trust);
        rule.start();
        let mut progress = Progress::new(problem.start(theta)?, rule.first().0);
        loop {
            let slow =
                |progress: &Progress| problem.first_phase().is_some_and(|p| progress.slowed(p));
            let switched = slow(&progress) && problem.end_first_phase();
            if switched {
                rule.start();
            }
            let point = progress.point().clone();
            let here = problem.linearise(&point)?;
            let mut stop = None;
            if !progress.recorded() {
                let snapshot = progress.record(&here, problem.counts(&here), started.elapsed());
                let flow = observer(snapshot).into();
                // A first metric that has come to rest is no end.
                let ended = progress.stop(&self.tolerances, flow);
                stop = ended.filter(|s| !(switched && s.is_rest()));
            }
            let stop = if stop.is_some() {
                problem.book(&here);
                stop
            } else {
                let settled = |left: &Outlook| progress.settled(&self.tolerances, left);
                let outcome = problem.search(here, rule, &settled)?;
                follow(outcome, (&problem, &mut progress), rule, &self.tolerances)
            };
            let Some(stop) = stop else { continue };
            return Ok(progress.report(stop, self.tolerances, &problem));
        }
    }

    /// The direction from `theta` at this damping, without a step: η, what it promises, its rank.
    ///
    /// η has an entry for every parameter, 0 for those that the gradient presses against a bound; with transforms
    /// it is a move in the transformed coordinates.
    ///
    /// ```
    /// use pullback::{Descent, Grid, loss::L2Misfit, models::{GaussianMixture, Parameter}};
    /// let grid = Grid::new(&[(-5.0, 5.0, 100)])?;
    /// let mixture = GaussianMixture::new(&grid)
    ///     .component(1.0, &[0.0], 1.0)
    ///     .free(&[Parameter::Mean(0, 0)])?;
    /// let loss = L2Misfit::new(&grid, mixture.density(&[0.1])?)?;
    /// let proposal = Descent::new(&mixture, &loss).propose(&[0.0], 0.0)?;
    /// assert!((proposal.eta[0] - 0.1).abs() < 1e-3); // a Gauss-Newton step, all but there
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`run`](Descent::run).
    pub fn propose(self, theta: &[f64], damping: f64) -> Result<Proposal> {
        self.check(theta)?;
        let sound = damping >= 0.0 && damping.is_finite();
        check::option(
            "the damping",
            damping,
            sound,
            "give a number that is not negative",
        )?;
        let cpu = Cpu::default();
        let own = self.setting.loss.metric();
        let backend = self.backend.unwrap_or(&cpu);
        let systems = Tally::new(backend);
        let problem = Problem::new(self.setting, backend, own.as_deref(), &systems);
        let point = problem.start(theta)?;
        let mut here = problem.linearise(&point)?;
        problem.factorise_priors(&mut here)?;
        let widest = problem.widest(&here);
        let mut path = problem.setting.direction.prepare(&here.local(&widest))?;
        let mut proposal = path.at(damping)?;
        let mut eta = vec![0.0; theta.len()];
        for (&i, move_) in here.chart.free.iter().zip(&proposal.eta) {
            eta[i] = *move_;
        }
        proposal.eta = eta;
        Ok(proposal)
    }

    fn check(&self, theta: &[f64]) -> Result<()> {
        let setting = &self.setting;
        check::length("the start θ", theta.len(), setting.model.param_dim())?;
        check::finite("the start θ", theta)?;
        if let Some(bounds) = setting.bounds {
            bounds.check(theta)?;
        }
        if let Some(transforms) = setting.transforms {
            check_transforms(transforms, theta)?;
        }
        if let Some(first) = setting.first_metric {
            check::option(
                "the progress that keeps the first metric",
                first.progress,
                first.progress >= 0.0 && first.progress < 1.0,
                "give a fraction such as 0.1",
            )?;
        }
        setting.direction.check()?;
        if let Some(step) = &self.step {
            step.check()?;
        }
        self.tolerances.check()
    }
}

/// Goes where a search led; says why the run ends if it led nowhere. A first metric that leads nowhere has done its part.
fn follow(
    outcome: Outcome,
    (problem, progress): (&Problem<'_>, &mut Progress),
    rule: &mut dyn StepRule,
    tolerances: &Tolerances,
) -> Option<Stop> {
    match outcome {
        Outcome::Moved(next, step) => progress.advance(next, step),
        _ if problem.first_phase().is_some() => {
            problem.end_first_phase();
            rule.start();
        }
        Outcome::Settled(stop) => return Some(stop),
        Outcome::Stuck {
            trials,
            slope,
            change,
        } => {
            let stalled = Stop::Stalled { trials, slope };
            return Some(progress.stuck(tolerances, change, stalled));
        }
    }
    None
}
