//! The stochastic descent.

use std::time::{Duration, Instant};

use super::batches::batches;
use super::items::{Items, MiniBatch};
use super::report::{Ending, Epoch, Report};
use crate::check;
use crate::coordinates::{Bounds, Transform};
use crate::descent::{Carried, Control, Counts, Descent, Tolerances};
use crate::direction::{Direction, LeastSquares};
use crate::error::Result;
use crate::linalg::{Backend, Cpu};
use crate::prior::Prior;
use crate::step::{StepRule, TrustRatio};

/// Minimisation of Σ fᵢ(θ) + R(θ) by steps on batches of the items i.
///
/// Every epoch shuffles the items and takes one step on every batch. The objective of a batch is scaled to that of all items,
/// so that priors, dampings and scales keep their meaning with every size. Direction and step rule are those of a
/// [`Descent`], with the same defaults, and carry what they remember from batch to batch: a batch of all items makes the steps
/// of a [`Descent`].
///
/// Steps are judged on their own batch, and stopping tests are off. With [`Gradient`](crate::direction::Gradient) and a
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
    step: &'a dyn StepRule,
    priors: Vec<&'a dyn Prior>,
    bounds: Option<&'a Bounds>,
    transforms: Option<&'a [Transform]>,
    backend: &'a dyn Backend,
    epochs: usize,
    seed: u64,
    averaged: usize,
    evaluated: bool,
}

impl<'a> Stochastic<'a> {
    /// Creates a descent with batches of at most `size` items.
    pub fn new(items: &'a dyn Items, size: usize) -> Self {
        Self {
            items,
            size,
            direction: LeastSquares::STANDARD,
            step: TrustRatio::STANDARD,
            priors: Vec::new(),
            bounds: None,
            transforms: None,
            backend: Cpu::shared(),
            epochs: 10,
            seed: 0,
            averaged: 0,
            evaluated: false,
        }
    }

    /// Sets the method that computes descent directions.
    #[must_use]
    pub fn direction(mut self, direction: &'a dyn Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Sets the step rule.
    #[must_use]
    pub fn step(mut self, step: &'a dyn StepRule) -> Self {
        self.step = step;
        self
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

    /// Averages the parameters over all steps of the last `epochs` epochs (Polyak and Juditsky 1992).
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

    /// Runs the descent from `theta`. The observer receives every epoch and may return [`Control::Stop`].
    ///
    /// # Errors
    /// Fails if an option or the start is invalid, if a batch is larger than the data, and if the objective of a batch is not
    /// finite or cannot be differentiated. A failure at a trial point only rejects the trial.
    pub fn run<F: Into<Control>>(
        &self,
        theta: &[f64],
        mut observer: impl FnMut(&Epoch) -> F,
    ) -> Result<Report> {
        self.check(theta)?;
        let mut walk = Walk::new(self, theta);
        let mut ending = Ending::Epochs;
        for epoch in 0..self.epochs {
            let rejected = walk.rejected;
            let batches = batches(self.items.count(), self.size, (self.seed, epoch));
            for chosen in &batches {
                walk.step(chosen)?;
                if epoch + self.averaged >= self.epochs {
                    walk.average();
                }
            }
            walk.finish(epoch + 1, batches.len())?;
            let stopped = walk.history.last().map(|epoch| observer(epoch).into());
            if stopped == Some(Control::Stop) {
                ending = Ending::Observer;
                break;
            }
            if walk.rejected - rejected == batches.len() {
                ending = Ending::Rejected;
                break;
            }
        }
        Ok(walk.report(ending))
    }

    /// Returns the objective of all items.
    ///
    /// # Errors
    /// Fails if the objective cannot be computed or is not finite.
    pub fn objective(&self, theta: &[f64]) -> Result<f64> {
        let all: Vec<usize> = (0..self.items.count()).collect();
        let batch = self.items.batch(&all)?;
        self.descent(&batch).objective(theta)
    }

    /// Returns the descent on a batch, whose stopping tests are off.
    fn descent<'b>(&self, batch: &'b MiniBatch<'_>) -> Descent<'b>
    where
        'a: 'b,
    {
        let mut descent = Descent::new(batch.model(), batch.loss())
            .direction(self.direction)
            .step(self.step)
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
        check::length("the start θ", theta.len(), self.items.param_dim())
    }
}

/// Stochastic descent in progress.
struct Walk<'s, 'a> {
    setting: &'s Stochastic<'a>,
    carried: Carried<'a>,
    theta: Vec<f64>,
    /// Sum of the averaged parameters and their number.
    sum: (Vec<f64>, usize),
    history: Vec<Epoch>,
    counts: Counts,
    steps: usize,
    rejected: usize,
    /// Sum of the objectives of the batches of the epoch.
    total: f64,
    started: Instant,
    /// Time spent on objectives of all items.
    evaluations: Duration,
}

impl<'s, 'a> Walk<'s, 'a> {
    fn new(setting: &'s Stochastic<'a>, theta: &[f64]) -> Self {
        Self {
            carried: Carried::new(setting.direction, setting.step),
            setting,
            theta: theta.to_vec(),
            sum: (vec![0.0; theta.len()], 0),
            history: Vec::new(),
            counts: Counts::default(),
            steps: 0,
            rejected: 0,
            total: 0.0,
            started: Instant::now(),
            evaluations: Duration::ZERO,
        }
    }

    /// Takes a step on a batch.
    fn step(&mut self, chosen: &[usize]) -> Result<()> {
        let batch = self.setting.items.batch(chosen)?;
        let descent = self.setting.descent(&batch);
        let stepped = descent.carry(&self.theta, &mut self.carried)?;
        self.total += stepped.before;
        self.counts += stepped.counts;
        match stepped.theta {
            Some(theta) => {
                self.theta = theta;
                self.steps += 1;
            }
            None => self.rejected += 1,
        }
        Ok(())
    }

    /// Adds the parameters to the average.
    fn average(&mut self) {
        let pairs = self.sum.0.iter_mut().zip(&self.theta);
        pairs.for_each(|(sum, theta)| *sum += theta);
        self.sum.1 += 1;
    }

    /// Ends an epoch with so many batches.
    fn finish(&mut self, epoch: usize, batches: usize) -> Result<()> {
        let seconds = (self.started.elapsed() - self.evaluations).as_secs_f64();
        let before = Instant::now();
        let objective = match self.setting.evaluated {
            true => Some(self.setting.objective(&self.theta)?),
            false => None,
        };
        self.evaluations += before.elapsed();
        self.history.push(Epoch {
            epoch,
            theta: self.theta.clone(),
            mean: std::mem::take(&mut self.total) / batches as f64,
            objective,
            steps: self.steps,
            rejected: self.rejected,
            counts: self.counts,
            seconds,
        });
        Ok(())
    }

    fn report(self, ending: Ending) -> Report {
        let (sum, count) = self.sum;
        let mean = |sum: Vec<f64>| sum.iter().map(|s| s / count as f64).collect();
        Report {
            theta: self.theta,
            average: (count > 0).then(|| mean(sum)),
            history: self.history,
            ending,
            counts: self.counts,
            last_failure: self.carried.failure(),
            remarks: self.carried.remarks(),
        }
    }
}
