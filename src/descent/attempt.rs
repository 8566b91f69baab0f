//! Trial steps, and the damping that limits their length.

use super::step_norm::StepNorm;
use crate::check;
use crate::direction::{Path, Proposal};
use crate::error::{Error, Result};

/// Smallest damping that changes a step by more than rounding.
//
// The system matrix is scaled to unit diagonal, and its Cholesky factorisation rejects pivots below 1e-13 as
// possible rounding errors. 1e-10 lies far above. Along an eigenvector with eigenvalue κ it shortens the step
// only by the fraction 1e-10/(κ + 1e-10).
const LEAST_DAMPING: f64 = 1e-10;

/// Largest damping that the search tries. Larger damping makes the step negligible.
const MOST_DAMPING: f64 = 1e16;

/// Lower end of the first interval of dampings that the search tries after 0. Its effect lies below rounding.
//
// Damping appends rows of size √λ to a least-squares problem whose columns have unit length. At this end the
// rows have the size 1e-10, and change the step only along singular vectors with singular values of that size
// or smaller.
const FIRST_DAMPING: f64 = 1e-20;

/// Number of bisections of log λ for the damping λ.
const BISECTIONS: usize = 8;

/// Returns whether a system was singular.
fn is_singular(error: &Error) -> bool {
    matches!(
        error,
        Error::NotPositiveDefinite { .. } | Error::Singular { .. }
    )
}

/// Trial step `scale` · η for one damping.
pub(super) struct Attempt {
    pub(super) proposal: Proposal,
    pub(super) scale: f64,
    pub(super) damping: f64,
}

impl Attempt {
    /// Computes the trial step for this damping.
    pub(super) fn new(path: &mut dyn Path, scale: f64, damping: f64) -> Result<Self> {
        Ok(Self {
            proposal: path.at(damping)?,
            scale,
            damping,
        })
    }

    /// Computes the first trial step from a point. If the system is singular and the direction knows its column norms, damping is
    /// raised until it is not.
    pub(super) fn first(path: &mut dyn Path, (scale, damping): (f64, f64)) -> Result<Self> {
        let mut attempt = Self::new(path, scale, damping);
        if path.norms().is_empty() {
            return attempt;
        }
        // By diag G the least damping suffices. By the identity it depends on the units of G how much does.
        let mut damping = damping.max(0.01 * LEAST_DAMPING);
        while damping < MOST_DAMPING && attempt.as_ref().is_err_and(is_singular) {
            damping *= 100.0;
            attempt = Self::new(path, scale, damping);
        }
        attempt
    }

    /// Checks that a direction returned one finite number for every free parameter.
    pub(super) fn check(&self, free: usize) -> Result<()> {
        check::length("the step η of a direction", self.proposal.eta.len(), free)?;
        check::finite("the step η of a direction", &self.proposal.eta)?;
        let predicted = self.proposal.predicted;
        check::option(
            "the decrease that a direction predicts",
            predicted,
            predicted.is_finite(),
            "take shorter steps if the parameters have grown beyond all bounds; a direction of your own predicts −(∇f·η + ½ ηᵀGη)",
        )
    }

    pub(super) fn length(&self, norm: &StepNorm) -> Option<f64> {
        norm.length(&self.proposal.eta).map(|l| self.scale * l)
    }

    /// Raises the damping until the length of the step is at most `longest`.
    pub(super) fn shorten(
        &mut self,
        path: &mut dyn Path,
        norm: &StepNorm,
        longest: f64,
    ) -> Result<()> {
        let fits = |attempt: &Self| attempt.length(norm).is_none_or(|length| length <= longest);
        if longest == f64::INFINITY || fits(self) {
            return Ok(());
        }
        // Let D² be the damping matrix. The length decreases monotonically in the damping λ, because
        // (G + λD²)η = −∇f gives d‖Dη‖²/dλ = −2 ηᵀD²(G + λD²)⁻¹D²η ≤ 0. Powers of ten bracket the wanted λ.
        // Eight bisections of its exponent leave a factor of 10^(1/256), an error below 1 %.
        let (mut low, mut high) = (self.damping, self.damping.max(FIRST_DAMPING));
        // Directions with known column norms keep their reduced system in memory: another damping costs a
        // factorisation with p columns and no solve with the model or the metric. For other directions the
        // length of a step is unknown, and this loop is not reached.
        while !fits(self) && high < MOST_DAMPING {
            (low, high) = (high, 10.0 * high);
            *self = Self::new(path, self.scale, high)?;
        }
        for _ in 0..BISECTIONS {
            let middle = (low * high).sqrt();
            let trial = Self::new(path, self.scale, middle)?;
            if fits(&trial) {
                (*self, high) = (trial, middle);
            } else {
                low = middle;
            }
        }
        Ok(())
    }
}
