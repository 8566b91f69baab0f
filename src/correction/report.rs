//! What a correction hands back.

use std::fmt;

use crate::linalg::{Solved, describe_solved};

/// One step of a correction. `Display` prints it as a row of a table, with a head above the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    /// Counts from 1.
    pub iteration: usize,
    /// The parameters that were simulated.
    pub theta: Vec<f64>,
    /// The move that followed.
    pub step: Vec<f64>,
    /// ‖L(h − q)‖, the simulator's distance from the data in the metric.
    pub distance: f64,
    /// maxⱼ |stepⱼ| / max(|θⱼ|, scaleⱼ).
    pub relative_step: f64,
}

impl fmt::Display for Correction {
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

/// Why a correction ended.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The steps became smaller than the tolerance.
    Settled,
    /// The steps only jittered, by the simulator's own randomness, and the last iterates were averaged.
    Averaged,
    /// The steps still shrank, or had no time to be averaged, at the iteration limit.
    Unsettled,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Settled => "converged: the corrections have vanished",
            Self::Averaged => {
                "converged: the corrections only jitter; their last iterates are averaged"
            }
            Self::Unsettled => "not converged: the corrections still change the parameters; allow more iterations, and if steps swing, grow or \
                 all go one way, use a finer model",
        })
    }
}

/// The result of a correction.
#[must_use = "an estimate says whether the correction settled"]
#[derive(Clone, Debug)]
pub struct Estimate {
    /// The corrected parameters.
    pub theta: Vec<f64>,
    /// The start that led here.
    pub start: Vec<f64>,
    /// Standard errors of θ, from how the averaged iterates jitter, if the simulator's randomness is that of the data;
    /// None where nothing was averaged. From a dozen iterates they are good to a third.
    pub standard_errors: Option<Vec<f64>>,
    /// Every step.
    pub history: Vec<Correction>,
    /// Why it ended.
    pub ending: Ending,
    /// Why other starts were left, in order.
    pub abandoned: Vec<String>,
    /// Simulations made.
    pub simulations: usize,
    /// How the linear systems were solved, the method with the most columns first.
    pub solvers: Vec<Solved>,
}

impl Estimate {
    /// Whether the corrections came to rest.
    pub fn converged(&self) -> bool {
        self.ending != Ending::Unsettled
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.ending)?;
        for reason in &self.abandoned {
            writeln!(f, "  a start was left: {reason}")?;
        }
        write!(f, "  {} simulations", self.simulations)?;
        match describe_solved(&self.solvers) {
            Some(line) => write!(f, "\n  {line}"),
            None => Ok(()),
        }
    }
}
