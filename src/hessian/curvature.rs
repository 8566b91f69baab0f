//! G = ZᵀMZ and the priors' C known by their products.

use std::ops::Range;

use faer::{Mat, MatRef};

use crate::error::Result;
use crate::linalg::Batch;
use crate::metric::Root;
use crate::model::adjoint::{Linearisation, blocks};
use crate::prior::PriorTerms;
use crate::random;

/// The curvature of the objective at one point: that of the data, G = ZᵀMZ, and that of the priors, C.
///
/// Without priors C is the identity wherever something is measured against it.
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

    /// Number of free parameters.
    pub(crate) fn dim(&self) -> usize {
        self.z.param_dim()
    }

    /// G V = Zᵀ(M(Z V)): a tangent and an adjoint solve a column, block by block.
    pub(crate) fn data(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.z.adjoint_by_blocks(v.ncols(), |block| {
            let tangents = self.z.tangent(v.subcols(block.start, block.len()))?;
            self.root.apply(tangents.as_ref()).map(Batch::Here)
        })
    }

    /// Length of a lifted tangent.
    pub(crate) fn lifted_dim(&self) -> usize {
        self.root.lifted_dim()
    }

    /// L Z V: a tangent solve a column, block by block.
    pub(crate) fn lifted(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let mut out = Mat::zeros(self.lifted_dim(), v.ncols());
        for block in blocks(v.ncols()) {
            let tangents = self.z.tangent(v.subcols(block.start, block.len()))?;
            let mut target = out.as_mut().subcols_mut(block.start, block.len());
            target.copy_from(self.root.lift(tangents.as_ref())?);
        }
        Ok(out)
    }

    /// (L Z)ᵀ W for columns W of which `columns_of` gives a block: an adjoint solve a column.
    pub(crate) fn lowered(
        &self,
        columns: usize,
        mut columns_of: impl FnMut(Range<usize>) -> Mat<f64>,
    ) -> Result<Mat<f64>> {
        let lower = |block| self.root.lower_batch(columns_of(block));
        self.z.adjoint_by_blocks(columns, lower)
    }

    /// (G + C) V, or G V without priors.
    pub(crate) fn full(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let data = self.data(v)?;
        match self.prior {
            Some(prior) => Ok(data + prior.curvature(v)?),
            None => Ok(data),
        }
    }

    /// C⁻¹ V.
    pub(crate) fn prior_solve(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        match self.prior {
            Some(prior) => prior.solve(v),
            None => Ok(v.to_owned()),
        }
    }

    /// Random columns with covariance C⁻¹: C⁻¹Pᵀξ with standard normal ξ. Smoother ones, C⁻¹ξ, for priors without a root.
    pub(crate) fn draw(&self, columns: usize, seed: u64) -> Result<Mat<f64>> {
        let white = || random::normal_matrix(self.dim(), columns, seed);
        match self.prior {
            Some(prior) => {
                let noise = prior.noise(columns, seed)?;
                prior.solve(noise.unwrap_or_else(white).as_ref())
            }
            None => Ok(white()),
        }
    }
}
