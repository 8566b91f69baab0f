//! Descent in progress: every step linearises the problem, computes a direction, and tries steps along it.

use std::time::{Duration, Instant};

use super::Descent;
use super::history::{Control, Iterate, Snapshot};
use super::memory::Memory;
use super::point::{Evaluated, Point};
use super::problem::Problem;
use super::progress::Progress;
use super::report::Report;
use super::search::Search;
use super::stop::Stop;
use super::stopping::Tolerances;
use super::trials::Outcome;
use crate::check;
use crate::direction::{Finder, Proposal};
use crate::error::Result;
use crate::posterior::{Posterior, Rank, Uncertainty, Variance};
use crate::saving::Schedule;
use crate::step::{Judge, StepRule};

/// Descent in progress, created by [`Descent::begin`].
///
/// ```
/// use pullback::{Descent, Grid, loss::L2Misfit, models::{GaussianMixture, Parameter}};
/// let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 5.0, 100)])?)
///     .component(1.0, &[0.0], 1.0)
///     .free(&[Parameter::Mean(0, 0)])?;
/// let loss = L2Misfit::new(mixture.grid(), mixture.density(&[0.5])?)?;
/// let descent = Descent::new(&mixture, &loss);
/// let mut run = descent.begin(&[0.0])?;
/// while run.step()?.is_none() {
///     println!("θ = {:.6}, objective {:.2e}", run.theta()[0], run.loss());
/// }
/// assert!(run.report().converged());
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Run<'a> {
    pub(super) problem: Problem<'a>,
    pub(super) rule: &'a dyn StepRule,
    pub(super) judge: Box<dyn Judge + 'a>,
    pub(super) finder: Box<dyn Finder + 'a>,
    pub(super) tolerances: Tolerances,
    pub(super) state: Evaluated<'a>,
    pub(super) memory: Memory,
    pub(super) progress: Progress,
    pub(super) stop: Option<Stop>,
    pub(super) started: Instant,
    /// Time that the run took before it was saved.
    pub(super) earlier: Duration,
    pub(super) saving: Option<Schedule>,
}

impl<'a> Run<'a> {
    /// Begins a run at `theta`, where `rho` is a guess of the state.
    pub(super) fn new(descent: &Descent<'a>, theta: &[f64], rho: Option<&[f64]>) -> Result<Self> {
        descent.check(theta)?;
        let started = Instant::now();
        let problem = Problem::new(descent.setting.clone(), descent.backend);
        let mut memory = problem.memory();
        let state = problem.start(theta, rho, &mut memory)?;
        let judge = descent.step.begin();
        Ok(Self {
            progress: Progress::new(&state.point, judge.as_ref()),
            finder: problem.setting.direction.begin(),
            problem,
            rule: descent.step,
            judge,
            tolerances: descent.tolerances,
            state,
            memory,
            stop: None,
            started,
            earlier: Duration::ZERO,
            saving: None,
        })
    }

    /// Takes a step. Returns the reason to stop once the run has ended. Later calls do nothing and return it
    /// again.
    ///
    /// # Errors
    /// Fails if a solve fails at the current point. A failure at a trial point only rejects the trial.
    pub fn step(&mut self) -> Result<Option<Stop>> {
        self.advance(&mut |_| Control::Continue)
    }

