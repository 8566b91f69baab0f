//! A descent in progress: linearise, find a direction, try steps, judge, move on.

use std::time::Instant;

use super::Descent;
use super::history::{Control, Iterate, Snapshot};
use super::memory::Memory;
use super::point::Evaluated;
use super::problem::Problem;
use super::progress::Progress;
use super::report::Report;
use super::search::{Outcome, Search};
use super::stop::Stop;
use super::stopping::Tolerances;
use crate::check;
use crate::direction::{Finder, Proposal};
use crate::error::Result;
use crate::posterior::{Posterior, Rank, Uncertainty};
use crate::step::{Judge, StepRule};

/// A descent in progress, which [`Descent::begin`] starts.
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
    problem: Problem<'a>,
    rule: &'a dyn StepRule,
    judge: Box<dyn Judge + 'a>,
    finder: Box<dyn Finder + 'a>,
    tolerances: Tolerances,
    state: Evaluated<'a>,
    memory: Memory,
    progress: Progress,
    stop: Option<Stop>,
    started: Instant,
}

impl<'a> Run<'a> {
    pub(super) fn new(descent: &Descent<'a>, theta: &[f64]) -> Result<Self> {
        descent.check(theta)?;
        let started = Instant::now();
        let problem = Problem::new(descent.setting.clone(), descent.backend);
        let mut memory = problem.memory();
        let state = problem.start(theta, &mut memory)?;
        let judge = descent.step.begin();
        Ok(Self {
            progress: Progress::new(&state.point, judge.first().0),
            finder: problem.setting.direction.begin(),
            problem,
            rule: descent.step,
            judge,
            tolerances: descent.tolerances,
            state,
            memory,
            stop: None,
            started,
        })
    }

    /// Takes a step, and returns why the run has ended, if it has. Later calls return the same.
    ///
    /// # Errors
    /// Solves that fail at the present point. A trial point where something fails is only a bad trial.
    pub fn step(&mut self) -> Result<Option<Stop>> {
        self.advance(&mut |_| Control::Continue)
    }

    /// As [`step`](Self::step), with an observer that sees the present point before it is left.
    pub(super) fn advance(
        &mut self,
        observer: &mut dyn FnMut(Snapshot<'_>) -> Control,
    ) -> Result<Option<Stop>> {
        if self.stop.is_some() {
            return Ok(self.stop);
        }
        let limit = self.problem.first_phase(&self.memory);
        let slow = limit.is_some_and(|p| self.progress.slowed(&self.state.point, p));
        let switched = slow && self.memory.end_first_phase();
        if switched {
            self.judge = self.rule.begin();
        }
        let mut here = self.problem.linearise(&self.state, &mut self.memory)?;
        if !self.progress.recorded() {
            let counts = self.problem.counts(&self.memory, Some(&here));
            let snapshot = self.progress.record(&here, counts, self.started.elapsed());
            let flow = observer(snapshot);
            // A first metric that has come to rest is no end.
            let ended = self.progress.stop(&self.tolerances, flow);
            if let Some(stop) = ended.filter(|s| !(switched && s.is_rest())) {
                self.memory.book(&here);
                self.stop = Some(stop);
                return Ok(self.stop);
            }
        }
        let mut search = Search {
            problem: &self.problem,
            finder: self.finder.as_mut(),
            judge: self.judge.as_mut(),
            memory: &mut self.memory,
            progress: &mut self.progress,
            tolerances: &self.tolerances,
        };
        let outcome = search.run(&mut here);
        self.memory.book(&here);
        drop(here);
        self.stop = self.follow(outcome?);
        Ok(self.stop)
    }

    /// Goes where a search led, or says why the run ends. A first metric that leads nowhere has done its part.
    fn follow(&mut self, outcome: Outcome<'a>) -> Option<Stop> {
        match outcome {
            Outcome::Moved(next, step) => {
                self.memory.steps += 1;
                self.progress.advance(&next.point, step);
                self.state = next;
                None
            }
            _ if self.memory.in_first_phase => {
                self.memory.end_first_phase();
                self.judge = self.rule.begin();
                None
            }
            Outcome::Settled(stop) => Some(stop),
            Outcome::Stuck {
                trials,
                slope,
                change,
            } => {
                let stalled = Stop::Stalled { trials, slope };
                let point = &self.state.point;
                Some(
                    self.progress
                        .stuck(&self.tolerances, point, (change, stalled)),
                )
            }
        }
    }

    /// The present parameters.
    pub fn theta(&self) -> &[f64] {
        &self.state.point.theta
    }

    /// Their state ρ(θ).
    pub fn rho(&self) -> &[f64] {
        &self.state.point.rho
    }

    /// Their objective f(ρ) + R(θ).
    pub fn loss(&self) -> f64 {
        self.state.point.loss
    }

    /// The iterates so far. The present point is added when the next step begins.
    pub fn history(&self) -> &[Iterate] {
        &self.progress.history
    }

    /// Why the run has ended, if it has.
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// The result so far: that of [`Descent::run`] once the run has ended, and a report that says "not finished" before.
    pub fn report(&self) -> Report {
        let stop = self.stop.unwrap_or(Stop::Unfinished);
        let (stop, point) = self.progress.ended(&self.state.point, stop);
        let solvers = self.problem.ledger.solvers();
        let mut remarks = self.memory.remarks.clone();
        remarks.extend(self.progress.doubt(&stop));
        Report {
            theta: point.theta.clone(),
            rho: point.rho.clone(),
            loss: point.loss,
            left: self.progress.left,
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

    /// Proposes a direction from the present point at this damping, without a step: see [`Descent::propose`].
    ///
    /// # Errors
    /// As for [`step`](Self::step), and a damping that is negative or not finite.
    pub fn propose(&mut self, damping: f64) -> Result<Proposal> {
        check::option(
            "the damping",
            damping,
            damping >= 0.0 && damping.is_finite(),
            "give a number that is not negative",
        )?;
        let mut here = self.problem.linearise(&self.state, &mut self.memory)?;
        self.problem.factorise_priors(&mut here)?;
        let widest = self.memory.widest(&here);
        let proposal = self.finder.prepare(&here.local(&widest))?.at(damping)?;
        self.memory.book(&here);
        let mut eta = vec![0.0; here.point.theta.len()];
        for (&i, change) in here.chart.free.iter().zip(&proposal.eta) {
            eta[i] = *change;
        }
        Ok(Proposal { eta, ..proposal })
    }

    /// The covariance of the parameters at the point of the [report](Self::report): see [`Report::covariance`].
    ///
    /// # Errors
    /// As for [`step`](Self::step), and a run without a metric.
    pub fn covariance(&self) -> Result<Uncertainty> {
        self.problem.uncertainty(self.reported())
    }

    /// The Gaussian posterior at the point of the [report](Self::report): see [`Descent::posterior`].
    ///
    /// # Errors
    /// As for [`step`](Self::step), and when there is no prior, or one that leaves some parameters free.
    pub fn posterior(&self, rank: Rank) -> Result<Posterior<'a>> {
        self.problem.posterior(self.reported(), rank)
    }

    fn reported(&self) -> &[f64] {
        let stop = self.stop.unwrap_or(Stop::Unfinished);
        &self.progress.ended(&self.state.point, stop).1.theta
    }
}
