//! Stochastic descents: steps on batches of the data, drawn anew in every epoch.
//!
//! Where the objective is a sum over many items, such as observations, experiments or labelled samples, a batch of them costs a
//! fraction of the sum, and its gradient is right on average. [`Stochastic`] takes the directions and step rules of a
//! [`Descent`], with any metric, and lets them carry what they remember from batch to batch.
//!
//! | data | items |
//! |---|---|
//! | observations of a [`Formula`](crate::automatic::Formula) | [`Measured`] |
//! | pairs of a model and a loss with common parameters | [`Experiments`] |
//! | samples with labels | [`models::Labelled`](crate::models::Labelled) |
//! | anything else | your own [`Items`] |

mod batches;
mod experiments;
mod items;
mod measured;
mod progress;
mod report;
mod resume;
mod run;
mod saved;
mod stacked;
mod states;
mod sum;

pub use self::experiments::Experiments;
pub use self::items::{Items, MiniBatch};
pub use self::measured::Measured;
pub use self::report::{Ending, Epoch, Report};
pub use self::run::Run;
pub use self::saved::Saved;

use std::path::PathBuf;

use self::states::States;
use crate::check;
use crate::coordinates::{Bounds, Transform};
use crate::descent::{Control, Descent, Tolerances};
use crate::direction::{Direction, LeastSquares};
use crate::error::Result;
use crate::linalg::{Backend, Cpu};
use crate::prior::Prior;
use crate::saving::Schedule;
use crate::step::{Annealed, Decaying, StepRule, TrustRatio};

/// Minimisation of Σ fᵢ(θ) + R(θ) by steps on batches of the items i.
///
/// Every epoch shuffles the items and takes one step on every batch. The objective of a batch is scaled to that of all items,
/// so that priors, dampings and scales keep their meaning with every size. Direction and step rule are those of a
/// [`Descent`], and carry what they remember from batch to batch: a batch of all items makes the steps of a [`Descent`].
///
/// The default direction is that of a [`Descent`]. The default step rule is [`Decaying`] for directions that keep momentum, [`TrustRatio`] for
/// others if a batch holds all items, and otherwise [`Annealed`], but [`Decaying`] for the gradient. A rule that judges trials sees their own batch alone, accepts what fits
/// its noise, and would not settle if its steps did not shrink. A natural direction needs batches of several times as many data as there
/// are parameters, since its metric is that of the batch.
/// [`StrongWolfe`](crate::step::StrongWolfe) searches along the objective of one batch, which pays on all items only. Stopping tests
/// are off. With [`Gradient`](crate::direction::Gradient) and a
/// [`Fixed`](crate::step::Fixed) step the method is stochastic gradient descent.
///
/// ```
/// use pullback::automatic::{Formula, Scalar};
/// use pullback::direction::Gradient;
/// use pullback::step::Fixed;
/// use pullback::stochastic::{Measured, Stochastic};
/// use pullback::Noise;
/// /// y = a + b t at 1000 times.
/// struct Line;
/// impl Formula for Line {
///     fn dims(&self) -> (usize, usize) { (1000, 2) }
///     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) { self.rows(theta, 0, out); }
///     fn rows<S: Scalar>(&self, theta: &[S], first: usize, out: &mut [S]) -> bool {
///         for (i, y) in out.iter_mut().enumerate() {
///             *y = theta[0] + theta[1] * ((first + i) as f64 / 1000.0);
///         }
///         true
///     }
/// }
/// let data: Vec<f64> = (0..1000).map(|i| 1.0 + 0.002 * i as f64).collect();
/// let items = Measured::new(&Line, data, &Noise::uniform(1000, 1.0)?)?;
/// let step = Fixed { scale: 1e-3 };
/// let descent = Stochastic::new(&items, 20).direction(&Gradient).step(&step).epochs(5);
/// let report = descent.run(&[0.0, 0.0], |epoch| println!("{epoch}"))?;
/// assert!((report.theta[1] - 2.0).abs() < 1e-3);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone)]
pub struct Stochastic<'a> {
    items: &'a dyn Items,
    size: usize,
    direction: &'a dyn Direction,
    step: Option<&'a dyn StepRule>,
    priors: Vec<&'a dyn Prior>,
    bounds: Option<&'a Bounds>,
    transforms: Option<&'a [Transform]>,
    backend: &'a dyn Backend,
    epochs: usize,
    seed: u64,
    averaged: usize,
    evaluated: bool,
    saving: Option<Schedule>,
}

impl<'a> Stochastic<'a> {
    /// Creates a descent with batches of at most `size` items.
    pub fn new(items: &'a dyn Items, size: usize) -> Self {
        Self {
            items,
            size,
            direction: LeastSquares::STANDARD,
            step: None,
            priors: Vec::new(),
            bounds: None,
            transforms: None,
            backend: Cpu::shared(),
            epochs: 10,
            seed: 0,
            averaged: 0,
            evaluated: false,
            saving: None,
        }
    }

    /// Sets the method that computes descent directions.
    #[must_use]
    pub fn direction(mut self, direction: &'a dyn Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Sets the step rule. The default is [`Decaying`] for directions that keep momentum, [`TrustRatio`] for others if a batch holds all
    /// items, and otherwise [`Annealed`], but [`Decaying`] for the gradient.
    #[must_use]
    pub fn step(mut self, step: &'a dyn StepRule) -> Self {
        self.step = Some(step);
        self
    }

    /// Returns the step rule.
    fn rule(&self) -> &'a dyn StepRule {
        match self.step {
            Some(step) => step,
            None if self.direction.needs_schedule() => Decaying::STANDARD,
            None if self.size == self.items.count() => TrustRatio::STANDARD,
            None if self.direction.needs_rate() => Decaying::STANDARD,
            None => Annealed::STANDARD,
        }
    }

