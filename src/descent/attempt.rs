//! A trial step, and the damping that keeps it short.

use super::outlook::Ruler;
use crate::direction::{Path, Proposal};
use crate::error::Result;

/// The least damping that keeps digits.
const LEAST_DAMPING: f64 = 1e-10;

/// Damping beyond which a step is nothing.
const MOST_DAMPING: f64 = 1e16;

/// Where the search for a damping begins: below, nothing is damped but rounding.
const FIRST_DAMPING: f64 = 1e-20;

/// Bisections of the exponent of a damping.
const BISECTIONS: usize = 8;

/// A step to try.
pub(super) struct Attempt {
    pub(super) proposal: Proposal,
    pub(super) scale: f64,
    pub(super) damping: f64,
}

impl Attempt {
    /// The direction for this damping.
    pub(super) fn new(path: &mut dyn Path, scale: f64, damping: f64) -> Result<Self> {
        Ok(Self {
            proposal: path.at(damping)?,
            scale,
            damping,
        })
    }

    /// The first direction from a point. In a trust region, one that cannot do without damping gets the least.
    pub(super) fn first(path: &mut dyn Path, scale: f64, damping: f64) -> Result<Self> {
        match Self::new(path, scale, damping) {
            Err(_) if damping == 0.0 && !path.norms().is_empty() => {
                Self::new(path, scale, LEAST_DAMPING)
            }
            attempt => attempt,
        }
    }

    pub(super) fn length(&self, ruler: &Ruler) -> Option<f64> {
        ruler.length(&self.proposal.eta).map(|l| self.scale * l)
    }

    /// Raises the damping until the step is no longer than this. The length falls with the damping, so a bracket
    /// between powers of ten is bisected.
    pub(super) fn shorten(&mut self, path: &mut dyn Path, ruler: &Ruler, most: f64) -> Result<()> {
        let fits = |attempt: &Self| attempt.length(ruler).is_none_or(|length| length <= most);
        if most == f64::INFINITY || fits(self) {
            return Ok(());
        }
        let (mut low, mut high) = (self.damping, self.damping.max(FIRST_DAMPING));
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
