//! Results of many fits.

use std::fmt;

use faer::Mat;

use super::fitter::End;
use crate::descent::Stop;
use crate::error::Result;

/// Results of many fits, with one column or entry per fit. `Display` prints a summary.
#[must_use = "fits say whether they converged"]
#[derive(Debug)]
pub struct Fits {
    /// Parameters of every fit, NaN if it failed.
    pub theta: Mat<f64>,
    /// Standard errors of the parameters: 0 for parameters held by a bound, ∞ for undetermined ones, NaN if the fit failed
    /// or if a penalty leaves the objective without positive curvature.
    pub standard_errors: Mat<f64>,
    /// Final objective of every fit, NaN if it failed.
    pub losses: Vec<f64>,
    /// Number of steps of every fit.
    pub steps: Vec<usize>,
    /// Reason why every fit stopped, or the error with which it failed.
    pub outcomes: Vec<Result<Stop>>,
}

impl Fits {
    pub(super) fn new(theta: Mat<f64>, standard_errors: Mat<f64>, ends: Vec<Result<End>>) -> Self {
        let mut fits = Self {
            theta,
            standard_errors,
            losses: Vec::with_capacity(ends.len()),
            steps: Vec::with_capacity(ends.len()),
            outcomes: Vec::with_capacity(ends.len()),
        };
        for end in ends {
            let (loss, steps) = end.as_ref().map_or((f64::NAN, 0), |e| (e.loss, e.steps));
            fits.losses.push(loss);
            fits.steps.push(steps);
            fits.outcomes.push(end.map(|end| end.stop));
        }
        fits
    }

    /// Returns whether a fit converged.
    pub fn converged(&self, fit: usize) -> bool {
        (self.outcomes.get(fit)).is_some_and(|o| o.as_ref().is_ok_and(Stop::converged))
    }

    /// Returns whether all fits converged.
    pub fn all_converged(&self) -> bool {
        (0..self.outcomes.len()).all(|fit| self.converged(fit))
    }
}

/// Largest number of reasons that are printed.
const REASONS: usize = 5;

impl fmt::Display for Fits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let converged = (0..self.outcomes.len()).filter(|i| self.converged(*i));
        let mut steps: Vec<usize> = converged.map(|i| self.steps[i]).collect();
        steps.sort_unstable();
        write!(
            f,
            "{} of {} fits converged",
            steps.len(),
            self.outcomes.len()
        )?;
        if let (Some(median), Some(most)) = (steps.get(steps.len() / 2), steps.last()) {
            write!(f, ", in {median} steps (median; at most {most})")?;
        }
        // Reasons with their numbers of fits and the first of these.
        let mut reasons: Vec<(String, usize, usize)> = Vec::new();
        for (fit, outcome) in self.outcomes.iter().enumerate() {
            let reason = match outcome {
                Ok(stop) if stop.converged() => continue,
                Ok(stop) => stop.name().to_string(),
                Err(error) => error.to_string(),
            };
            match reasons.iter_mut().find(|(known, ..)| *known == reason) {
                Some((_, count, _)) => *count += 1,
                None => reasons.push((reason, 1, fit)),
            }
        }
        reasons.sort_by_key(|(_, count, first)| (usize::MAX - count, *first));
        for (reason, count, first) in reasons.iter().take(REASONS) {
            write!(f, "\n  {count} did not, first fit {first}: {reason}")?;
        }
        match reasons.len().checked_sub(REASONS) {
            Some(more @ 1..) => write!(f, "\n  and {more} other reasons"),
            _ => Ok(()),
        }
    }
}