    /// Runs to the end. The observer receives every iterate from the current one on, and may return [`Control::Stop`].
    ///
    /// # Errors
    /// Fails as [`step`](Self::step) does.
    pub fn finish<F: Into<Control>>(
        &mut self,
        mut observer: impl FnMut(Snapshot<'_>) -> F,
    ) -> Result<Report> {
        while self.advance(&mut |s| observer(s).into())?.is_none() {}
        Ok(self.report())
    }

    /// Takes a [`step`](Self::step), with an observer that receives the current point before the step.
    fn advance(
        &mut self,
        observer: &mut dyn FnMut(Snapshot<'_>) -> Control,
    ) -> Result<Option<Stop>> {
        if self.stop.is_some() {
            return Ok(self.stop);
        }
        let steps = self.memory.steps;
        let stop = self.take_step(observer)?;
        let due = |saving: &&Schedule| saving.is_due(steps, self.memory.steps, stop.is_some());
        if let Some(saving) = self.saving.as_ref().filter(due) {
            self.saved()?.write(saving.path())?;
        }
        Ok(stop)
    }

    fn take_step(
        &mut self,
        observer: &mut dyn FnMut(Snapshot<'_>) -> Control,
    ) -> Result<Option<Stop>> {
        let limit = self.problem.first_phase(&self.memory);
        let slow = limit.is_some_and(|p| self.progress.slowed(&self.state.point, p));
        let switched = slow && self.end_first_phase();
        let mut linearised = self.problem.linearise(&self.state, &mut self.memory)?;
        if let Some(departure) = self.memory.departure.take().filter(|_| !switched) {
            let slope = departure.slope(&linearised);
            self.judge.arrive(&departure.trial, slope);
        }
        let mut ending = None;
        if !self.progress.recorded() {
            let counts = self.problem.counts(&self.memory, Some(&linearised));
            let snapshot =
                self.progress
                    .record(&linearised, counts, self.earlier + self.started.elapsed());
            let control = observer(snapshot);
            // If steps in the first metric become negligible, only the phase of this metric ends, not the
            // run.
            let stop = self.progress.stop(&self.tolerances, control);
            ending = stop.filter(|s| !(switched && s.is_rest()));
        }
        let mut search = Search {
            problem: &self.problem,
            finder: self.finder.as_mut(),
            rule: self.rule,
            judge: &mut self.judge,
            memory: &mut self.memory,
            progress: &mut self.progress,
            tolerances: &self.tolerances,
        };
        let outcome = match ending {
            None => search.run(&mut linearised),
            Some(stop) => search.finish(&mut linearised, stop),
        };
        self.memory.add_solves(&linearised);
        drop(linearised);
        Ok(match (outcome?, ending) {
            (Outcome::Ended(stop), Some(_)) => self.end(stop),
            (outcome, _) => self.apply(outcome).and_then(|stop| self.end(stop)),
        })
    }

    /// Ends the phase of the first metric. Returns whether the phase was active.
    fn end_first_phase(&mut self) -> bool {
        if !self.memory.in_first_phase {
            return false;
        }
        self.memory.end_first_phase();
        self.judge = self.rule.begin();
        // Directions of the old metric are not conjugate in the new one.
        let direction = self.problem.setting.direction;
        if direction.needs_metric() {
            self.finder = direction.begin();
        }
        true
    }

    /// Ends the run for this reason, or with [`Stop::Above`] if a converged run ends above its best point.
    fn end(&mut self, stop: Stop) -> Option<Stop> {
        self.stop = Some(self.progress.outcome(&self.state.point, stop).0);
        self.stop
    }

    /// Moves to the point that a search found, or returns the reason to stop. A search that fails with the first metric ends
    /// the phase of this metric instead.
    fn apply(&mut self, outcome: Outcome<'a>) -> Option<Stop> {
        match outcome {
            Outcome::Moved(next, step) => {
                self.memory.steps += 1;
                self.progress.advance(&next.point, step);
                self.state = next;
                None
            }
            _ if self.end_first_phase() => None,
            Outcome::Ended(stop) => Some(stop),
            Outcome::Stalled {
                trials,
                slope,
                change,
            } => {
                let stalled = Stop::Stalled { trials, slope };
                let point = &self.state.point;
                Some(
                    self.progress
                        .stalled(&self.tolerances, point, (change, stalled)),
                )
            }
        }
    }

    /// Returns the current parameters.
    pub fn theta(&self) -> &[f64] {
        &self.state.point.theta
    }

    /// Returns the state ρ(θ) at the current parameters.
    pub fn rho(&self) -> &[f64] {
        &self.state.point.rho
    }

    /// Returns the objective f(ρ) + R(θ) at the current parameters.
    pub fn loss(&self) -> f64 {
        self.state.point.loss
    }

    /// Returns the iterates so far. The current point is added at the beginning of the next step.
    pub fn history(&self) -> &[Iterate] {
        &self.progress.history
    }

    /// Returns the reason for stopping once the run has ended.
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// Returns the report of the run so far. Before the run has ended, its `stop` is [`Stop::Unfinished`].
    pub fn report(&self) -> Report {
        let stop = self.stop.unwrap_or(Stop::Unfinished);
        let (stop, point) = self.progress.outcome(&self.state.point, stop);
        let solvers = self.problem.ledger.solvers();
        let mut remarks = self.memory.remarks.clone();
        remarks.extend(self.progress.hints(&stop));
        Report {
            theta: point.theta.clone(),
            rho: point.rho.clone(),
            loss: point.loss,
            remaining: self.progress.remaining,
            history: self.progress.history.clone(),
            stop,
            counts: self.problem.counts(&self.memory, None),
            solvers: solvers.all(),
            purposes: solvers,
            tolerances: self.tolerances,
            last_failure: self.memory.failure.clone(),
            remarks,
        }
    }

    /// Computes a direction from the current point at this damping, without a step (see [`Descent::propose`]).
    ///
    /// # Errors
    /// Fails as [`step`](Self::step) does, and if the damping is negative or not finite.
    pub fn propose(&mut self, damping: f64) -> Result<Proposal> {
        check::option(
            "the damping",
            damping,
            damping >= 0.0 && damping.is_finite(),
            "give a number that is not negative",
        )?;
        let mut linearised = self.problem.linearise(&self.state, &mut self.memory)?;
        self.problem.factorise_priors(&mut linearised)?;
        let widest = self.memory.widest(&linearised);
        // A new finder is used, because a direction with memory must remember only points of the run.
        let mut finder = self.problem.setting.direction.begin();
        let proposal = finder.prepare(&linearised.local(&widest))?.at(damping)?;
        self.memory.add_solves(&linearised);
        let mut eta = vec![0.0; linearised.point.theta.len()];
        for (&i, change) in linearised.chart.free.iter().zip(&proposal.eta) {
            eta[i] = *change;
        }
        Ok(Proposal { eta, ..proposal })
    }

    /// Computes the covariance of the parameters at the point of the [report](Self::report) (see [`Report::covariance`]).
    ///
    /// # Errors
    /// Fails as [`step`](Self::step) does, and if the run has no metric.
    pub fn covariance(&self) -> Result<Uncertainty> {
        self.uncertainty(Variance::Known)
    }

    /// Returns the misfit f at the point of the report, without the penalties of priors.
    pub(crate) fn misfit(&self) -> f64 {
        let point = self.reported();
        point.loss - point.penalty
    }

    /// Computes the covariance at the point of the report with this noise.
    pub(crate) fn uncertainty(&self, variance: Variance) -> Result<Uncertainty> {
        let point = self.reported();
        let Problem {
            setting, backend, ..
        } = &self.problem;
        setting.uncertainty(*backend, &point.theta, &point.rho, variance)
    }

    /// Computes the covariance from the exact Hessian at the point of the [report](Self::report) (see
    /// [`Report::exact_covariance`]).
    ///
    /// # Errors
    /// Fails as [`step`](Self::step) does, if there are no second derivatives, and if the Hessian has a negative eigenvalue.
    pub fn exact_covariance(&self) -> Result<Uncertainty> {
        let point = self.reported();
        let Problem {
            setting, backend, ..
        } = &self.problem;
        setting.exact_uncertainty(*backend, &point.theta, Some(&point.rho))
    }

    /// Computes the Gaussian posterior at the point of the [report](Self::report) (see [`Descent::posterior`]).
    ///
    /// # Errors
    /// Fails as [`step`](Self::step) does, if there is no prior, and if the prior leaves some parameters free.
    pub fn posterior(&self, rank: Rank) -> Result<Posterior<'a>> {
        let point = self.reported();
        let Problem {
            setting, backend, ..
        } = &self.problem;
        setting.posterior(*backend, &point.theta, Some(&point.rho), rank)
    }

    /// Returns the point of the report.
    fn reported(&self) -> &Point {
        let stop = self.stop.unwrap_or(Stop::Unfinished);
        self.progress.outcome(&self.state.point, stop).1
    }
}
