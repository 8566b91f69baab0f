//! Objective of a run: its value and its linearisation at a point.

use faer::MatRef;

use super::counts::{Counts, Ledger};
use super::linearised::{Free, Linearised};
use super::memory::Memory;
use super::point::{Evaluated, Evaluation, Point};
use crate::check;
use crate::coordinates::{Bounds, Chart, Transform};
use crate::direction::Direction;
use crate::error::{Error, Result};
use crate::linalg::Backend;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::model::adjoint::Linearisation;
use crate::model::{Clouds, Model, solve_from};
use crate::prior::Prior;

/// Objective and method of a descent.
#[derive(Clone)]
pub(super) struct Setting<'a> {
    pub(super) model: &'a dyn Model,
    pub(super) loss: &'a dyn Loss,
    pub(super) metric: Option<&'a dyn Metric>,
    pub(super) first_metric: Option<FirstMetric<'a>>,
    pub(super) direction: &'a dyn Direction,
    pub(super) bounds: Option<&'a Bounds>,
    pub(super) transforms: Option<&'a [Transform]>,
    pub(super) priors: Vec<&'a dyn Prior>,
}

/// Metric of the first steps. The phase of this metric ends when a step reduces the objective by less than the fraction
/// `progress`.
#[derive(Clone, Copy)]
pub(super) struct FirstMetric<'a> {
    pub(super) metric: &'a dyn Metric,
    pub(super) progress: f64,
}

/// Setting with a backend that counts solves and factorisations.
pub(super) struct Problem<'a> {
    pub(super) setting: Setting<'a>,
    /// Metric of the loss, if it has one.
    pub(super) loss_metric: Option<Box<dyn Metric + 'a>>,
    pub(super) backend: &'a dyn Backend,
    pub(super) ledger: Ledger<'a>,
}

impl<'a> Problem<'a> {
    pub(super) fn new(setting: Setting<'a>, backend: &'a dyn Backend) -> Self {
        Self {
            loss_metric: setting.loss.metric(),
            ledger: Ledger::new(backend),
            setting,
            backend,
        }
    }

    pub(super) fn memory(&self) -> Memory {
        let first = self.setting.first_metric.is_some();
        Memory::new(self.setting.model.param_dim(), first)
    }

