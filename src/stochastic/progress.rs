//! State of a stochastic descent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::report::{Ending, Epoch, Report};
use super::states::States;
use crate::descent::{Carried, Counts, Descent, Stop};
use crate::direction::Direction;
use crate::error::Result;
use crate::step::StepRule;

/// State of a stochastic descent, and what it carries from batch to batch.
pub(super) struct Progress<'a> {
    pub(super) carried: Carried<'a>,
    pub(super) state: State,
    started: Instant,
    /// Time that the run took before it was saved.
    earlier: Duration,
    /// Time spent on objectives of all items.
    evaluations: Duration,
}

/// State of a stochastic descent between two batches, in a form that can be saved.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) theta: Vec<f64>,
    /// Items of the last batch.
    chosen: Vec<usize>,
    /// States of the items, if solves start from them.
    pub(super) states: States,
    average: Average,
    pub(super) history: Vec<Epoch>,
    counts: Counts,
    steps: usize,
    rejected: usize,
    /// Reason why the last batch without a step had none.
    stop: Option<Stop>,
    /// Sums of the epoch.
    pub(super) epoch: Sums,
}

/// Sums over the batches of one epoch.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Sums {
    /// Number of batches.
    pub(super) batches: usize,
    /// Sum of the objectives, each times the number of items of its batch.
    objectives: f64,
    /// Number of items.
    items: usize,
    /// Number of batches on which no step was accepted.
    rejected: usize,
    /// Number of those for whose objectives the parameters are a minimum.
    converged: usize,
}

impl<'a> Progress<'a> {
    /// Begins at `theta`, with the number of epochs over which parameters are averaged.
    pub(super) fn new(
        (direction, step): (&'a dyn Direction, &'a dyn StepRule),
        theta: &[f64],
        averaged: usize,
    ) -> Self {
        let state = State {
            theta: theta.to_vec(),
            chosen: Vec::new(),
            states: States::default(),
            average: Average::new(averaged),
            history: Vec::new(),
            counts: Counts::default(),
            steps: 0,
            rejected: 0,
            stop: None,
            epoch: Sums::default(),
        };
        Self::resume(Carried::new(direction, step), state, Duration::ZERO)
    }

    /// Goes on from a state that took this time.
    pub(super) fn resume(carried: Carried<'a>, state: State, earlier: Duration) -> Self {
        Self {
            carried,
            state,
            started: Instant::now(),
            earlier,
            evaluations: Duration::ZERO,
        }
    }

    /// Returns the time of the run, without that spent on objectives of all items.
    pub(super) fn elapsed(&self) -> Duration {
        self.earlier + self.started.elapsed() - self.evaluations
    }

    /// Takes a step on a batch of these items, with the lengths of their states if solves start from earlier ones.
    pub(super) fn step(
        &mut self,
        descent: &Descent<'_>,
        chosen: &[usize],
        lengths: Option<&[usize]>,
    ) -> Result<()> {
        let Self { carried, state, .. } = self;
        if state.chosen != chosen {
            carried.change_objective();
            state.chosen = chosen.to_vec();
        }
        let guess = lengths.map(|lengths| state.states.guess(chosen, lengths));
        let stepped = descent.carry(&state.theta, guess.as_deref(), carried)?;
        if let Some(lengths) = lengths {
            state.states.keep(chosen, lengths, &stepped.rho);
        }
        state.epoch.batches += 1;
        state.epoch.objectives += chosen.len() as f64 * stepped.before;
        state.epoch.items += chosen.len();
        state.counts += stepped.counts;
        match stepped.theta {
            Some(theta) => {
                state.theta = theta;
                state.steps += 1;
                state.average.add(&state.theta);
            }
            None => {
                state.rejected += 1;
                state.epoch.rejected += 1;
                state.stop = stepped.stop;
                let converged = stepped.stop.is_some_and(|stop| stop.converged());
                state.epoch.converged += usize::from(converged);
            }
        }
        Ok(())
    }

