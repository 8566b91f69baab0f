//! The leading part of the spectrum of the data's curvature, measured by the prior's.

use faer::Mat;

use super::curvature::Curvature;
use super::eigenpairs::{Eigenpairs, SINGULAR_ROUNDING};
use crate::error::Result;
use crate::linalg::range_basis;
use crate::prior::PriorTerms;
use crate::random;

/// The eigenpairs that were asked for, and what is known of the others.
pub(crate) struct Spectrum {
    /// Largest first.
    pub(crate) eigenpairs: Eigenpairs,
    /// Eigenvalues that were found and not kept, largest first.
    pub(crate) left_out: Vec<f64>,
    /// How many more there may be, smaller than all that were found.
    pub(crate) uncomputed: usize,
    /// The size below which an eigenvalue would have been lost to rounding.
    pub(crate) rounding: f64,
}

impl Spectrum {
    /// The first `rank` eigenpairs of G = SᵀS, S = L Z, by `oversampling` more columns.
    ///
    /// They are those of S itself where its rows, an adjoint solve each, cost no more than what else would be done;
    /// and else of QᵀS, where Q spans the range of S C⁻¹Sᵀ for random columns Ω, a subspace iteration (Halko, Martinsson, Tropp
    /// 2011) in three passes of adjoints, tangents and adjoints:
    ///
    /// ```text
    /// C⁻¹SᵀΩ = U …,   S U = Q …,   C⁻¹SᵀQ
    /// ```
    ///
    /// with UᵀCU = I and QᵀQ = I. Between the passes only orthonormal bases are kept, so that no product is larger than
    /// √λ and eigenpairs down to 1e-24 of the largest are found.
    pub(crate) fn leading(
        curvature: &Curvature<'_>,
        prior: &PriorTerms<'_>,
        (rank, oversampling, seed): (usize, usize, u64),
    ) -> Result<Self> {
        let (rows, dim) = (curvature.lifted_dim(), curvature.dim());
        let columns = rank.saturating_add(oversampling).min(dim);
        if rows <= columns.saturating_mul(PASSES) {
            let s = curvature.lowered(rows, |block| {
                let unit = |i, j| if i == block.start + j { 1.0 } else { 0.0 };
                Mat::from_fn(rows, block.len(), unit)
            })?;
            let eigenpairs = Eigenpairs::factored(prior, prior.solve(s.as_ref())?)?;
            return Ok(Self::new(eigenpairs, rank, 0));
        }
        let mut basis = random::normal_matrix(rows, columns, seed);
        let first = pull_back(curvature, prior, &basis)?;
        basis = range_basis(curvature.lifted(first.vectors.as_ref())?, SINGULAR_ROUNDING);
        let eigenpairs = pull_back(curvature, prior, &basis)?;
        let exhausted = basis.ncols() < columns || columns == dim;
        let uncomputed = if exhausted {
            0
        } else {
            rows.min(dim) - columns
        };
        Ok(Self::new(eigenpairs, rank, uncomputed))
    }

    fn new(eigenpairs: Eigenpairs, rank: usize, uncomputed: usize) -> Self {
        let left_out = eigenpairs.values.iter().skip(rank).copied().collect();
        let largest = eigenpairs.values.first().copied().unwrap_or(0.0);
        Self {
            eigenpairs: eigenpairs.truncated(rank),
            left_out,
            uncomputed,
            rounding: SINGULAR_ROUNDING * SINGULAR_ROUNDING * largest,
        }
    }
}

/// Passes of solves of the randomised method.
const PASSES: usize = 3;

/// The eigenpairs of QᵀS.
fn pull_back(curvature: &Curvature<'_>, prior: &PriorTerms<'_>, q: &Mat<f64>) -> Result<Eigenpairs> {
    let s = curvature.lowered(q.ncols(), |block| {
        q.subcols(block.start, block.len()).to_owned()
    })?;
    Eigenpairs::factored(prior, prior.solve(s.as_ref())?)
}
