//! Models that move: ordinary differential equations, algebraic equations among them, and partial differential equations on a grid,
//! observed at given times.
//!
//! [`Dynamics`] are a rate and an initial value, written once for all scalars. [`Evolution`] makes a model of them. Its state ρ
//! holds what is observed, x(t) itself by default, at one time after the other. An [`Experiment`] has its own times and inputs.
//!
//! ```
//! use pullback::automatic::Scalar;
//! use pullback::evolution::{Dynamics, Evolution};
//! use pullback::{Descent, loss::L2Misfit};
//!
//! /// Prey x₀ and predators x₁ (Lotka and Volterra). θ holds two rates of growth and two of death.
//! struct LotkaVolterra;
//!
//! impl Dynamics for LotkaVolterra {
//!     fn dims(&self) -> (usize, usize) {
//!         (2, 4)
//!     }
//!
//!     fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
//!         let meetings = x[0] * x[1];
//!         out[0] = theta[0] * x[0] - theta[1] * meetings;
//!         out[1] = theta[2] * meetings - theta[3] * x[1];
//!     }
//!
//!     fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
//!         out[0] = S::from(1.0);
//!         out[1] = S::from(1.0);
//!     }
//! }
//!
//! let times = (1..=20).map(|i| 0.5 * f64::from(i)).collect();
//! let model = Evolution::new(LotkaVolterra, times)?;
//! let data = model.predict(&[1.5, 1.0, 1.0, 3.0])?;
//! let loss = L2Misfit::euclidean(data)?;
//! let report = Descent::new(&model, &loss).run(&[1.4, 1.1, 0.9, 2.8], |_| ())?;
//! assert!(report.converged() && (report.theta[3] - 3.0).abs() < 1e-6);
//! # Ok::<(), pullback::Error>(())
//! ```
//!
//! # Derivatives
//!
//! Tangents and adjoints are those of the steps that were taken: they agree with each other to rounding, and with differences of
//! the computed states as long as the steps do not change. Steps that are chosen anew for every θ change the states by about
//! their accuracy. [`Evolution::keep_steps`] fixes them, for [`verify`](crate::verify) and for the last digits of a fit.
//!
//! The times of [events](Dynamics::events) depend on θ. Steps from an event to the next observation, or change of inputs, are
//! fractions of the distance, which the derivatives take into account. Second derivatives are unknown then.

mod backward;
mod checkpoints;
mod controller;
mod course;
mod crossing;
mod derivative;
mod dynamics;
mod error;
mod events;
mod experiment;
mod forward;
mod lanes;
mod linearised;
mod march;
mod method;
mod newton;
mod plan;
mod problem;
mod replay;
mod root;
mod second_order;
mod sensitivity;
mod stage;
mod stepper;
mod structures;
mod trajectory;
mod watch;
mod window;

pub use self::dynamics::{Covectors, Dynamics};
pub use self::error::Error;
pub use self::experiment::Experiment;
pub use self::method::Method;
pub use self::window::Window;

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;

use self::course::Course;
use self::linearised::Linearised;
use self::march::march;
use self::plan::{Accuracy, Plan, Steps};
use self::problem::Problem;
use self::sensitivity::Sweeps;
use self::structures::Known;
use self::trajectory::Trajectory;
use self::watch::Watch;
use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Operator};
use crate::model::Model;
use crate::model::adjoint::{Sensitivity, explicit_jacobian};

/// Model of [`Dynamics`] observed at given times: ρ holds what is observed at the first time, then at the second, and so on, for
/// the first [`Experiment`], then for the second, and so on.
///
/// The page of the [module](self) has an example. Derivatives are stored densely for up to 32 components. For larger states their
/// entries are found, and the systems of implicit stages are banded or sparse.
pub struct Evolution<D> {
    dynamics: Arc<D>,
    experiments: Vec<Experiment>,
    courses: Vec<Course>,
    plan: Plan,
    /// Number of parameters of the model.
    parameters: usize,
    watch: Watch,
    /// Entries of all derivatives, found at the first linearisation.
    known: Known,
}

/// Largest number of steps by default.
const MOST_STEPS: usize = 100_000;

/// Bytes that the record of a phase may take by default.
const MEMORY: usize = 1 << 30;

impl<D: Dynamics> Evolution<D> {
    /// Creates the model of dynamics from t = 0, observed at these times, with the explicit method and chosen steps.
    ///
    /// # Errors
    /// As [`over`](Self::over).
    pub fn new(dynamics: D, times: Vec<f64>) -> Result<Self> {
        Self::over(dynamics, vec![Experiment::new(times)])
    }

