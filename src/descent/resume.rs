//! Saving a run at rest, and resuming it.

use std::time::Instant;

use super::learned::Learned;
use super::point::{Evaluated, Point};
use super::problem::{Problem, Setting};
use super::saved::Saved;
use super::stop::Stop;
use super::{Descent, Run, SaveError};
use crate::error::Result;
use crate::linalg::Batches;
use crate::model::solve_from;
use crate::saving::{Signature, checksum};
use crate::vector::largest;

/// Largest change of the state, relative to its largest entry, when the model solves again from the saved state.
//
// Newton's method leaves a solution as it is. Iterative methods may move it within their tolerance.
const SAME: f64 = 1e-6;

impl Run<'_> {
    /// Returns the run as it is now, to be written to a file or resumed.
    ///
    /// # Errors
    /// Fails with a [`SaveError`] if the memory of the step rule or of the direction has no form in bytes.
    pub fn saved(&self) -> Result<Saved> {
        // Every part is named here, so that a new one cannot be forgotten. Tolerances and the rest of the settings are those of
        // the descent that resumes.
        let Self {
            problem,
            rule,
            judge,
            finder,
            tolerances: _,
            state,
            memory,
            progress,
            stop,
            started,
            earlier,
            saving: _,
        } = self;
        Ok(Saved {
            signature: problem.setting.signature(rule.name()),
            point: state.point.clone(),
            before: state.before.clone(),
            derivative: state.derivative.clone(),
            memory: memory.clone(),
            progress: progress.clone(),
            stop: *stop,
            elapsed: *earlier + started.elapsed(),
            learned: Learned::of(judge.as_ref(), finder.as_ref())?,
            ledger: problem.ledger.state(),
        })
    }
}

impl<'a> Descent<'a> {
    /// Resumes a saved run, with the tolerances of this descent. A run that ended at its iteration limit or was stopped by its
    /// observer goes on, within the limit of this descent.
    ///
    /// The model solves once from the saved state, and the loss is compared with the saved one. Counts do not contain this work,
    /// nor that of factorising again the matrices whose factors the run had.
    ///
    /// # Errors
    /// Fails with a [`SaveError`] if the saved run is that of another problem or method: another number of parameters, length of
    /// the state, metric, direction, step rule, bounds or transforms, another state of the model, or an objective that differs in
    /// any bit. Fails as [`begin`](Self::begin) does.
    pub fn resume(&self, saved: &Saved) -> Result<Run<'a>> {
        let started = Instant::now();
        let problem = Problem::new(self.setting.clone(), self.backend);
        saved.signature.compare(&self.signature())?;
        self.check(&saved.point.theta)?;
        let mut state = problem.restore(&saved.point, saved.before.clone())?;
        state.derivative = saved.derivative.clone();
        problem.ledger.restore(saved.ledger.clone())?;
        let (judge, finder) = saved.learned.recall(self.step, self.setting.direction)?;
        let goes_on = |stop: &Stop| match stop {
            Stop::Observer => true,
            Stop::Iterations { taken } => *taken < self.tolerances.iterations,
            _ => false,
        };
        Ok(Run {
            problem,
            rule: self.step,
            judge,
            finder,
            tolerances: self.tolerances,
            state,
            memory: saved.memory.clone(),
            progress: saved.progress.clone(),
            stop: saved.stop.filter(|stop| !goes_on(stop)),
            started,
            earlier: saved.elapsed,
            saving: self.saving.clone(),
        })
    }

    /// Returns the properties of the problem and its method.
    pub(crate) fn signature(&self) -> Signature {
        self.setting.signature(self.step.name())
    }
}

impl<'a> Problem<'a> {
    /// Prepares the loss at a saved point, and checks that model and objective are those of the saved run.
    fn restore(&self, point: &Point, before: Option<Batches>) -> Result<Evaluated<'a>> {
        let (theta, rho) = (&point.theta, &point.rho);
        let again = solve_from(self.setting.model, theta, rho.clone(), self.backend)?;
        let change: Vec<f64> = again.iter().zip(rho).map(|(a, b)| a - b).collect();
        let gap = largest(&change);
        if gap > SAME * largest(rho) {
            let gap = gap / largest(rho);
            return Err(SaveError::State { gap }.into());
        }
        // With the warm starts that the loss had, iterative solvers of the loss return the same bits.
        self.ledger.loss.restore_batches(before);
        let state = self.compare(theta.clone(), rho.clone())?;
        if state.point.loss.to_bits() != point.loss.to_bits() {
            let (saved, found) = (point.loss, state.point.loss);
            return Err(SaveError::Objective { saved, found }.into());
        }
        Ok(state)
    }
}

impl Setting<'_> {
    /// Returns the properties of the problem and its method with this step rule.
    fn signature(&self, rule: &str) -> Signature {
        let of_loss = || self.loss.metric().map_or("that of the loss", |m| m.name());
        let metric = self.metric.map_or_else(of_loss, |m| m.name());
        let first = self.first_metric.map(|f| (f.metric.name(), f.progress));
        let first = first.map_or("none".to_string(), |(name, p)| {
            format!("{name} until {p:?}")
        });
        // Numbers would make a long message, and fill a file with many parameters.
        let short = |text: Option<String>| match text {
            None => "none".to_string(),
            Some(text) => format!("others (checksum {:08x})", checksum(text.as_bytes())),
        };
        let bounds = self.bounds.map(|bounds| format!("{bounds:?}"));
        let transforms = self.transforms.map(|transforms| format!("{transforms:?}"));
        Signature::new([
            ("number of parameters", self.model.param_dim().to_string()),
            ("length of the state", self.model.state_dim().to_string()),
            ("metric", metric.to_string()),
            ("metric of the first steps", first),
            ("direction", self.direction.name().to_string()),
            ("step rule", rule.to_string()),
            ("number of priors", self.priors.len().to_string()),
            ("set of bounds", short(bounds)),
            ("set of transforms", short(transforms)),
        ])
    }
}
