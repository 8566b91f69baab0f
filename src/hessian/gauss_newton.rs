//! Gauss-Newton Hessian: products with the curvature of the data, G = ZᵀMZ, and with the precision C of the priors.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use faer::{Mat, MatRef};

use super::curvature::Curvature;
use crate::check;
use crate::error::Result;
use crate::linalg::Batch;
use crate::metric::Root;
use crate::model::adjoint::{Linearisation, blocks, check_adjoint};
use crate::prior::PriorTerms;
use crate::random;

/// Gauss-Newton Hessian G + C of the objective at one point: the pulled-back metric G = ZᵀMZ and the precision C of the priors.
///
/// Without priors it is the information matrix G.
///
/// ```
/// use pullback::curvature::{Curvature, GaussNewton};
/// use pullback::{Cpu, Grid, Linearisation, Metric, faer::mat, metric::L2};
/// use pullback::models::{GaussianMixture, Parameter};
/// let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 5.0, 50)])?)
///     .component(1.0, &[0.0], 1.0)
///     .free(&[Parameter::Mean(0, 0)])?;
/// let (theta, cpu) = (mixture.parameters(), Cpu::default());
/// let rho = mixture.density(&theta)?;
/// let z = Linearisation::new(&mixture, &rho, &theta, &cpu)?;
/// let metric = L2::new(mixture.grid());
/// let root = metric.at(&rho, &cpu)?;
/// let information = GaussNewton::new(&z, root.as_ref(), None);
/// let g = information.product(mat![[1.0]].as_ref())?[(0, 0)];
/// assert!((g - 0.25 / std::f64::consts::PI.sqrt()).abs() < 1e-6); // ∫ (∂ρ/∂μ)²
/// # Ok::<(), pullback::Error>(())
/// ```
//
// Without priors, C is the identity in `prior_solve` and `draw`, and zero in `product`.
pub struct GaussNewton<'a> {
    z: &'a Linearisation<'a>,
    root: &'a dyn Root,
    prior: Option<&'a PriorTerms<'a>>,
    /// Whether the first product has been checked. Later vectors may lie in the null space up to rounding.
    checked: AtomicBool,
}

impl<'a> GaussNewton<'a> {
    /// Creates the Gauss-Newton Hessian of a linearised model, the root of a metric, and priors.
    pub fn new(
        z: &'a Linearisation<'a>,
        root: &'a dyn Root,
        prior: Option<&'a PriorTerms<'a>>,
    ) -> Self {
        Self {
            z,
            root,
            prior,
            checked: AtomicBool::new(false),
        }
    }

    /// Returns G V = Zᵀ(M(Z V)), block by block, by one tangent and one adjoint solve per column.
    pub(crate) fn data(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        // vᵀGv = ⟨Z v, M Z v⟩ is known before the adjoint solve, which must reproduce it.
        let mut forward = 0.0;
        let product = self.z.adjoint_by_blocks(v.ncols(), |block| {
            let tangents = self.z.tangent(v.subcols(block.start, block.len()))?;
            let covectors = self.root.apply(tangents.as_ref())?;
            forward += pairing(tangents.as_ref(), covectors.as_ref());
            Ok(Batch::Host(covectors))
        })?;
        if !self.checked.swap(true, Ordering::Relaxed) {
            check_adjoint(forward, pairing(v, product.as_ref()), 0.0)?;
        }
        Ok(product)
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

impl Curvature for GaussNewton<'_> {
    fn dim(&self) -> usize {
        self.z.param_dim()
    }

    /// Returns (G + C) V, or G V without priors, by one tangent and one adjoint solve per column.
    fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check::length("the rows of a parameter batch", v.nrows(), self.dim())?;
        let data = self.data(v)?;
        match self.prior {
            Some(prior) => Ok(data + prior.curvature(v)?),
            None => Ok(data),
        }
    }
}

/// Returns Σⱼ ⟨aⱼ, bⱼ⟩ over the columns.
fn pairing(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> f64 {
    let columns = (0..a.ncols()).map(|j| a.col(j).iter().zip(b.col(j).iter()));
    columns.flatten().map(|(a, b)| a * b).sum()
}