    /// Creates the model of experiments on the same dynamics.
    ///
    /// # Errors
    /// Fails if there are no experiments, if their times do not increase or are not finite, if an entry of the parameters does
    /// not exist, and if a parameter of the model occurs in no experiment.
    pub fn over(dynamics: D, experiments: Vec<Experiment>) -> Result<Self> {
        let some = !experiments.is_empty();
        check::option("the number of experiments", 0.0, some, "give at least one")?;
        let ((n, p), outputs) = (dynamics.dims(), dynamics.outputs());
        let what = "the number of components and of observables of dynamics";
        let least = n.min(outputs);
        check::option(what, least as f64, least > 0, "give at least one of each")?;
        let several = experiments.len() > 1;
        let course =
            |(index, experiment): (usize, &Experiment)| match (experiment.course(p), several) {
                (Err(error), true) => Err(Error::of_experiment(index, error)),
                (course, _) => course,
            };
        let courses = experiments.iter().enumerate().map(course);
        let courses = courses.collect::<Result<Vec<Course>>>()?;
        let parameters = count_parameters(&courses)?;
        let plan = Plan {
            method: Method::default(),
            tableau: Method::default().tableau(),
            accuracy: Accuracy::default(),
            steps: Steps::Chosen,
            most_steps: MOST_STEPS,
            memory: MEMORY,
            kept: None,
        };
        let watch = Watch::new(dynamics.events());
        Ok(Self {
            dynamics: Arc::new(dynamics),
            experiments,
            courses,
            plan,
            parameters,
            watch,
            known: Known::default(),
        })
    }

    /// Sets the method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        (self.plan.method, self.plan.tableau) = (method, method.tableau());
        self
    }

    /// Sets the accuracy of chosen steps.
    ///
    /// # Errors
    /// Fails if a number is negative or not finite, and if there is neither one absolute accuracy nor one per component.
    pub fn accuracy(self, relative: f64, absolute: &[f64]) -> Result<Self> {
        let absolute = absolute.to_vec();
        self.with(|plan| plan.accuracy = Accuracy { relative, absolute })
    }

    /// Sets the largest number of steps of a phase.
    #[must_use]
    pub fn most_steps(mut self, steps: usize) -> Self {
        self.plan.most_steps = steps;
        self
    }

    /// Sets the bytes that the record of a phase may take, 1 GiB by default.
    ///
    /// Where linearised steps take more, sweeps linearise them again, from the states of all stages if these fit. If they do not,
    /// a backward sweep stores as many states as fit, and takes every step a few times (Griewank and Walther 2000): with 30 states
    /// for 10,000 steps, 3.4 times. The derivatives are the same to the last bit. Second derivatives are known as long as the
    /// states of all stages fit.
    ///
    /// The limit holds for the record and for each sweep by itself. A batch of columns is swept in groups of up to eight, at the
    /// same time on several threads, and every sweep that takes steps again stores its own states.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.plan.memory = bytes;
        self
    }

    /// Takes steps of equal length between times, at most as long as `h`. Steps to a steady state are chosen.
    ///
    /// # Errors
    /// Fails if the length is not positive and finite.
    pub fn every(self, h: f64) -> Result<Self> {
        self.with(|plan| (plan.steps, plan.kept) = (Steps::Every(h), None))
    }

    /// Fixes the steps to those chosen at θ. With events, their order is fixed, and the steps to them are found anew for every θ.
    ///
    /// # Errors
    /// Fails if the integration at θ fails.
    pub fn keep_steps(self, theta: &[f64]) -> Result<Self> {
        let chosen = self.with(|plan| plan.kept = None)?;
        let trajectories = chosen.each(theta, |problem| march(problem, false))?;
        let lengths =
            |trajectory: &Trajectory| trajectory.legs.iter().map(|leg| leg.lengths()).collect();
        let kept = trajectories.iter().map(lengths).collect();
        chosen.with(|plan| plan.kept = Some(kept))
    }

    fn with(mut self, change: impl FnOnce(&mut Plan)) -> Result<Self> {
        change(&mut self.plan);
        self.plan.check(self.dynamics.dims().0)?;
        Ok(self)
    }

    /// Returns the dynamics.
    pub fn dynamics(&self) -> &D {
        &self.dynamics
    }

    /// Returns the experiments.
    pub fn experiments(&self) -> &[Experiment] {
        &self.experiments
    }

    /// Returns what is observed in all experiments at all their times, one after the other.
    ///
    /// # Errors
    /// Fails if θ has the wrong length or is not finite, and if the integration fails ([`Error`]).
    pub fn predict(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let trajectories = self.each(theta, |problem| march(problem, false))?;
        let (n, outputs) = (self.dynamics.dims().0, self.dynamics.outputs());
        let mut rho = vec![f64::NAN; self.state_dim()];
        let mut out = rho.chunks_exact_mut(outputs);
        for (course, trajectory) in self.courses.iter().zip(&trajectories) {
            for leg in &trajectory.legs {
                let phase = &course.phases[leg.phase];
                let parameters = phase.gather(theta);
                let seen = phase.times[leg.before..]
                    .iter()
                    .zip(leg.observed.chunks_exact(n));
                for ((t, x), out) in seen.zip(&mut out) {
                    self.dynamics.observe(*t, x, &parameters, out);
                }
            }
        }
        Ok(rho)
    }

    /// Works on every experiment, over all threads if there are several.
    fn each<'s, T: Send>(
        &'s self,
        theta: &'s [f64],
        work: impl Fn(&Problem<'s, D>) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        check::length("θ", theta.len(), self.parameters)?;
        check::finite("θ", theta)?;
        self.plan.method.check()?;
        self.check_method()?;
        let one = |index: usize| {
            work(&Problem {
                dynamics: &self.dynamics,
                plan: &self.plan,
                course: &self.courses[index],
                kept: self.plan.kept.as_ref().map(|kept| &kept[index][..]),
                theta,
                known: &self.known,
                watch: &self.watch,
            })
        };
        if self.courses.len() == 1 {
            return Ok(vec![one(0)?]);
        }
        let all: Vec<Result<T>> = (0..self.courses.len()).into_par_iter().map(one).collect();
        let named = |(index, found): (usize, Result<T>)| {
            found.map_err(|error| Error::of_experiment(index, error))
        };
        all.into_iter().enumerate().map(named).collect()
    }

    /// Checks that the method can integrate the equations.
    fn check_method(&self) -> Result<()> {
        if self.plan.tableau.is_implicit() {
            return Ok(());
        }
        let mut phases = self.courses.iter().flat_map(|course| &course.phases);
        let what = if (0..self.dynamics.dims().0).any(|i| self.dynamics.is_algebraic(i)) {
            "algebraic equations"
        } else if phases.any(|phase| phase.settles()) {
            "steady states"
        } else {
            return Ok(());
        };
        Err(Error::Implicit { what }.into())
    }

    /// Returns the linearised steps at θ.
    fn sweeps<'s>(&'s self, theta: &'s [f64]) -> Result<Sweeps<'s>> {
        let linearise = |problem: &Problem<'s, D>| Linearised::new(problem, march(problem, true)?);
        Ok(Sweeps::new(self.parameters, self.each(theta, linearise)?))
    }
}

