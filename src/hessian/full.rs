//! Exact Hessian of the objective as a function of the parameters.

use faer::{Mat, MatRef};

use super::curvature::Curvature;
use super::error::HessianError;
use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Batch};
use crate::loss::Misfit;
use crate::model::adjoint::{Curved, Linearisation};
use crate::prior::PriorTerms;

/// Data of the objective at one θ that the exact Hessian needs, beyond those of the Gauss-Newton Hessian.
pub struct SecondOrder<'a> {
    /// Loss prepared at ρ.
    pub misfit: &'a dyn Misfit,
    /// Backend for solves of the loss.
    pub backend: &'a dyn Backend,
    /// Covector u = ∂f/∂ρ, not projected by a metric.
    pub covector: Vec<f64>,
    /// Second derivatives of the coordinates, diag(T″ᵢ ∂(f + R)/∂θᵢ) for every parameter θᵢ = Tᵢ(ξᵢ), or an empty vector
    /// without transforms.
    pub bends: Vec<f64>,
}

/// Exact Hessian H of the objective f(ρ(θ)) + R(θ) in the coordinates ξ of the free parameters.
///
/// Differentiating ∇f = Zᵀu along v, with u = f′(ρ), gives
///
/// ```text
/// H v = Zᵀf″(ρ) Z v + Σⱼ uⱼ ∂²ρⱼ/∂θ² v + C v + diag(T″ ∂(f + R)/∂θ) v.
/// ```
///
/// The Gauss-Newton Hessian replaces f″ by the metric and omits the second and the last term. The third term, the precision
/// C of the priors, is exact if the priors are quadratic, as `Tikhonov`, `Smoothness` and `Matern` are. Of other priors C
/// approximates the second derivative as far as [`Quadratic`](crate::prior::Quadratic) says: C = PᵀP omits the curvature of
/// a residual s(θ).
pub struct Hessian<'a> {
    z: &'a Linearisation<'a>,
    loss: (&'a dyn Misfit, &'a dyn Backend),
    curved: Curved<'a>,
    prior: Option<&'a PriorTerms<'a>>,
    /// Second derivatives of the coordinates of the free parameters, or an empty vector.
    bends: Vec<f64>,
}

impl<'a> Hessian<'a> {
    /// Prepares products with H, by one adjoint solve for the multipliers λ = A⁻ᵀu.
    ///
    /// # Errors
    /// Fails with a [`HessianError`] if the model or the loss has no second derivatives, before any solve.
    pub fn new(
        z: &'a Linearisation<'a>,
        at: &'a SecondOrder<'a>,
        prior: Option<&'a PriorTerms<'a>>,
    ) -> Result<Self> {
        let loss = (at.misfit, at.backend);
        let empty = Mat::zeros(z.state_dim(), 0);
        if at.misfit.hessian(empty.as_ref(), at.backend)?.is_none() {
            return Err(HessianError::Loss.into());
        }
        let curved = z.curvature(&at.covector)?.ok_or(HessianError::Model)?;
        let free = z.chart().free.iter();
        let bends = match at.bends.is_empty() {
            true => Vec::new(),
            false => free.map(|&i| at.bends[i]).collect(),
        };
        Ok(Self {
            z,
            loss,
            curved,
            prior,
            bends,
        })
    }

    /// Returns the number of free parameters.
    pub fn dim(&self) -> usize {
        self.z.param_dim()
    }

    /// Returns H V, with one tangent and one adjoint solve per column.
    ///
    /// # Errors
    /// Fails if a solve fails, if V does not have one row per free parameter, or if a second derivative is not finite.
    pub fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let mut product = self.data(v)?;
        if let Some(prior) = self.prior {
            product += prior.curvature(v)?;
        }
        Ok(product)
    }

    /// Returns (H − C) V, the product without the priors.
    pub(crate) fn data(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check::length("the rows of a parameter batch", v.nrows(), self.dim())?;
        let mut direct = Mat::zeros(self.dim(), v.ncols());
        // Σⱼ uⱼ ∂²ρⱼ/∂θ² V = Zᵀs + c: both parts with Zᵀ share their adjoint solves.
        let pulled = self.z.adjoint_by_blocks(v.ncols(), |block| {
            let (v, mut target) = (
                v.subcols(block.start, block.len()),
                direct.as_mut().subcols_mut(block.start, block.len()),
            );
            let tangents = self.z.tangent(v)?;
            let [state, param] = self.curved.terms(v, tangents.as_ref())?;
            target.copy_from(param);
            Ok(Batch::Host(self.of_loss(tangents.as_ref())? + state))
        })?;
        for (i, bend) in self.bends.iter().enumerate() {
            (0..v.ncols()).for_each(|j| direct[(i, j)] += bend * v[(i, j)]);
        }
        Ok(direct + pulled)
    }

    /// Returns f″(ρ) times a batch of tangents.
    fn of_loss(&self, tangents: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let (misfit, backend) = self.loss;
        let product = misfit
            .hessian(tangents, backend)?
            .ok_or(HessianError::Loss)?;
        let (rows, columns) = tangents.shape();
        check::length("the rows of a loss's Hessian", product.nrows(), rows)?;
        check::length("the columns of a loss's Hessian", product.ncols(), columns)?;
        Ok(product)
    }
}

impl Curvature for Hessian<'_> {
    fn dim(&self) -> usize {
        Hessian::dim(self)
    }

    fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        Hessian::product(self, v)
    }
}
