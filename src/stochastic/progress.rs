//! State of a stochastic descent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::report::{Ending, Epoch, Report};
use crate::descent::{Carried, Counts, Descent, Stop};
use crate::direction::Direction;
use crate::error::Result;
use crate::step::StepRule;

/// Stochastic descent in progress.
pub(super) struct Progress<'a> {
    direction: &'static str,
    carried: Carried<'a>,
    theta: Vec<f64>,
    /// Items of the last batch.
    chosen: Vec<usize>,
    average: Average,
    history: Vec<Epoch>,
    counts: Counts,
    steps: usize,
    rejected: usize,
    /// Reason why the last batch without a step had none.
    stop: Option<Stop>,
    /// Sums of the epoch.
    epoch: Sums,
    started: Instant,
    /// Time spent on objectives of all items.
    evaluations: Duration,
}

/// Sums over the batches of one epoch.
#[derive(Default)]
struct Sums {
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
        Self {
            direction: direction.name(),
            carried: Carried::new(direction, step),
            theta: theta.to_vec(),
            chosen: Vec::new(),
            average: Average::new(averaged),
            history: Vec::new(),
            counts: Counts::default(),
            steps: 0,
            rejected: 0,
            stop: None,
            epoch: Sums::default(),
            started: Instant::now(),
            evaluations: Duration::ZERO,
        }
    }

    /// Takes a step on a batch of these items.
    pub(super) fn step(&mut self, descent: &Descent<'_>, chosen: &[usize]) -> Result<()> {
        if self.chosen != chosen {
            self.carried.change_objective();
            self.chosen = chosen.to_vec();
        }
        let stepped = descent.carry(&self.theta, &mut self.carried)?;
        self.epoch.objectives += chosen.len() as f64 * stepped.before;
        self.epoch.items += chosen.len();
        self.counts += stepped.counts;
        match stepped.theta {
            Some(theta) => {
                self.theta = theta;
                self.steps += 1;
                self.average.add(&self.theta);
            }
            None => {
                self.rejected += 1;
                self.epoch.rejected += 1;
                self.stop = stepped.stop;
                let converged = stepped.stop.is_some_and(|stop| stop.converged());
                self.epoch.converged += usize::from(converged);
            }
        }
        Ok(())
    }

    /// Ends an epoch with so many batches. Returns the reason to end the run, if there is one.
    pub(super) fn finish(&mut self, batches: usize) -> Option<Ending> {
        let sums = std::mem::take(&mut self.epoch);
        self.average.finish();
        self.history.push(Epoch {
            epoch: self.history.len() + 1,
            theta: self.theta.clone(),
            mean: sums.objectives / sums.items as f64,
            objective: None,
            steps: self.steps,
            rejected: self.rejected,
            counts: self.counts,
            seconds: (self.started.elapsed() - self.evaluations).as_secs_f64(),
        });
        match sums.rejected == batches {
            true if sums.converged == batches => Some(Ending::Converged),
            true => Some(Ending::Rejected),
            false => None,
        }
    }

    /// Adds the objective of all items to the last epoch.
    pub(super) fn evaluate(&mut self, objective: impl Fn(&[f64]) -> Result<f64>) -> Result<()> {
        let before = Instant::now();
        if let Some(epoch) = self.history.last_mut() {
            epoch.objective = Some(objective(&self.theta)?);
        }
        self.evaluations += before.elapsed();
        Ok(())
    }

    /// Returns the last epoch.
    pub(super) fn last(&self) -> Option<&Epoch> {
        self.history.last()
    }

    /// Returns the report of a run on batches of at most `size` items.
    pub(super) fn report(self, ending: Ending, size: usize) -> Report {
        Report {
            theta: self.theta,
            average: self.average.mean(),
            history: self.history,
            ending,
            counts: self.counts,
            last_stop: self.stop,
            last_failure: self.carried.failure(),
            remarks: self.carried.remarks(),
            direction: self.direction,
            size,
        }
    }
}

/// Mean of the parameters over the last epochs, of whose number nothing is known in advance.
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
