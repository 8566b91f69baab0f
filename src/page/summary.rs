//! What a page says of a run, and of the uncertainty of its parameters.

use faer::Mat;

use crate::descent::{Iterate, Report};
use crate::posterior::Estimates;

/// Summary of a run, borrowed from a [`Report`] or from arrays of another language.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    /// Outcome of the run in a sentence.
    pub outcome: String,
    /// Whether the run converged.
    pub converged: bool,
    /// Parameters of the best point.
    pub theta: &'a [f64],
    /// Objective at the best point.
    pub loss: f64,
    /// All iterates, beginning with the start.
    pub iterates: Vec<Step<'a>>,
    /// Names, values and limits of the stopping tests, as texts.
    pub tests: Vec<[String; 3]>,
    /// Names and numbers of solves and factorisations.
    pub counts: Vec<(String, usize)>,
    /// Methods that solved the linear systems.
    pub solvers: Vec<String>,
    /// Remarks of the run, and the last failure of a trial point if the run did not converge.
    pub remarks: Vec<String>,
}

/// Iterate of a run, with the step that led to it. Numbers that are not known are NaN.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Parameters.
    pub theta: &'a [f64],
    /// Objective.
    pub loss: f64,
    /// Norm of the gradient.
    pub gradient: f64,
    /// Largest relative change of a parameter.
    pub step: f64,
    /// Damping of the step.
    pub damping: f64,
    /// Number of trials until the step was accepted.
    pub trials: f64,
    /// Seconds since the start of the run.
    pub seconds: f64,
}

impl<'a> From<&'a Iterate> for Step<'a> {
    fn from(iterate: &'a Iterate) -> Self {
        let step = iterate.step.as_ref();
        Self {
            theta: &iterate.theta,
            loss: iterate.loss,
            gradient: iterate.gradient,
            step: step.map_or(f64::NAN, |s| s.relative_step),
            damping: step.map_or(f64::NAN, |s| s.damping),
            trials: step.map_or(f64::NAN, |s| s.trials as f64),
            seconds: iterate.seconds,
        }
    }
}

impl<'a> From<&'a Report> for Summary<'a> {
    fn from(report: &'a Report) -> Self {
        let counts = report.counts.by_name().into_iter();
        let failure = report.last_failure.iter().filter(|_| !report.converged());
        let failure = failure.map(|text| format!("last failure at a trial point: {text}"));
        let test = |test: crate::descent::Test| {
            let [value, limit] = test.texts();
            [test.name.to_string(), value, limit]
        };
        Self {
            outcome: report.stop.to_string(),
            converged: report.converged(),
            theta: &report.theta,
            loss: report.loss,
            iterates: report.history.iter().map(Step::from).collect(),
            tests: report.tests().into_iter().map(test).collect(),
            counts: counts
                .map(|(name, count)| (name.to_string(), count))
                .collect(),
            solvers: report.solvers.iter().map(ToString::to_string).collect(),
            remarks: (report.remarks.iter().map(ToString::to_string))
                .chain(failure)
                .collect(),
        }
    }
}

/// Uncertainty of the parameters, with one entry per parameter.
#[derive(Clone, Debug)]
pub struct Accuracy {
    /// Standard errors: ∞ for undetermined parameters.
    pub errors: Vec<f64>,
    /// Confidence intervals.
    pub intervals: Vec<(f64, f64)>,
    /// Level of the intervals.
    pub level: f64,
    /// Covariance matrix.
    pub covariance: Mat<f64>,
    /// Combinations of parameters that change nothing, as columns.
    pub null_space: Mat<f64>,
    /// Parameters that a bound holds.
    pub held: Vec<usize>,
    /// Variance of the noise in units of the loss.
    pub variance: f64,
    /// What the reader has to know, in sentences.
    pub notes: Vec<String>,
}

impl From<&Estimates> for Accuracy {
    fn from(estimates: &Estimates) -> Self {
        let uncertainty = estimates.uncertainty();
        Self {
            errors: uncertainty.standard_errors.clone(),
            intervals: estimates.intervals(),
            level: estimates.confidence(),
            covariance: uncertainty.covariance.clone(),
            null_space: uncertainty.null_space.clone(),
            held: uncertainty.held.clone(),
            variance: uncertainty.variance(),
            notes: estimates.notes(),
        }
    }
}

impl Accuracy {
    /// Returns a correlation, or NaN if one of both parameters has no finite positive error.
    pub(super) fn correlation(&self, i: usize, j: usize) -> f64 {
        let sound = |k: usize| self.errors[k] > 0.0 && self.errors[k].is_finite();
        let c = &self.covariance;
        match sound(i) && sound(j) {
            true => c[(i, j)] / (c[(i, i)] * c[(j, j)]).sqrt(),
            false => f64::NAN,
        }
    }
}
