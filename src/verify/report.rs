//! What a verification found.

use std::fmt;

use super::scan::Trial;
use crate::error::Result;

/// The result of a verification: every check with its number and its limit.
///
/// `Display` prints one line a check, and the table of steps for a scan that failed; steps with equal errors share a line.
///
/// ```
/// use pullback::{Loss, verify};
/// struct Half; // f(ρ) = ½ρ², with a gradient that forgets the ½
/// impl Loss for Half {
///     fn value(&self, rho: &[f64]) -> f64 { 0.5 * rho[0] * rho[0] }
///     fn gradient(&self, rho: &[f64], out: &mut [f64]) { out[0] = 2.0 * rho[0]; }
/// }
/// let checks = verify::loss(&Half, &[3.0], 1)?;
/// assert!(!checks.passed());
/// assert!(checks.to_string().contains("claimed is 2.0000 times the difference"));
/// # Ok::<(), pullback::Error>(())
/// ```
#[must_use = "a verification says whether anything is wrong"]
#[derive(Clone, Debug)]
pub struct Verification {
    /// What was verified.
    pub subject: String,
    /// The checks, in the order they were made.
    pub checks: Vec<Check>,
}

/// One comparison.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was compared, as a formula.
    pub name: &'static str,
    /// By how much it is off: a relative error, for scans the smallest over all steps (the plateau), for orders
    /// what is missing of the expected one.
    pub error: f64,
    /// The largest error that passes.
    pub tolerance: f64,
    /// The observed order in h of a scan; none where only rounding is seen, as for linear maps.
    pub order: Option<f64>,
    /// The steps of a scan, longest first.
    pub trials: Vec<Trial>,
    /// How it ended.
    pub outcome: Outcome,
    /// What may help to find the mistake.
    pub note: Option<String>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The error is within the tolerance.
    Passed,
    /// It is not, or is not a number.
    Failed,
    /// Not made, because an earlier failure would have shown again.
    Skipped,
}

impl Verification {
    pub(super) fn new(subject: String) -> Self {
        Self {
            subject,
            checks: Vec::new(),
        }
    }

    /// Whether every check passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(Check::passed)
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        let failed = |check: &&Check| check.outcome == Outcome::Failed;
        self.checks.iter().filter(failed)
    }

    pub(super) fn push(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// Makes a check unless one that it builds on has not passed.
    pub(super) fn push_after(
        &mut self,
        needs: &[&'static str],
        name: &'static str,
        check: impl FnOnce() -> Check,
    ) {
        let missing = |c: &&Check| needs.contains(&c.name) && !c.passed();
        let check = match self.checks.iter().find(missing).map(|c| c.name) {
            None => check(),
            Some(missing) => Check {
                outcome: Outcome::Skipped,
                note: Some(format!("builds on `{missing}`")),
                ..Check::new(name, f64::NAN, f64::NAN)
            },
        };
        self.push(check);
    }
}

impl Check {
    /// Passes if and only if `error` is a number up to `tolerance`.
    pub(super) fn new(name: &'static str, error: f64, tolerance: f64) -> Self {
        Self {
            name,
            error,
            tolerance,
            order: None,
            trials: Vec::new(),
            outcome: if error <= tolerance {
                Outcome::Passed
            } else {
                Outcome::Failed
            },
            note: None,
        }
    }

    /// An error that could not be computed fails, and says why.
    pub(super) fn of(name: &'static str, error: Result<f64>, tolerance: f64) -> Self {
        match error {
            Ok(error) => Self::new(name, error, tolerance),
            Err(reason) => Self {
                note: Some(reason.to_string()),
                ..Self::new(name, f64::NAN, tolerance)
            },
        }
    }

    /// Whether the error is within the tolerance.
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
                // Adding zero takes the sign off −0.
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

/// Errors that differ by less than this fraction are equal.
const EQUAL: f64 = 0.02;

/// Fewer equal errors are no pattern.
const MANY: usize = 4;

/// Neighbouring steps with equal errors.
fn runs(trials: &[Trial]) -> impl Iterator<Item = &[Trial]> {
    trials.chunk_by(|a, b| (a.error - b.error).abs() <= EQUAL * a.error)
}

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
            "   no step changes it: the claim is off by a fixed amount"
        ),
    }
}
