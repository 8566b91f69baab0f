//! Report of a correction: iterates, the reason for stopping, and the estimate.

use std::fmt;

use crate::linalg::{Solved, describe_solved};

/// Ratio of the distance from the data to that of the noise above which the data count as not met.
const UNMET: f64 = 2.0;

/// Share of a parameter in a combination that is not shown.
const NEGLIGIBLE: f64 = 5e-4;

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
    /// The simulator is deterministic, and its steps no longer shrank although Z was found anew several times.
    ///
    /// The simulator rounds or jumps, or no step along Z leads closer to the data. θ is where the iteration stood.
    Stalled,
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
            Self::Stalled => {
                "not converged: the simulator is deterministic, but the steps no longer shrink, as where it rounds or jumps, or \
                 where no step leads closer to the data; if the last steps are short enough, raise the tolerance above them, \
                 otherwise start elsewhere"
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
    /// They are the errors for data as random as the simulator: data that were simulated with a seed of their own, say. For data
    /// without noise [`averaging_errors`](Self::averaging_errors) are the errors of the estimate. From a dozen iterates
    /// they are accurate to about a third. A parameter held by a bound has the error 0, and one that is not determined ∞.
    pub standard_errors: Option<Vec<f64>>,
    /// Errors for the data as they are: how far θ is from the fit by the exact mean of the simulator, from the fluctuation of the averaged
    /// iterates, and from the noise of Z where the data are not met. None if nothing was averaged, or without a regression.
    pub averaging_errors: Option<Vec<f64>>,
    /// Standard errors √diag (ZᵀMZ)⁻¹ for data of a known noise Γ, if the metric is its inverse
    /// ([`Observed`](crate::metric::Observed)): they need no random simulator, and do not contain the `averaging_errors`. None without a
    /// regression.
    pub data_errors: Option<Vec<f64>>,
    /// Distance ‖L(h − q)‖ from the data, of the mean of the averaged simulations, or of the last simulation.
    ///
    /// In the metric of the noise of the data ([`Observed`](crate::metric::Observed)) it is in standard deviations, and
    /// about √k for k data that the simulator meets.
    pub distance: f64,
    /// Distance that the noise alone would give, if the data are as random as the simulator; None where the noise is unknown, and
    /// for a deterministic simulator.
    pub noise: Option<f64>,
    /// Combinations of the parameters on which the simulations do not depend, as far as a [`Regression`](super::Regression) can see.
    pub undetermined: Vec<Vec<f64>>,
    /// Parameters that take part in these combinations.
    pub unknown: Vec<usize>,
    /// Parameters held by a bound.
    pub held: Vec<usize>,
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
        matches!(self.stop, Stop::Converged | Stop::Averaged)
    }

    /// Returns what a reader of the estimate has to know: data that are not met, and parameters that are not determined by them.
    pub fn remarks(&self) -> Vec<String> {
        let term = |(j, x): (usize, &f64)| format!("{x:+.3} θ{j}");
        let combination = |v: &Vec<f64>| {
            let terms = v.iter().enumerate().filter(|(_, x)| x.abs() >= NEGLIGIBLE);
            let terms: Vec<String> = terms.map(term).collect();
            format!(
                "not determined by the data: the combination {}",
                terms.join(" ")
            )
        };
        let held = |j: &usize| format!("θ{j} is held by its bound");
        let far = self.noise.filter(|noise| self.distance > UNMET * noise).map(|noise| {
            format!(
                "the data are {:.1} times as far away as noise explains: the simulator cannot meet them, or only at other parameters",
                self.distance / noise
            )
        });
        let combinations = self.undetermined.iter().map(combination);
        far.into_iter()
            .chain(combinations)
            .chain(self.held.iter().map(held))
            .collect()
    }

    fn describe_distance(&self) -> String {
        match self.noise {
            Some(noise) => format!(
                "distance from the data {:.3e}, of which noise explains {noise:.3e}",
                self.distance
            ),
            None => format!("distance from the data {:.3e}", self.distance),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.stop)?;
        for reason in &self.rejected_starts {
            writeln!(f, "  rejected a starting point: {reason}")?;
        }
        writeln!(f, "  {}", self.describe_distance())?;
        for remark in self.remarks() {
            writeln!(f, "  {remark}")?;
        }
        write!(f, "  {} simulations", self.simulations)?;
        match describe_solved(&self.solvers) {
            Some(line) => write!(f, "\n  {line}"),
            None => Ok(()),
        }
    }
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            theta: Vec::new(),
            start: Vec::new(),
            standard_errors: None,
            averaging_errors: None,
            data_errors: None,
            distance: f64::NAN,
            noise: None,
            undetermined: Vec::new(),
            unknown: Vec::new(),
            held: Vec::new(),
            history: Vec::new(),
            stop: Stop::Iterations,
            rejected_starts: Vec::new(),
            simulations: 0,
            solvers: Vec::new(),
        }
    }

    /// Resets the estimate and the history to a new starting point.
    pub(super) fn begin(&mut self, start: &[f64]) {
        self.start = start.to_vec();
        self.theta = start.to_vec();
        self.history.clear();
    }
}
