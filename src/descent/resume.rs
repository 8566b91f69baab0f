//! Saving a run at rest, and resuming it.

use std::time::Instant;

use super::point::{Evaluated, Point};
use super::problem::Problem;
use super::saved::Saved;
use super::stop::Stop;
use super::{Descent, Run, SaveError};
use crate::error::Result;
use crate::linalg::Batches;
use crate::model::solve_from;
use crate::saving::checksum;
use crate::step::Judge;
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
            signature: signature(problem, rule.name()),
            point: state.point.clone(),
            before: state.before.clone(),
            derivative: state.derivative.clone(),
            memory: memory.clone(),
            progress: progress.clone(),
            stop: *stop,
            elapsed: *earlier + started.elapsed(),
            judge: judge.memory()?,
            next: next(judge.as_ref()),
            finder: finder.memory()?,
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
        let found = signature(&problem, self.step.name());
        compare(&saved.signature, &found)?;
        self.check(&saved.point.theta)?;
        let mut state = problem.restore(&saved.point, saved.before.clone())?;
        state.derivative = saved.derivative.clone();
        problem.ledger.restore(saved.ledger.clone())?;
        let mut judge = self.step.begin();
        judge.recall(&saved.judge)?;
        if next(judge.as_ref()).map(f64::to_bits) != saved.next.map(f64::to_bits) {
            let rule = self.step.name().to_string();
            return Err(SaveError::Forgotten { rule }.into());
        }
        let mut finder = self.setting.direction.begin();
        finder.recall(&saved.finder)?;
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

/// Returns scale, damping and reach of the next trial.
fn next(judge: &dyn Judge) -> [f64; 3] {
    let (scale, damping) = judge.first();
    [scale, damping, judge.reach()]
}

/// Properties of a problem and its method that are compared, in the order of their signature.
const COMPARED: [&str; 9] = [
    "number of parameters",
    "length of the state",
    "metric",
    "metric of the first steps",
    "direction",
    "step rule",
    "number of priors",
    "set of bounds",
    "set of transforms",
];

/// Returns the properties of a problem and its method.
fn signature(problem: &Problem<'_>, rule: &str) -> Vec<String> {
    let setting = &problem.setting;
    let of_loss = || {
        setting
            .loss
            .metric()
            .map_or("that of the loss", |m| m.name())
    };
    let metric = setting.metric.map_or_else(of_loss, |m| m.name());
    let first = setting.first_metric.map(|f| (f.metric.name(), f.progress));
    let first = first.map_or("none".to_string(), |(name, p)| {
        format!("{name} until {p:?}")
    });
    // Numbers would make a long message, and fill a file with many parameters.
    let short = |text: Option<String>| match text {
        None => "none".to_string(),
        Some(text) => format!("others (checksum {:08x})", checksum(text.as_bytes())),
    };
    let properties: [String; COMPARED.len()] = [
        setting.model.param_dim().to_string(),
        setting.model.state_dim().to_string(),
        metric.to_string(),
        first,
        setting.direction.name().to_string(),
        rule.to_string(),
        setting.priors.len().to_string(),
        short(setting.bounds.map(|bounds| format!("{bounds:?}"))),
        short(
            setting
                .transforms
                .map(|transforms| format!("{transforms:?}")),
        ),
    ];
    properties.to_vec()
}

/// Checks that two signatures are equal.
fn compare(saved: &[String], found: &[String]) -> Result<()> {
    let mut all = COMPARED.iter().zip(saved).zip(found);
    let Some(((what, saved), found)) = all.find(|((_, saved), found)| saved != found) else {
        return Ok(());
    };
    let error = SaveError::Different {
        what,
        saved: saved.clone(),
        found: found.clone(),
    };
    Err(error.into())
}
