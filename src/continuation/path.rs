//! Path of a continuation.

use std::fmt;

use crate::descent::{Counts, Report};

/// Value of the parameter with the report of its run, which converged.
#[derive(Clone, Debug)]
pub struct Point {
    /// Value of the parameter.
    pub value: f64,
    /// Report of the run.
    pub report: Report,
}

/// Run that failed or did not converge.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// Value of the parameter.
    pub value: f64,
    /// Reason of the rejection.
    pub reason: String,
}

/// Reason why a continuation ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// The last value was reached.
    Reached,
    /// The step became smaller than the smallest.
    Stuck {
        /// Step that would have been next.
        step: f64,
    },
}

/// Result of a continuation: the converged runs along the parameter, and where it ended.
#[must_use = "a path says whether the continuation reached the last value"]
#[derive(Clone, Debug)]
pub struct Path {
    pub(super) points: Vec<Point>,
    pub(super) rejected: Vec<Rejection>,
    pub(super) end: End,
    pub(super) counts: Counts,
}

impl Path {
    /// Returns the points of the path. There is at least the first.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Returns the last point of the path.
    pub fn last(&self) -> &Point {
        &self.points[self.points.len() - 1]
    }

    /// Returns the rejected runs, in order.
    pub fn rejected(&self) -> &[Rejection] {
        &self.rejected
    }

    /// Returns the reason why the continuation ended.
    pub fn end(&self) -> End {
        self.end
    }

    /// Returns whether the last value was reached.
    pub fn reached(&self) -> bool {
        self.end == End::Reached
    }

    /// Returns the total cost of all runs except those that ended with an error.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.last();
        match self.end {
            End::Reached => write!(f, "reached {}", last.value)?,
            End::Stuck { step } => write!(
                f,
                "ended at {}, where steps of {step:.1e} would be needed",
                last.value
            )?,
        }
        writeln!(
            f,
            " in {} steps, {} rejected",
            self.points.len() - 1,
            self.rejected.len()
        )?;
        if let (Some(rejection), false) = (self.rejected.last(), self.reached()) {
            let Rejection { value, reason } = rejection;
            writeln!(f, "  last rejection at {value}: {reason}")?;
        }
        write!(f, "  objective {:.6e}; {}", last.report.loss, self.counts)
    }
}
