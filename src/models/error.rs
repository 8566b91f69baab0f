//! Errors of the ready-made problems.

use crate::error::{ModuleError, intervals, number};

/// Error of a flow, a trajectory, an invariant measure, or a file.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A stationary density that is not unique, because the Markov chain has several closed classes of cells.
    #[error(
        "the stationary density is not unique, because mass collects in {classes} separate sets of cells, the smallest at \
         {places}; {remedy} some diffusion, or a teleportation rate α > 0"
    )]
    Trapped {
        /// Number of closed classes of cells.
        classes: usize,
        /// Positions of the smallest classes.
        places: String,
        /// The first remedy to try, a sentence that "some diffusion" completes.
        remedy: &'static str,
    },
    /// A velocity that is NaN or infinite.
    #[error(
        "the velocity of the flow is not finite at ({}, {}, {}); look for a division by zero or an overflow in `Flow::velocity`",
        number(point[0]), number(point[1]), number(point[2])
    )]
    Velocity {
        /// Position at which the velocity is not finite.
        point: [f64; 3],
    },
    /// A trajectory that cannot be integrated.
    #[error(
        "the trajectory cannot be integrated beyond t = {} (counted from the start of the burn-in): {reason}; \
         check θ and the initial state, or loosen the tolerance", number(*time)
    )]
    BlowUp {
        /// Time at which the integration ends, counted from the start of the burn-in.
        time: f64,
        /// Description of the failure.
        reason: &'static str,
    },
    /// Too many samples outside the grid.
    #[error(
        "{:.1} % of the samples lie outside the grid, because the data occupy {}; choose a box that contains them with a \
         margin, or remove outliers first", 100.0 * fraction, intervals(ranges)
    )]
    OutsideBox {
        /// Fraction of the samples that lie outside the grid.
        fraction: f64,
        /// Smallest and largest sample along each axis.
        ranges: Vec<(f64, f64)>,
    },
    /// A flow that must be linear in θ but is not.
    #[error(
        "v(x; θ) deviates from a linear function of θ by a relative {defect:.1e}, but {what} needs a linear one; \
         start the fit from a guess, or from the estimate of a flow that is linear in θ"
    )]
    NotLinear {
        /// Name of the computation that needs linearity.
        what: &'static str,
        /// Relative deviation of the velocity from a linear function.
        defect: f64,
    },
    /// Data that do not determine all parameters.
    #[error(
        "{what} determine only {rank} of {needed} parameters; use data that cover more of the space, \
         or fix the parameters that have no effect on the data"
    )]
    Undetermined {
        /// Name of the data that were used.
        what: &'static str,
        /// Number of combinations of parameters that are determined.
        rank: usize,
        /// Number of parameters that are to be determined.
        needed: usize,
    },
    /// Noises of a stochastic differential equation that do not commute.
    #[error(
        "the noises {first} and {second} of the stochastic differential equation do not commute: (b·∇)b′ and (b′·∇)b differ by {:.1e} \
         relative to their size; take `Scheme::EulerMaruyama`",
        defect
    )]
    NoncommutingNoise {
        /// Index of a noise b.
        first: usize,
        /// Index of a noise b′.
        second: usize,
        /// Relative difference of the derivatives.
        defect: f64,
    },
    /// A file that cannot be read or written.
    #[error("{path}, {place}: {message}")]
    File {
        /// Path of the file.
        path: String,
        /// Position of the fault in the file.
        place: String,
        /// Description of the fault, with the remedy.
        message: String,
    },
}

impl ModuleError for Error {
    fn kind(&self) -> &'static str {
        match self {
            Self::Trapped { .. } => "Trapped",
            Self::Velocity { .. } => "Velocity",
            Self::BlowUp { .. } => "BlowUp",
            Self::OutsideBox { .. } => "OutsideBox",
            Self::NotLinear { .. } => "NotLinear",
            Self::Undetermined { .. } => "Undetermined",
            Self::NoncommutingNoise { .. } => "NoncommutingNoise",
            Self::File { .. } => "File",
        }
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        Self::Module(Box::new(error))
    }
}

impl Error {
    /// Returns whether the error depends on the parameters of a simulation, so that other parameters may
    /// succeed.
    pub(super) fn is_of_parameters(&self) -> bool {
        matches!(
            self,
            Self::BlowUp { .. }
                | Self::OutsideBox { .. }
                | Self::Velocity { .. }
                | Self::Trapped { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_short_whatever_the_numbers() {
        for x in [1e300, -1e300, 1e-300] {
            let errors = [
                Error::Velocity { point: [x; 3] },
                Error::BlowUp {
                    time: x,
                    reason: "for a reason",
                },
                Error::OutsideBox {
                    fraction: 0.5,
                    ranges: vec![(x, x); 3],
                },
            ];
            for error in errors {
                assert!(error.to_string().len() < 260, "{error}");
            }
        }
    }
}
