//! Matrices that damping is proportional to.

use std::fmt;

use faer::Mat;

use super::{Local, unit_scale};
use crate::error::{Error, Result};
use crate::prior::{Prior, PriorTerms};

/// Matrix D of a damped system (G + λD) η = −∇f.
#[derive(Clone, Copy, Default)]
pub enum Damping<'a> {
    /// The matrix D = diag G, which makes steps independent of the units of the parameters.
    #[default]
    Diagonal,
    /// The identity D = I.
    Identity,
    /// The precision of a prior, which is no part of the objective and must be positive definite.
    ///
    /// A damped step then changes the parameters as the prior would: smoothly, for the parameters of a field and
    /// [`Smoothness`](crate::prior::Smoothness) with a range (H¹ damping). λ counts in units of this precision.
    Prior(&'a dyn Prior),
}

impl fmt::Debug for Damping<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Diagonal => "Diagonal",
            Self::Identity => "Identity",
            Self::Prior(_) => "Prior",
        })
    }
}

/// Priors are equal if they are the same value in memory.
impl PartialEq for Damping<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Prior(a), Self::Prior(b)) => std::ptr::addr_eq(*a, *b),
            (Self::Diagonal, Self::Diagonal) | (Self::Identity, Self::Identity) => true,
            _ => false,
        }
    }
}

/// Matrix SDS in the coordinates in which the system is solved.
pub(super) enum Weights {
    /// Diagonal of a diagonal matrix.
    Diagonal(Vec<f64>),
    Full(Mat<f64>),
}

impl Damping<'_> {
    /// Returns SDS in coordinates scaled by S = diag `unit_scale(norms)`, given the current column norms.
    pub(super) fn weights(self, at: &Local<'_>, norms: &[f64]) -> Result<Weights> {
        // With η = Sx, S = diag(scale), the term λ ηᵀDη becomes λ xᵀ(SDS)x. For D = diag(widest²) the entries of SDS
        // are (widest/norm)² ≥ 1; for D = I they are scale².
        let scale = unit_scale(norms);
        let widest = |j: usize| {
            let widest = at.widest.get(j).copied().unwrap_or(0.0).max(norms[j]) * scale[j];
            // A column that has been zero throughout still needs damping.
            let widest = widest.min(MAX_WIDENING);
            if widest > 0.0 { widest * widest } else { 1.0 }
        };
        let columns = 0..norms.len();
        Ok(match self {
            Self::Diagonal => Weights::Diagonal(columns.map(widest).collect()),
            Self::Identity => Weights::Diagonal(scale.iter().map(|s| s * s).collect()),
            Self::Prior(prior) => {
                let mut terms = terms_of(prior, at)?;
                match terms.factorise(at.backend) {
                    // The dense matrix will tell.
                    Ok(()) | Err(Error::PriorLacks { .. }) => {}
                    Err(error) => return Err(error),
                }
                let c = terms.dense()?;
                let entry = |i: usize, j: usize| scale[i] * c[(i, j)] * scale[j];
                Weights::Full(Mat::from_fn(c.nrows(), c.ncols(), entry))
            }
        })
    }
}

/// Returns a prior that is no part of the objective, in the coordinates of the descent.
pub(super) fn terms_of<'p>(prior: &'p dyn Prior, at: &Local<'_>) -> Result<PriorTerms<'p>> {
    PriorTerms::at(&[prior], at.theta, at.z.chart().clone())
}

/// Largest ratio of a past column norm to the current one that enters the damping, so that its square stays finite.
//
// Its square, 1e200, times the largest damping of 1e16 is finite, and so is the sum with the rest of the
// diagonal.
const MAX_WIDENING: f64 = 1e100;
