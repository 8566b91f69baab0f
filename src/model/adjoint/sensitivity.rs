//! Derivative Z = ∂ρ/∂θ at one point, prepared for products with batches of vectors.

use faer::{Mat, MatRef};

use super::kronecker::Kronecker;
use super::second_order::StateCurvature;
use crate::error::Result;
use crate::linalg::{Batch, Operator, Side};

/// Number of columns per batched solve: enough to fill SIMD lanes and many threads. The number is fixed, so
/// that results do not depend on the number of threads.
pub(super) const WIDTH: usize = 64;

/// Derivative Z = ∂ρ/∂θ at one (ρ, θ), given by its products with batches of tangents and covectors.
///
/// [`Model::linearise`](crate::Model::linearise) returns the sensitivity. The default, [`Implicit`](super::Implicit),
/// solves with ∂g/∂ρ. A model with a cheaper method implements the trait: a time-stepping model by forward and backward
/// sweeps, a model with automatic differentiation by its Jacobian-vector and vector-Jacobian products.
///
/// ```
/// use pullback::model::adjoint::Sensitivity;
/// use pullback::{Result, faer::{Mat, MatRef, mat}, linalg::Batch};
/// /// Explicit Euler step of a decay: ρ = (1 − h θ) ρ₀.
/// struct Step { initial: f64, h: f64 }
/// impl Sensitivity for Step {
///     fn state_dim(&self) -> usize { 1 }
///     fn param_dim(&self) -> usize { 1 }
///     fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
///         Ok(Mat::from_fn(1, v.ncols(), |_, j| -self.h * self.initial * v[(0, j)]))
///     }
///     fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
///         let w = w.fetch()?;
///         Ok(Mat::from_fn(1, w.ncols(), |_, j| -self.h * self.initial * w[(0, j)]))
///     }
/// }
/// let step = Step { initial: 2.0, h: 0.1 };
/// assert_eq!(step.tangent(mat![[1.0]].as_ref())?, mat![[-0.2]]);
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Sensitivity: Send + Sync {
    /// Returns k, the length of ρ.
    fn state_dim(&self) -> usize;

    /// Returns p, the length of θ.
    fn param_dim(&self) -> usize;

    /// Returns Z V for p × m tangents V.
    ///
    /// # Errors
    /// Fails if a solve or a sweep fails.
    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>>;

    /// Returns ZᵀW for k × m covectors W. The covectors may reside on a device; [`Batch::fetch`] copies them to the
    /// host.
    ///
    /// # Errors
    /// Fails if a solve or a sweep fails.
    fn adjoint(&self, w: Batch) -> Result<Mat<f64>>;

    /// Returns whether a product takes a linear solve, a sweep, or comparable work per column. Only such
    /// products are counted as solves.
    fn takes_solves(&self) -> bool {
        true
    }

    /// Announces the total number of covectors of a product that is split into several batches.
    fn announce(&self, covectors: usize) {
        let _ = covectors;
    }

    /// Returns the largest useful number of covectors in one batch. More covectors are passed in several batches, which
    /// bounds the memory.
    fn width(&self) -> usize {
        WIDTH
    }

    /// Returns A = ∂g/∂ρ and C = ∂g/∂θ if Z = −A⁻¹C, or None if Z is not given in this form. The direction
    /// [`Dual`](crate::direction::Dual) assembles a sparse system from these matrices.
    fn jacobians(&self) -> Option<[Operator<'_>; 2]> {
        None
    }

    /// Prepares products with the curvature Σⱼ wⱼ ∂²ρⱼ/∂θ² of the state, or returns None if second derivatives are unknown.
    /// The preparation counts as one adjoint solve.
    ///
    /// # Errors
    /// Fails if a solve or a sweep fails.
    fn curvature(&self, w: &[f64]) -> Result<Option<Box<dyn StateCurvature + '_>>> {
        let _ = w;
        Ok(None)
    }

    /// Returns the Kronecker factors of ZᵀWWᵀZ for every layer of parameters, or None if the model has no layers.
    ///
    /// The state consists of samples. Terms that couple different samples are left out, so that random covectors W with
    /// E(wwᵀ) = M give the factors of ZᵀMZ for every M that does not couple samples. The direction
    /// [`Kfac`](crate::direction::Kfac) needs them.
    ///
    /// # Errors
    /// Fails if a sweep fails.
    fn kronecker(&self, w: MatRef<'_, f64>) -> Result<Option<Vec<Kronecker>>> {
        let _ = w;
        Ok(None)
    }
}

/// Returns −Z as an operator, the ∂g/∂θ of the explicit equations g = ρ − F(θ).
///
/// A model with its own [`Sensitivity`] can return this operator from
/// [`param_jacobian`](crate::Model::param_jacobian), and the identity from
/// [`state_jacobian`](crate::Model::state_jacobian). A product that fails is filled with NaN, which the
/// caller detects.
pub fn explicit_jacobian<'a>(z: Box<dyn Sensitivity + 'a>) -> Operator<'a> {
    let (rows, columns) = (z.state_dim(), z.param_dim());
    Operator::free(
        rows,
        columns,
        Box::new(move |side, x, mut out| {
            let product = match side {
                Side::Plain => z.tangent(x),
                Side::Transpose => z.adjoint(x.to_owned().into()),
            };
            match product {
                // For g = ρ − F(θ), ∂g/∂θ = −∂F/∂θ = −Z, with the transpose −Zᵀ.
                Ok(product) if product.shape() == out.shape() => out.copy_from(-product),
                _ => out.fill(f64::NAN),
            }
        }),
    )
}
