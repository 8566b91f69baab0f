//! Results of a verification.

use std::fmt;

use crate::error::Result;

/// Result of a verification: all checks with their errors and tolerances.
///
/// `Display` prints one line per check, and the table of steps for a failed scan. Steps with equal errors share a line.
///
/// ```
/// use pullback::{Loss, verify};
/// struct Half; // f(ρ) = ½ρ², with the gradient of ρ²
/// impl Loss for Half {
///     fn value(&self, rho: &[f64]) -> f64 { 0.5 * rho[0] * rho[0] }
///     fn gradient(&self, rho: &[f64], out: &mut [f64]) { out[0] = 2.0 * rho[0]; }
/// }
/// let checks = verify::loss(&Half, &[3.0], 1)?;
/// assert!(!checks.passed());
/// assert!(checks.to_string().contains("claimed is 2.0000 times the difference"));
/// # Ok::<(), pullback::Error>(())
/// ```
#[must_use = "a verification reports whether a check failed"]
#[derive(Clone, Debug)]
pub struct Verification {
    /// Description of the object that was verified.
    pub subject: String,
    /// Checks, in the order of their execution.
    pub checks: Vec<Check>,
}

/// Comparison of a claim with an independent quantity.
#[derive(Clone, Debug)]
pub struct Check {
    /// Formula of the quantities that are compared.
    pub name: &'static str,
    /// Relative error of the check: for a scan the smallest error over all steps (the plateau), and for an order the
    /// expected minus the observed order.
    pub error: f64,
    /// Largest error with which the check passes.
    pub tolerance: f64,
    /// Observed order in h of a scan, or None if only rounding is visible, as for linear maps.
    pub order: Option<f64>,
    /// Steps of a scan with their errors, longest step first.
    pub trials: Vec<Trial>,
    /// Outcome of the check.
    pub outcome: Outcome,
    /// Hint for finding the mistake.
    pub note: Option<String>,
}

/// Step of a scan, with its error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// Length h of the step.
    pub h: f64,
    /// Error at this step: the relative error of a difference, or the remainder of a Taylor test.
    pub error: f64,
}

/// Outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The error is within the tolerance.
    Passed,
    /// The error exceeds the tolerance or is NaN.
    Failed,
    /// The check builds on a check that did not pass, and was not executed.
    Skipped,
}

impl Verification {
    /// Starts a report without checks.
    pub(super) fn new(subject: String) -> Self {
        Self {
            subject,
            checks: Vec::new(),
        }
    }

    /// Returns whether every check passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(Check::passed)
    }

    /// Iterates over the failed checks.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        let failed = |check: &&Check| check.outcome == Outcome::Failed;
        self.checks.iter().filter(failed)
    }

    /// Appends a check to the report.
    pub(super) fn push(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// Executes a check, or skips it if a check in `needs` did not pass.
    pub(super) fn push_after(
        &mut self,
        needs: &[&'static str],
        name: &'static str,
        check: impl FnOnce() -> Check,
    ) {
        let unmet = |c: &&Check| needs.contains(&c.name) && !c.passed();
        let check = match self.checks.iter().find(unmet).map(|c| c.name) {
            None => check(),
            Some(unmet) => Check {
                outcome: Outcome::Skipped,
                note: Some(format!("builds on `{unmet}`")),
                ..Check::new(name, f64::NAN, f64::NAN)
            },
        };
        self.push(check);
    }
}

impl Check {
    /// Creates a check that passes if and only if `error` is at most `tolerance` and not NaN.
    pub(super) fn new(name: &'static str, error: f64, tolerance: f64) -> Self {
        Self {
            name,
            error,
            tolerance,
            order: None,
            trials: Vec::new(),
            // NaN compares false and fails.
            outcome: if error <= tolerance {
                Outcome::Passed
            } else {
                Outcome::Failed
            },
            note: None,
        }
    }

    /// Creates a check from an error whose computation may have failed. In that case the check fails with the
    /// reason as its note.
    pub(super) fn of(name: &'static str, error: Result<f64>, tolerance: f64) -> Self {
        match error {
            Ok(error) => Self::new(name, error, tolerance),
            Err(reason) => Self {
                note: Some(reason.to_string()),
                ..Self::new(name, f64::NAN, tolerance)
            },
        }
    }

    /// Returns whether the error is within the tolerance.
    pub fn passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, failed) = (self.checks.len(), self.failures().count());
        match failed {
            0 => write!(f, "{}: {all} checks passed", self.subject)?,
            _ => write!(f, "{}: {failed} of {all} checks FAILED", self.subject)?,
        }
        self.checks
            .iter()
            .try_for_each(|check| write!(f, "\n{check}"))
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.outcome {
            Outcome::Passed => "ok",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "skipped",
        };
        write!(f, "  {word:<8}{:<44}", self.name)?;
        if self.outcome != Outcome::Skipped {
            write!(f, "{:>9.1e}   (limit {:.0e}", self.error, self.tolerance)?;
            match self.order {
                // Adding zero turns −0 into 0.
                Some(order) => write!(f, ", order {:.2})", (100.0 * order).round() / 100.0 + 0.0)?,
                None if self.passed() && !self.trials.is_empty() => {
                    write!(f, ", rounding only)")?;
                }
                None => write!(f, ")")?,
            }
        }
        if let Some(note) = &self.note {
            write!(f, "  {note}")?;
        }
        if self.outcome == Outcome::Failed && !self.trials.is_empty() {
            write!(f, "\n{:>18}  {:>9}", "h", "error")?;
            runs(&self.trials).try_for_each(|run| line(f, run))?;
        }
        Ok(())
    }
}

/// Relative difference up to which two errors count as equal.
const EQUAL: f64 = 0.02;

/// Number of equal errors that indicates an error independent of the step.
const MANY: usize = 4;

/// Splits trials into runs of neighbouring steps with equal errors.
fn runs(trials: &[Trial]) -> impl Iterator<Item = &[Trial]> {
    trials.chunk_by(|a, b| (a.error - b.error).abs() <= EQUAL * a.error)
}

/// Prints one line for a run of steps with equal errors.
fn line(f: &mut fmt::Formatter<'_>, run: &[Trial]) -> fmt::Result {
    let ([first, ..], [.., last]) = (run, run) else {
        return Ok(());
    };
    let steps = match run.len() {
        1 => format!("{:.0e}", first.h),
        _ => format!("{:.0e} … {:.0e}", first.h, last.h),
    };
    write!(f, "\n{steps:>18}  {:>9.1e}", last.error)?;
    match run.len() < MANY {
        true => Ok(()),
        false => write!(
            f,
            "   independent of the step: the claim is wrong by a fixed amount"
        ),
    }
}
