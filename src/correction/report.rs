//! Report of a correction: iterates, the reason for stopping, and the estimate.

use std::fmt;

use crate::linalg::{Solved, describe_solved};

/// One iterate of a correction, with the step to the next. `Display` prints a table row, preceded by the
/// table header for the first iterate.
#[derive(Clone, Debug, PartialEq)]
pub struct Iterate {
    /// Number of the iteration, from 1.
    pub iteration: usize,
    /// Parameters that were simulated.
    pub theta: Vec<f64>,
    /// Step from these parameters to the next iterate.
    pub step: Vec<f64>,
    /// Distance ‖L(h − q)‖ of the simulation from the data in the metric.
    pub distance: f64,
    /// Size of the step, maxⱼ |stepⱼ| / max(|θⱼ|, scaleⱼ).
    pub relative_step: f64,
}

impl fmt::Display for Iterate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.iteration == 1 {
            writeln!(
                f,
                "{:>4}  {:>11}  {:>9}  parameters",
                "iter", "distance", "step"
            )?;
        }
        let theta: Vec<String> = self.theta.iter().map(|t| format!("{t:.6}")).collect();
        write!(
            f,
            "{:>4}  {:>11.4e}  {:>9.2e}  {}",
            self.iteration,
            self.distance,
            self.relative_step,
            theta.join("  ")
        )
    }
}

/// Reason why a correction stopped.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The steps became smaller than the tolerance.
    ///
    /// Where the data are met, θ is exact for any Z. Otherwise θ solves ZᵀM(h(θ) − q) = 0, and is the least-squares fit only as far as
    /// Z is the derivative of the simulator: for a [`Regression`](super::Regression) to about 10⁻⁶ after its refinements, for a
    /// model to the error of its Z times the distance that remains.
    Converged,
    /// The iterates only fluctuated with the randomness of the simulator, and the last ones were averaged.
    Averaged,
    /// The iteration limit was reached while the steps still shrank, or before enough iterates could be averaged.
    Iterations,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Converged => "converged: the steps have vanished",
            Self::Averaged => {
                "converged: the iterates fluctuate about a fixed point; the last ones are averaged"
            }
            Self::Iterations => {
                "not converged: the parameters still change; allow more iterations, or, if the steps oscillate, grow, or all \
                 point in one direction, use a finer model, or larger displacements of a regression"
            }
        })
    }
}

/// Result of a correction: the estimate, the iterates, and the reason for stopping.
#[must_use = "a report says whether the correction converged"]
#[derive(Clone, Debug)]
pub struct Report {
    /// Corrected parameters.
    pub theta: Vec<f64>,
    /// Starting point of the iterates in `history`.
    pub start: Vec<f64>,
    /// Standard errors of θ, from the fluctuation of the averaged iterates; None if nothing was averaged.
    ///
    /// The standard errors assume that the randomness of the simulator equals that of the data. From a dozen iterates
    /// they are accurate to about a third.
    pub standard_errors: Option<Vec<f64>>,
    /// All iterates from `start`.
    pub history: Vec<Iterate>,
    /// Reason why the correction stopped.
    pub stop: Stop,
    /// Reasons for rejecting earlier starting points, in order.
    pub rejected_starts: Vec<String>,
    /// Number of simulations of the correction.
    pub simulations: usize,
    /// Methods that solved the linear systems, the method with the most columns first.
    pub solvers: Vec<Solved>,
}

impl Report {
    /// Returns whether the correction converged, with or without averaging.
    pub fn converged(&self) -> bool {
        self.stop != Stop::Iterations
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.stop)?;
        for reason in &self.rejected_starts {
            writeln!(f, "  rejected a starting point: {reason}")?;
        }
        write!(f, "  {} simulations", self.simulations)?;
        match describe_solved(&self.solvers) {
            Some(line) => write!(f, "\n  {line}"),
            None => Ok(()),
        }
    }
}
