//! Errors of the ready problems.

use crate::error::{ModuleError, intervals, number};

/// An error of a flow, a trajectory, an invariant measure, or a file.
///
/// Functions return it inside the library's error, from which [`Error::of`](crate::Error::of) takes it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A stationary density that is not unique, because mass can end in more than one place.
    #[error(
        "the stationary density is not unique: mass ends in {classes} separate places, the smallest being {places}; \
         {remedy} some diffusion, or a teleportation rate α > 0"
    )]
    Trapped {
        /// How many places there are.
        classes: usize,
        /// Where the smallest are.
        places: String,
        /// What to do first.
        remedy: &'static str,
    },
    /// The velocity of a flow is NaN or infinite.
    #[error(
        "the velocity of the flow is not finite at ({}, {}, {}); look for a division by zero or an overflow in `Flow::velocity`",
        number(point[0]), number(point[1]), number(point[2])
    )]
    Velocity {
        /// Where.
        point: [f64; 3],
    },
    /// A trajectory that cannot be followed.
    #[error(
        "the trajectory cannot be followed beyond t = {} (from the start of the burn-in): {reason}; \
         check θ and the start, or loosen the tolerance", number(*time)
    )]
    BlowUp {
        /// The time, burn-in included.
        time: f64,
        /// What happened.
        reason: &'static str,
    },
    /// Too many samples lie outside the grid.
    #[error(
        "{:.1} % of the samples lie outside the grid; the data fill {}: take a box that holds them with a margin, \
         or drop outliers first", 100.0 * fraction, intervals(ranges)
    )]
    OutsideBox {
        /// The share outside.
        fraction: f64,
        /// Lower and upper end of the data along each axis.
        ranges: Vec<(f64, f64)>,
    },
    /// A flow that is not linear in θ where that is needed.
    #[error(
        "v(x; θ) is off its linear form in θ by a relative {defect:.1e}, but {what} needs it linear; \
         start the fit from a guess instead, or from the estimate of a flow that is linear"
    )]
    NotLinear {
        /// Who needs it.
        what: &'static str,
        /// The relative difference.
        defect: f64,
    },
    /// Data that do not determine all parameters.
    #[error(
        "{what} determine only {rank} of {needed} parameters; take data that visit more of the space, \
         or fix the parameters that do not matter there"
    )]
    Undetermined {
        /// The data.
        what: &'static str,
        /// Combinations of parameters that are determined.
        rank: usize,
        /// Number of parameters.
        needed: usize,
    },
    /// A file that cannot be read or written.
    #[error("{path}, {place}: {message}")]
    File {
        /// The file.
        path: String,
        /// Where in it.
        place: String,
        /// What is wrong, and what to do.
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
    /// Whether the error is due to the parameters of a simulation: with others it might succeed.
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
