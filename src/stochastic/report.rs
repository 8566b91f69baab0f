//! Reports of stochastic descents.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::descent::{Counts, Remark, Stop};

/// One epoch, a pass through all items. `Display` prints a table row, preceded by the header for the first epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Epoch {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Parameters after the epoch.
    pub theta: Vec<f64>,
    /// Mean of the objectives of the batches, each before its own step.
    pub mean: f64,
    /// Objective of all items after the epoch, if it was asked for.
    pub objective: Option<f64>,
    /// Number of steps so far.
    pub steps: usize,
    /// Number of batches so far on which no step was accepted.
    pub rejected: usize,
    /// Cost so far, without that of `objective`.
    pub counts: Counts,
    /// Seconds since the start of the run, without those for `objective`.
    pub seconds: f64,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch == 1 {
            writeln!(
                f,
                "{:>5}  {:>14}  {:>14}  {:>7}  {:>8}  {:>8}",
                "epoch", "mean of batches", "objective", "steps", "rejected", "solves"
            )?;
        }
        let counts = &self.counts;
        let solves = counts.newton_solves
            + counts.tangent_solves
            + counts.adjoint_solves
            + counts.metric_solves;
        let objective = self
            .objective
            .map_or_else(|| "–".to_string(), |value| format!("{value:.7e}"));
        write!(
            f,
            "{:>5}  {:>15.7e}  {objective:>14}  {:>7}  {:>8}  {solves:>8}",
            self.epoch, self.mean, self.steps, self.rejected
        )
    }
}

/// Reason for the end of a stochastic descent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// All epochs are over.
    Epochs,
    /// The observer ended the run.
    Observer,
    /// The parameters are a minimum of the objective of every batch, as where a model fits all data.
    Converged,
    /// On no batch of a whole epoch a step was accepted.
    Rejected,
    /// The run has not ended yet.
    Unfinished,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Epochs => "all epochs are over",
            Self::Observer => "the observer ended the run",
            Self::Converged => "the parameters are a minimum for every batch",
            Self::Rejected => "no step of an epoch was accepted",
            Self::Unfinished => "the run has not ended",
        })
    }
}

/// Result of a stochastic descent.
#[derive(Clone, Debug)]
pub struct Report {
    /// Parameters after the last step.
    pub theta: Vec<f64>,
    /// Mean of the parameters over the last steps, if it was asked for ([`Stochastic::average`](super::Stochastic::average)) and a
    /// step was taken.
    pub average: Option<Vec<f64>>,
    /// All epochs.
    pub history: Vec<Epoch>,
    /// Reason for the end.
    pub ending: Ending,
    /// Cost of the run.
    pub counts: Counts,
    /// Reason why the last batch without a step had none.
    pub last_stop: Option<Stop>,
    /// Reason for the last failure at a trial point.
    pub last_failure: Option<String>,
    /// Remarks of the directions.
    pub remarks: Vec<Remark>,
    /// Name of the direction.
    pub direction: &'static str,
    /// Largest number of items in a batch.
    pub size: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epochs = self.history.len();
        let (direction, size) = (self.direction, self.size);
        write!(
            f,
            "{direction} on batches of {size}: {} after {epochs} epochs",
            self.ending
        )?;
        if let Some(last) = self.history.last() {
            write!(
                f,
                " and {} steps; mean of batches {:.7e}",
                last.steps, last.mean
            )?;
            if last.rejected > 0 {
                write!(f, "; on {} batches no step was accepted", last.rejected)?;
            }
        }
        if let Some(stop) = &self.last_stop {
            write!(f, "\nlast batch without a step: {stop}")?;
        }
        if let Some(failure) = &self.last_failure {
            write!(f, "\nlast failure at a trial point: {failure}")?;
        }
        write!(f, "\ncost: {}", self.counts)
    }
}
