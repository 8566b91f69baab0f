//! Products with the curvature of the data, G = ZᵀMZ, and with the precision C of the priors.

use std::ops::Range;

use faer::{Mat, MatRef};

use crate::error::Result;
use crate::linalg::Batch;
use crate::metric::Root;
use crate::model::adjoint::{Linearisation, blocks};
use crate::prior::PriorTerms;
use crate::random;

/// Curvature of the objective at one point: G = ZᵀMZ of the data and C of the priors.
///
/// Without priors, C is the identity in `prior_solve` and `draw`, and zero in `full`.
pub(crate) struct Curvature<'a> {
    z: &'a Linearisation<'a>,
    root: &'a dyn Root,
    prior: Option<&'a PriorTerms<'a>>,
}

impl<'a> Curvature<'a> {
    pub(crate) fn new(
        z: &'a Linearisation<'a>,
        root: &'a dyn Root,
        prior: Option<&'a PriorTerms<'a>>,
    ) -> Self {
        Self { z, root, prior }
    }

    /// Returns the number of free parameters.
    pub(crate) fn dim(&self) -> usize {
        self.z.param_dim()
    }

    /// Returns G V = Zᵀ(M(Z V)), block by block, by one tangent and one adjoint solve per column.
    pub(crate) fn data(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.z.adjoint_by_blocks(v.ncols(), |block| {
            let tangents = self.z.tangent(v.subcols(block.start, block.len()))?;
            self.root.apply(tangents.as_ref()).map(Batch::Host)
        })
    }

    /// Returns the length of a lifted tangent.
    pub(crate) fn lifted_dim(&self) -> usize {
        self.root.lifted_dim()
    }

    /// Returns L Z V, block by block, by one tangent solve per column.
    pub(crate) fn lifted(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let mut out = Mat::zeros(self.lifted_dim(), v.ncols());
        for block in blocks(v.ncols()) {
            let tangents = self.z.tangent(v.subcols(block.start, block.len()))?;
            let mut target = out.as_mut().subcols_mut(block.start, block.len());
            target.copy_from(self.root.lift(tangents.as_ref())?);
        }
        Ok(out)
    }

    /// Returns (L Z)ᵀ W, block by block, by one adjoint solve per column. `columns_of` returns a block of W.
    pub(crate) fn lowered(
        &self,
        columns: usize,
        mut columns_of: impl FnMut(Range<usize>) -> Mat<f64>,
    ) -> Result<Mat<f64>> {
        let lower = |block| self.root.lower_batch(columns_of(block));
        self.z.adjoint_by_blocks(columns, lower)
    }

    /// Returns (G + C) V, or G V without priors.
    pub(crate) fn full(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let data = self.data(v)?;
        match self.prior {
            Some(prior) => Ok(data + prior.curvature(v)?),
            None => Ok(data),
        }
    }

    /// Returns C⁻¹ V.
    pub(crate) fn prior_solve(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        match self.prior {
            Some(prior) => prior.solve(v),
            None => Ok(v.to_owned()),
        }
    }

    /// Draws random columns C⁻¹Pᵀξ with covariance C⁻¹, where ξ is standard normal. Priors without a root P
    /// give the smoother columns C⁻¹ξ.
    pub(crate) fn draw(&self, columns: usize, seed: u64) -> Result<Mat<f64>> {
        let white = || random::normal_matrix(self.dim(), columns, seed);
        match self.prior {
            // Cov(C⁻¹Pᵀξ) = C⁻¹PᵀP C⁻¹ = C⁻¹.
            Some(prior) => {
                let noise = prior.noise(columns, seed)?;
                prior.solve(noise.unwrap_or_else(white).as_ref())
            }
            None => Ok(white()),
        }
    }
}