/// Returns the number of parameters of the model, each of which must occur in an experiment.
fn count_parameters(courses: &[Course]) -> Result<usize> {
    let mut used = BTreeSet::new();
    courses
        .iter()
        .for_each(|course| Experiment::parameters(course, &mut used));
    let count = used.last().map_or(0, |last| last + 1);
    match (0..count).find(|index| !used.contains(index)) {
        Some(parameter) => Err(Error::Unused { parameter, count }.into()),
        None => Ok(count),
    }
}

impl<D: Dynamics> Model for Evolution<D> {
    fn state_dim(&self) -> usize {
        let observations = self.courses.iter().map(|course| course.observations);
        self.dynamics.outputs() * observations.sum::<usize>()
    }

    fn param_dim(&self) -> usize {
        self.parameters
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        match self.predict(theta) {
            Ok(states) => out.copy_from_slice(&states),
            Err(_) => out.fill(f64::NAN),
        }
        out.iter_mut().zip(rho).for_each(|(g, r)| *g = r - *g);
    }

    fn state_jacobian<'a>(&'a self, rho: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(rho.len())
    }

    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        match self.sweeps(theta) {
            Ok(sweeps) => explicit_jacobian(Box::new(sweeps)),
            Err(_) => Operator::free(
                rho.len(),
                theta.len(),
                Box::new(|_, _, mut out| out.fill(f64::NAN)),
            ),
        }
    }

    fn linearise<'a>(
        &'a self,
        _: &'a [f64],
        theta: &'a [f64],
        _: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        Ok(Box::new(self.sweeps(theta)?))
    }

    fn diagnose(&self, _: &[f64], theta: &[f64]) -> Result<()> {
        self.sweeps(theta).map(drop)
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        let states = self.predict(theta)?;
        check::length("the state ρ", rho.len(), states.len())?;
        rho.copy_from_slice(&states);
        Ok(())
    }
}