    /// Ends an epoch with this objective of all items, if it was asked for. Returns the epoch, and the reason to end the run if
    /// there is one.
    pub(super) fn finish(&mut self, objective: Option<f64>) -> (&Epoch, Option<Ending>) {
        let seconds = self.elapsed().as_secs_f64();
        let state = &mut self.state;
        let sums = std::mem::take(&mut state.epoch);
        state.average.finish();
        let epoch = Epoch {
            epoch: state.history.len() + 1,
            theta: state.theta.clone(),
            mean: sums.objectives / sums.items as f64,
            objective,
            steps: state.steps,
            rejected: state.rejected,
            counts: state.counts,
            seconds,
        };
        let ended = match sums.rejected == sums.batches {
            true if sums.converged == sums.batches => Some(Ending::Converged),
            true => Some(Ending::Rejected),
            false => None,
        };
        let last = state.history.len();
        state.history.push(epoch);
        (&state.history[last], ended)
    }

    /// Computes the objective of all items, in time that does not count.
    pub(super) fn evaluate(
        &mut self,
        objective: impl Fn(&[f64], &States) -> Result<f64>,
    ) -> Result<f64> {
        let before = Instant::now();
        let value = objective(&self.state.theta, &self.state.states);
        self.evaluations += before.elapsed();
        value
    }

    /// Returns the number of batches of the epoch so far.
    pub(super) fn batches(&self) -> usize {
        self.state.epoch.batches
    }

    /// Returns the parameters.
    pub(super) fn theta(&self) -> &[f64] {
        &self.state.theta
    }

    /// Returns all epochs so far.
    pub(super) fn history(&self) -> &[Epoch] {
        &self.state.history
    }

    /// Returns the report of a run with this direction on batches of at most `size` items.
    pub(super) fn report(
        &self,
        ending: Ending,
        (direction, size): (&'static str, usize),
    ) -> Report {
        let state = &self.state;
        Report {
            theta: state.theta.clone(),
            average: state.average.mean(),
            history: state.history.clone(),
            ending,
            counts: state.counts,
            last_stop: state.stop,
            last_failure: self.carried.failure(),
            remarks: self.carried.remarks(),
            direction,
            size,
        }
    }
}

/// Mean of the parameters over the last epochs, of whose number nothing is known in advance.
#[derive(Clone, Serialize, Deserialize)]
struct Average {
    /// Number of epochs.
    epochs: usize,
    /// Sum and number of the parameters of each of the last epochs, that in progress last.
    sums: VecDeque<(Vec<f64>, usize)>,
    /// Whether the last sum is that of an epoch in progress.
    open: bool,
}

impl Average {
    fn new(epochs: usize) -> Self {
        Self {
            epochs,
            sums: VecDeque::new(),
            open: false,
        }
    }

    /// Adds the parameters after a step.
    fn add(&mut self, theta: &[f64]) {
        if self.epochs == 0 {
            return;
        }
        if !std::mem::replace(&mut self.open, true) {
            if self.sums.len() == self.epochs {
                self.sums.pop_front();
            }
            self.sums.push_back((vec![0.0; theta.len()], 0));
        }
        if let Some((sum, count)) = self.sums.back_mut() {
            sum.iter_mut().zip(theta).for_each(|(sum, t)| *sum += t);
            *count += 1;
        }
    }

    /// Ends an epoch.
    fn finish(&mut self) {
        self.open = false;
    }

    /// Returns the mean, if there is a step.
    fn mean(&self) -> Option<Vec<f64>> {
        let count: usize = self.sums.iter().map(|(_, count)| count).sum();
        let (first, _) = self.sums.front()?;
        let entry = |i: usize| self.sums.iter().map(|(sum, _)| sum[i]).sum::<f64>();
        let entries = 0..first.len();
        Some(entries.map(|i| entry(i) / count as f64).collect())
    }
}
