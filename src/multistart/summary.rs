//! Result of a search: all runs, and the distinct optima.

use std::collections::BTreeMap;

use crate::descent::{Counts, Report, Stop};
use crate::error::{Error, Result};

/// Number of different reasons that an error message lists.
pub(super) const REASONS: usize = 3;

/// Run that did not fail, converged or not.
#[derive(Clone, Debug)]
pub struct Fit {
    /// Index of the starting point.
    pub start: usize,
    /// Starting point.
    pub from: Vec<f64>,
    /// Report of the run.
    pub report: Report,
    /// Index of the optimum that the run found, or None if it did not converge or ended at its target.
    pub optimum: Option<usize>,
}

impl Fit {
    /// Returns whether the run ended because its objective reached the target.
    pub fn reached(&self) -> bool {
        matches!(self.report.stop, Stop::Target { .. })
    }
}

/// Run that failed with an error.
#[derive(Debug)]
pub struct Failure {
    /// Index of the starting point.
    pub start: usize,
    /// Starting point.
    pub from: Vec<f64>,
    /// Reason of the failure.
    pub error: Error,
}

/// Distinct optimum that some runs found.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimum {
    /// Parameters of its lowest run, or their [representative](super::MultiStart::representative).
    pub theta: Vec<f64>,
    /// Objective of its lowest run.
    pub loss: f64,
    /// Difference to the objective of the lowest optimum.
    pub excess: f64,
    /// Index of its lowest run in [`Summary::fits`].
    pub fit: usize,
    /// Indices of the starting points from which it was found, in increasing order.
    pub starts: Vec<usize>,
    /// Standard errors of `theta`; None if they were not asked for or cannot be computed.
    pub standard_errors: Option<Vec<f64>>,
}

/// Result of a search from many starting points. `Display` prints the table of the optima.
#[must_use = "a summary says which runs converged"]
#[derive(Debug)]
pub struct Summary {
    fits: Vec<Fit>,
    failures: Vec<Failure>,
    optima: Vec<Optimum>,
    counts: Counts,
    dropped: usize,
    best: usize,
    pub(super) names: Vec<String>,
}

/// Runs of a search, sorted into those with a report and those that failed.
#[derive(Default)]
pub(super) struct Runs {
    pub(super) fits: Vec<Fit>,
    pub(super) failures: Vec<Failure>,
    /// Number of starts that only had a short run.
    pub(super) dropped: usize,
    /// All starting points whose first run did not fail, with their objectives.
    pub(super) starts: Vec<(Vec<f64>, f64)>,
    /// Total cost.
    pub(super) counts: Counts,
}

/// Run from a starting point: the point with its index, the report or the error, and the cost.
pub(super) struct Outcome {
    pub(super) start: (usize, Vec<f64>),
    pub(super) result: Result<Report>,
    pub(super) cost: Counts,
}

impl Runs {
    /// Adds runs.
    pub(super) fn add(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            self.counts += outcome.cost;
            let (start, from) = outcome.start;
            match outcome.result {
                Ok(report) => self.fits.push(Fit {
                    start,
                    from,
                    report,
                    optimum: None,
                }),
                Err(error) => self.failures.push(Failure { start, from, error }),
            }
        }
    }

    /// Notes the starting points of all runs so far, with their objectives.
    pub(super) fn note_starts(&mut self) {
        let first = |report: &Report| report.history.first().map_or(report.loss, |i| i.loss);
        let starts = self.fits.iter();
        self.starts = starts.map(|f| (f.from.clone(), first(&f.report))).collect();
    }

    /// Removes short runs, of which as many as `chosen` are followed by full runs.
    pub(super) fn drop_fits(&mut self, chosen: usize) {
        self.dropped = self.fits.len() - chosen;
        self.fits.clear();
    }

    /// Sorts the failures by their starts, and fails if there is no fit.
    pub(super) fn check(&mut self) -> Result<()> {
        self.failures.sort_by_key(|failure| failure.start);
        if !self.fits.is_empty() {
            return Ok(());
        }
        let reasons = tally(self.failures.iter().map(|f| f.error.to_string())).join("; ");
        Err(Error::NoStart { reasons })
    }
}

impl Summary {
    pub(super) fn new(runs: Runs, optima: Vec<Optimum>, names: Vec<String>) -> Self {
        let Runs {
            fits,
            failures,
            dropped,
            counts,
            ..
        } = runs;
        let lowest = |&i: &usize, &j: &usize| fits[i].report.loss.total_cmp(&fits[j].report.loss);
        let ended = (0..fits.len()).filter(|&i| fits[i].report.converged());
        let best = ended.min_by(lowest);
        Self {
            best: best.or_else(|| (0..fits.len()).min_by(lowest)).unwrap_or(0),
            fits,
            failures,
            optima,
            counts,
            dropped,
            names,
        }
    }

    /// Returns the distinct optima, the lowest first.
    pub fn optima(&self) -> &[Optimum] {
        &self.optima
    }

    /// Returns the run with the lowest objective that converged or reached the target, or the lowest of all runs if there is none.
    ///
    /// A run that did not converge may have ended lower: see [`lowest`](Self::lowest).
    pub fn best(&self) -> &Report {
        &self.fits[self.best].report
    }

    /// Returns the run with the lowest objective, converged or not.
    pub fn lowest(&self) -> &Fit {
        let best = &self.fits[self.best];
        self.fits.iter().fold(best, |lowest, fit| {
            match fit.report.loss < lowest.report.loss {
                true => fit,
                false => lowest,
            }
        })
    }

    /// Returns the full runs that did not fail, in the order of the starting points.
    pub fn fits(&self) -> &[Fit] {
        &self.fits
    }

    /// Returns the runs that failed, short ones included, in the order of the starting points.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Returns the runs that did not fail in the order of their objectives, for a waterfall picture.
    pub fn sorted(&self) -> Vec<&Fit> {
        let mut sorted: Vec<&Fit> = self.fits.iter().collect();
        sorted.sort_by(|a, b| a.report.loss.total_cmp(&b.report.loss));
        sorted
    }

    /// Returns the number of starting points.
    pub fn starts(&self) -> usize {
        self.fits.len() + self.failures.len() + self.dropped
    }

    /// Returns the number of starting points that had only a short run (see [`MultiStart::shortlist`](super::MultiStart::shortlist)).
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Returns the number of runs that ended at the target of the descent, which need not be optima.
    pub fn reached(&self) -> usize {
        self.fits.iter().filter(|fit| fit.reached()).count()
    }

    /// Returns the number of runs that converged to an optimum.
    pub fn converged(&self) -> usize {
        self.fits.iter().filter(|fit| fit.optimum.is_some()).count()
    }

    /// Returns the total cost of all runs. Solves of runs that failed at their starting point are not included.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

/// Counts equal texts: "3 × text", the most frequent first, and how many more there are beyond the first few.
pub(super) fn tally(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    texts.for_each(|text| *counts.entry(text).or_default() += 1);
    let mut sorted: Vec<(String, usize)> = counts.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rest: usize = sorted.iter().skip(REASONS).map(|(_, count)| count).sum();
    let line = |(text, count): (String, usize)| format!("{count} × {text}");
    let mut lines: Vec<String> = sorted.into_iter().take(REASONS).map(line).collect();
    if rest > 0 {
        lines.push(format!("and {rest} more"));
    }
    lines
}
