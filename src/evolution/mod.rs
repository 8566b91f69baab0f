//! Models that move: ordinary differential equations, observed at given times.
//!
//! [`Dynamics`] are a rate and an initial value, written once for all scalars. [`Evolution`] makes a model of them. Its state ρ
//! holds x(t) at the observation times, one time after the other.
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

// Nothing replays steps yet.
#[cfg_attr(not(test), allow(dead_code))]
mod checkpoints;
mod controller;
mod dynamics;
mod error;
mod march;
mod matrix;
mod method;
mod plan;
mod sweeps;
mod trajectory;

pub use self::dynamics::Dynamics;
pub use self::error::Error;
pub use self::method::Method;

use self::dynamics::{Initial, Rate};
use self::march::March;
use self::plan::{Accuracy, Plan, Steps};
use self::sweeps::Sweeps;
use self::trajectory::Trajectory;
use crate::automatic::Curve;
use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Operator};
use crate::model::Model;
use crate::model::adjoint::{Sensitivity, explicit_jacobian};

/// Model of [`Dynamics`] observed at given times: ρ holds x(t) at the first time, then at the second, and so on.
///
/// The page of the [module](self) has an example. Derivatives with respect to x and θ are stored for every stage, which suits
/// states of at most some dozen components.
pub struct Evolution<D> {
    dynamics: D,
    plan: Plan,
}

/// Largest number of steps by default.
const MOST_STEPS: usize = 100_000;

impl<D: Dynamics> Evolution<D> {
    /// Creates the model of dynamics from t = 0, observed at these times, with the explicit method and chosen steps.
    ///
    /// # Errors
    /// Fails if there are no times, if they do not increase, and if one is negative or not finite.
    pub fn new(dynamics: D, times: Vec<f64>) -> Result<Self> {
        let plan = Plan {
            start: 0.0,
            times,
            method: Method::default(),
            accuracy: Accuracy::default(),
            steps: Steps::Chosen,
            most_steps: MOST_STEPS,
        };
        let model = Self { dynamics, plan };
        model.plan.check(model.dynamics.dims().0)?;
        Ok(model)
    }

    /// Sets the time of the initial value, 0 by default.
    ///
    /// # Errors
    /// Fails if it is after the first observation.
    pub fn start(self, t: f64) -> Result<Self> {
        self.with(|plan| plan.start = t)
    }

    /// Sets the method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.plan.method = method;
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

    /// Sets the largest number of steps.
    #[must_use]
    pub fn most_steps(mut self, steps: usize) -> Self {
        self.plan.most_steps = steps;
        self
    }

    /// Takes steps of equal length between times, at most as long as `h`.
    ///
    /// # Errors
    /// Fails if the length is not positive and finite.
    pub fn every(self, h: f64) -> Result<Self> {
        self.with(|plan| plan.steps = Steps::Every(h))
    }

    /// Fixes the steps to those chosen at θ.
    ///
    /// # Errors
    /// Fails if the integration at θ fails.
    pub fn keep_steps(self, theta: &[f64]) -> Result<Self> {
        let chosen = self.with(|plan| plan.steps = Steps::Chosen)?;
        let trajectory = chosen.trajectory(theta)?;
        let lengths = trajectory.steps.iter().map(|[_, h]| *h).collect();
        chosen.with(|plan| plan.steps = Steps::Kept(lengths, trajectory.seen))
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

    /// Returns the observation times.
    pub fn times(&self) -> &[f64] {
        &self.plan.times
    }

    /// Returns x(t) at all times, one after the other.
    ///
    /// # Errors
    /// Fails if θ has the wrong length or is not finite, and if the integration fails ([`Error`]).
    pub fn predict(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let mut out = vec![0.0; self.state_dim()];
        self.trajectory(theta)?.observe(&mut out);
        Ok(out)
    }

    fn trajectory(&self, theta: &[f64]) -> Result<Trajectory> {
        check::length("θ", theta.len(), self.param_dim())?;
        check::finite("θ", theta)?;
        self.plan.method.check()?;
        Ok(March::new(&self.dynamics, &self.plan, theta).run()?)
    }

    /// Returns the linearised steps at θ.
    fn sweeps(&self, theta: &[f64]) -> Result<Sweeps> {
        let trajectory = self.trajectory(theta)?;
        // The rate and the initial value are checked once for what automatic differentiation cannot see.
        Curve::new(Initial(&self.dynamics)).trace(theta)?;
        let t = self.plan.start;
        let rate = Rate {
            dynamics: &self.dynamics,
            t,
        };
        Curve::new(rate).trace(&[trajectory.state(0), theta].concat())?;
        Ok(Sweeps::new(&self.dynamics, &self.plan, theta, trajectory))
    }
}

impl<D: Dynamics> Model for Evolution<D> {
    fn state_dim(&self) -> usize {
        self.dynamics.dims().0 * self.plan.times.len()
    }

    fn param_dim(&self) -> usize {
        self.dynamics.dims().1
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