    /// Evaluates the objective at the start of a run. `guess` is a warm start for the state. Fails if the
    /// objective is not finite.
    pub(super) fn start(
        &self,
        theta: &[f64],
        guess: Option<&[f64]>,
        memory: &mut Memory,
    ) -> Result<Evaluated<'a>> {
        let zero = || vec![0.0; self.setting.model.state_dim()];
        let guess = guess.map_or_else(zero, <[f64]>::to_vec);
        let start = self.evaluate(theta.to_vec(), guess, memory)?;
        let value = start.point.loss;
        if value.is_finite() {
            Ok(start)
        } else {
            Err(Error::InfiniteStart { value })
        }
    }

    /// Computes ρ(θ), warm-started from `guess`, and the objective.
    fn evaluate(
        &self,
        theta: Vec<f64>,
        guess: Vec<f64>,
        memory: &mut Memory,
    ) -> Result<Evaluated<'a>> {
        memory.counts.model_solves += 1;
        let setting = &self.setting;
        let rho = solve_from(setting.model, &theta, guess, &self.ledger.forward)?;
        self.compare(theta, rho)
    }

    /// Computes the objective at a state.
    pub(super) fn compare(&self, theta: Vec<f64>, rho: Vec<f64>) -> Result<Evaluated<'a>> {
        let setting = &self.setting;
        let clouds = setting.model.clouds();
        Clouds::check(clouds, setting.loss.clouds())?;
        let first = setting.first_metric.map(|first| first.metric);
        for metric in [setting.metric, first].into_iter().flatten() {
            Clouds::check(clouds, metric.clouds())?;
        }
        setting.loss.check(&rho)?;
        let before = self.ledger.loss.batches();
        let misfit = setting.loss.at(&rho, &self.ledger.loss)?;
        let mut penalty = 0.0;
        for prior in &setting.priors {
            penalty += prior.value(&theta)?;
        }
        let point = Point {
            loss: misfit.value() + penalty,
            penalty,
            rho,
            theta,
        };
        Ok(Evaluated {
            point,
            misfit,
            before,
            derivative: None,
        })
    }

    /// Returns the objective at a point, with an optional guess of the state.
    pub(super) fn objective(&self, theta: &[f64], rho: Option<&[f64]>) -> Result<f64> {
        Ok(self.start(theta, rho, &mut self.memory())?.point.loss)
    }

    /// Returns the objective at a point and its gradient with respect to all θ, as they are without transforms and bounds.
    pub(super) fn evaluation(&self, theta: &[f64]) -> Result<Evaluation> {
        let state = self.start(theta, None, &mut self.memory())?;
        let rho = &state.point.rho;
        let z = Linearisation::new(self.setting.model, rho, theta, &self.ledger.sensitivity)?;
        let covector = self.covector(&state)?;
        let column = MatRef::from_column_major_slice(&covector, covector.len(), 1);
        let mut gradient = z.adjoint(column)?.col_as_slice(0).to_vec();
        if let Some(prior) = self.terms(theta, &Chart::identity(theta.len()))? {
            let penalty = prior.gradient();
            gradient.iter_mut().zip(&penalty).for_each(|(g, r)| *g += r);
        }
        check::finite("the gradient of the objective", &gradient)?;
        Ok(Evaluation {
            value: state.point.loss,
            gradient,
        })
    }

    /// Evaluates a trial point, warm-started from the state of `from`. A failure is recorded and rejects the trial.
    pub(super) fn evaluate_trial(
        &self,
        theta: Vec<f64>,
        from: &Point,
        memory: &mut Memory,
    ) -> Option<Evaluated<'a>> {
        let failure = match self.evaluate(theta, from.rho.clone(), memory) {
            Ok(trial) if trial.point.loss.is_finite() => return Some(trial),
            Ok(trial) => format!("the objective is {}", trial.point.loss),
            Err(error) => error.to_string(),
        };
        memory.failure = Some(failure);
        None
    }

    /// Returns whether the metric in use is that of the loss.
    pub(super) fn is_matched(&self, memory: &Memory) -> bool {
        let named = self.setting.metric.is_none() && !memory.in_first_phase;
        named && self.setting.direction.needs_metric()
    }

    /// Returns the relative decrease below which the first phase ends, or None outside the first phase.
    pub(super) fn first_phase(&self, memory: &Memory) -> Option<f64> {
        let first = self.setting.first_metric.filter(|_| memory.in_first_phase);
        first.map(|first| first.progress)
    }

    /// Returns the free parameters, if bounds may hold them.
    pub(super) fn free(&self, at: &Linearised<'_>) -> Option<Free> {
        self.setting.bounds.map(|_| at.free())
    }

    /// Holds fixed the parameters that `direction` would push through a bound.
    pub(super) fn hold_blocked(&self, at: &mut Linearised<'_>, direction: &[f64]) {
        let Some(bounds) = self.setting.bounds else {
            return;
        };
        let theta = &at.point.theta;
        let keep: Vec<usize> = (0..at.chart.free.len())
            .filter(|&j| {
                let i = at.chart.free[j];
                !bounds.blocks(i, theta[i], direction[j])
            })
            .collect();
        if keep.len() < at.chart.free.len() {
            at.keep(&keep);
        }
    }

    /// Returns θ after the step `scale` · η in the coordinates of the descent, clipped to the box.
    pub(super) fn moved(&self, at: &Linearised<'_>, eta: &[f64], scale: f64) -> Vec<f64> {
        let mut theta = at.point.theta.clone();
        // Held parameters are not touched, because φ(φ⁻¹(θ)) need not equal θ bit for bit.
        for (&i, eta) in at.chart.free.iter().zip(eta) {
            theta[i] = match self.setting.transforms {
                None => theta[i] + scale * eta,
                Some(t) => t[i].forward(at.coordinates[i] + t[i].limit(scale * eta)),
            };
        }
        if let Some(bounds) = self.setting.bounds {
            bounds.clamp(&mut theta);
        }
        theta
    }

    /// Factorises the precision of the priors if the direction needs solves with it.
    pub(super) fn factorise_priors<'p>(&'p self, at: &mut Linearised<'p>) -> Result<()> {
        let needed = (self.setting.direction).needs_precision(at.chart.free.len());
        match at.prior.as_mut().filter(|t| needed && !t.is_factorised()) {
            Some(terms) => terms.factorise(&self.ledger.priors),
            None => Ok(()),
        }
    }

    /// Returns the cost so far, including the solves with the linearisation `at` if it is still in use.
    pub(super) fn counts(&self, memory: &Memory, at: Option<&Linearised<'_>>) -> Counts {
        let mut counts = memory.counts;
        self.ledger.add_to(&mut counts);
        if let Some(at) = at {
            let (tangents, adjoints) = at.z.solves();
            counts.tangent_solves += tangents;
            counts.adjoint_solves += adjoints;
        }
        counts
    }
}
