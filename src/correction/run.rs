//! Run of a correction, from one starting point after the other until one is not rejected.

use std::sync::Arc;

use super::corrected::{Corrected, Geometry, Options};
use super::iteration::{Outcome, Run};
use super::record::Record;
use super::regression::Regression;
use super::report::{Iterate, Report};
use crate::error::{Error, Result};
use crate::linalg::{Cpu, Reuse, Tally, merge_solved};
use crate::metric::prepare;
use crate::random;

/// Largest number of rejected starting points whose reasons an error message lists.
const REASONS: usize = 3;

impl Corrected<'_> {
    /// Runs the correction from the first starting point that is not rejected. The observer receives every iterate.
    ///
    /// A fit of the model is a good starting point. A starting point is rejected if the simulator rejects it or objects to its
    /// result ([`Simulator::objection`](super::Simulator::objection)), or does so at a later iterate even after the step is halved three times. The next
    /// starting point is then tried, and after those given, random starting points around the first.
    ///
    /// # Errors
    /// Fails if an input is invalid or a solve fails. Fails with [`Error::NoStart`] if every starting point is
    /// rejected.
    pub fn run(&self, starts: &[&[f64]], mut observer: impl FnMut(&Iterate)) -> Result<Report> {
        self.check(starts)?;
        let cpu = Cpu::default();
        let backend = self.backend.unwrap_or(&cpu);
        let tally = Tally::new(backend).sharing(Arc::new(Reuse::new(backend, 1)));
        self.simulator.check(self.data)?;
        let mut setting = Self {
            options: self.options.clone(),
            ..*self
        };
        if setting.options.scale.is_empty() {
            let size = |t: &f64| if *t == 0.0 { 1.0 } else { t.abs() };
            setting.options.scale = starts[0].iter().map(size).collect();
        }
        // The data, at which a regression takes the metric, never change.
        let root = match setting.geometry {
            Geometry::Regression(_) => Some(Arc::from(prepare(setting.metric, self.data, &tally)?)),
            Geometry::Model(_) => None,
        };
        let mut run = Run {
            root,
            setting: &setting,
            finder: setting.direction.begin(),
            backend: &tally,
            report: Report::new(),
            record: setting.record(starts[0]),
        };
        let scattered = (0..self.options.restarts).map(|k| setting.scattered(starts[0], k));
        let given = starts.iter().map(|start| start.to_vec());
        for start in given.chain(scattered) {
            run.report.begin(&start);
            run.finder = setting.direction.begin();
            let deterministic = run.record.deterministic;
            run.record = setting.record(&start);
            run.record.deterministic = deterministic;
            match run.follow(&start, &mut observer)? {
                Outcome::Ended(stop) => {
                    run.report.stop = stop;
                    run.report.solvers = merge_solved(tally.solved());
                    return Ok(run.report);
                }
                Outcome::Rejected(reason) => run.report.rejected_starts.push(reason),
            }
        }
        let mut reasons = run.report.rejected_starts;
        let more = reasons.len().saturating_sub(REASONS);
        reasons.truncate(REASONS);
        if more > 0 {
            reasons.push(format!("and {more} more"));
        }
        Err(Error::NoStart {
            reasons: reasons.join("; "),
        })
    }

    /// Returns an empty record, for the iteration from `start`.
    fn record(&self, start: &[f64]) -> Record {
        let options = match self.geometry {
            Geometry::Regression(options) => options,
            Geometry::Model(_) => Regression::default(),
        };
        Record::new(
            options,
            (0..start.len()).map(|j| self.size(j, start)).collect(),
        )
    }

    /// Returns the k-th random starting point around `start`.
    fn scattered(&self, start: &[f64], k: usize) -> Vec<f64> {
        let Options { scatter, seed, .. } = self.options;
        let displacements = random::uniform(
            start.len(),
            (-scatter, scatter),
            seed ^ (k as u64 + 1) << 32,
        );
        let moved = start.iter().zip(displacements).enumerate();
        let mut theta: Vec<f64> = moved
            .map(|(j, (t, d))| t + d * self.size(j, start))
            .collect();
        if let Some(bounds) = self.bounds {
            bounds.clamp(&mut theta);
        }
        theta
    }
}