    /// Adds a prior to the objective.
    #[must_use]
    pub fn prior(mut self, prior: &'a dyn Prior) -> Self {
        self.priors.push(prior);
        self
    }

    /// Sets bounds on θ.
    #[must_use]
    pub fn bounds(mut self, bounds: &'a Bounds) -> Self {
        self.bounds = Some(bounds);
        self
    }

    /// Sets one transform per parameter, in whose coordinates steps are taken.
    #[must_use]
    pub fn transforms(mut self, transforms: &'a [Transform]) -> Self {
        self.transforms = Some(transforms);
        self
    }

    /// Sets the backend of the linear solves.
    #[must_use]
    pub fn backend(mut self, backend: &'a dyn Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Sets the number of epochs, 10 by default.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Sets the seed of the shuffles.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Averages the parameters over all accepted steps of the last `epochs` epochs in which there are any (Polyak and Juditsky 1992).
    ///
    /// A run that ends early averages over its own last epochs.
    ///
    /// With steps of constant length the parameters do not come to rest, but wander about the minimum. Their average is closer
    /// to it.
    #[must_use]
    pub fn average(mut self, epochs: usize) -> Self {
        self.averaged = epochs;
        self
    }

    /// Computes the objective of all items after every epoch.
    #[must_use]
    pub fn evaluate(mut self) -> Self {
        self.evaluated = true;
        self
    }

    /// Saves runs to a file after every `every`-th epoch and at the end, or only at the end if `every` is 0. The file is replaced as
    /// a whole or not at all.
    ///
    /// An epoch fails if the file cannot be written, but its steps have been taken: the run may go on.
    #[must_use]
    pub fn save_every(mut self, every: usize, path: impl Into<PathBuf>) -> Self {
        self.saving = Some(Schedule::new(every, path.into()));
        self
    }

    /// Runs the descent from `theta`. The observer receives every epoch and may return [`Control::Stop`].
    ///
    /// # Errors
    /// Fails if an option or the start is invalid, if a batch is larger than the data, and if the objective of a batch is not
    /// finite or cannot be differentiated. A failure at a trial point only rejects the trial.
    pub fn run<F: Into<Control>>(
        &self,
        theta: &[f64],
        observer: impl FnMut(&Epoch) -> F,
    ) -> Result<Report> {
        self.begin(theta)?.finish(observer)
    }

    /// Begins a run at `theta` that the caller advances epoch by epoch.
    ///
    /// # Errors
    /// Fails if an option or the start is invalid, and if a batch is larger than the data.
    pub fn begin(&self, theta: &[f64]) -> Result<Run<'a>> {
        self.check(theta)?;
        Ok(Run::new(self, theta))
    }

    /// Returns the objective of all items.
    ///
    /// # Errors
    /// Fails if the objective cannot be computed or is not finite.
    pub fn objective(&self, theta: &[f64]) -> Result<f64> {
        self.objective_from(theta, &States::default())
    }

    /// Returns the objective of all items, whose solves start from these states.
    fn objective_from(&self, theta: &[f64], states: &States) -> Result<f64> {
        let all: Vec<usize> = (0..self.items.count()).collect();
        let batch = self.items.batch(&all)?;
        let lengths = batch.lengths(&all)?;
        let guess = lengths.map(|lengths| states.guess(&all, lengths));
        self.on(&batch).objective_from(theta, guess.as_deref())
    }

    /// Returns the descent on a batch, whose stopping tests are off.
    fn on<'b>(&self, batch: &'b MiniBatch<'_>) -> Descent<'b>
    where
        'a: 'b,
    {
        let mut descent = Descent::new(batch.model(), batch.loss())
            .direction(self.direction)
            .step(self.rule())
            .backend(self.backend)
            .tolerances(Tolerances {
                decrease: 0.0,
                step: 0.0,
                loss: 0.0,
                gradient: 0.0,
                target: None,
                iterations: usize::MAX,
            });
        if let Some(metric) = &batch.metric {
            descent = descent.metric(metric.as_ref());
        }
        if let Some(bounds) = self.bounds {
            descent = descent.bounds(bounds);
        }
        if let Some(transforms) = self.transforms {
            descent = descent.transforms(transforms);
        }
        self.priors
            .iter()
            .fold(descent, |descent, prior| descent.prior(*prior))
    }

    fn check(&self, theta: &[f64]) -> Result<()> {
        let count = self.items.count();
        let items = "give at least one";
        check::option("the number of items", count as f64, count > 0, items)?;
        check::option(
            "the size of a batch",
            self.size as f64,
            (1..=count).contains(&self.size),
            "give at least 1 and at most the number of items",
        )?;
        check::option(
            "the size of a batch, with a direction that takes differences of gradients,",
            self.size as f64,
            self.size == count || self.direction.fits_batches(),
            "take batches of all items, or `Adam`, `Momentum` or `Kfac`",
        )?;
        let epochs = "give at least one";
        check::option(
            "the number of epochs",
            self.epochs as f64,
            self.epochs > 0,
            epochs,
        )?;
        check::option(
            "the number of averaged epochs",
            self.averaged as f64,
            self.averaged <= self.epochs,
            "average at most all epochs",
        )?;
        check::length("the start θ", theta.len(), self.items.param_dim())?;
        self.items.check(theta)
    }
}
