//! The derivative Z = ∂ρ/∂θ at one point, prepared for products with batches of vectors.

use faer::{Mat, MatRef};

use crate::error::Result;
use crate::linalg::{Batch, Operator, Side};

/// Columns that solvers work on together: enough for their lanes and for many threads. Fixed, so that results do not
/// depend on the number of threads.
pub(super) const WIDTH: usize = 64;

/// Z = ∂ρ/∂θ at one (ρ, θ), as products with batches of tangents and of covectors.
///
/// [`Model::linearise`](crate::Model::linearise) returns one. By default that is [`Implicit`](super::Implicit), which solves
/// with ∂g/∂ρ. A model that knows a better way returns its own: a time-stepping model sweeps forwards and backwards, a model
/// with automatic differentiation calls its Jacobian-vector and vector-Jacobian products.
///
/// ```
/// use pullback::model::adjoint::Sensitivity;
/// use pullback::{Result, faer::{Mat, MatRef, mat}, linalg::Batch};
/// /// One step of a decay: ρ = (1 − h θ) ρ₀.
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
    /// k, the length of ρ.
    fn state_dim(&self) -> usize;

    /// p, the length of θ.
    fn param_dim(&self) -> usize;

    /// Returns Z V for p × m tangents V.
    ///
    /// # Errors
    /// Failing solves or sweeps.
    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>>;

    /// Returns ZᵀW for k × m covectors W, which a backend may keep on its device ([`Batch::fetch`] brings them back).
    ///
    /// # Errors
    /// Failing solves or sweeps.
    fn adjoint(&self, w: Batch) -> Result<Mat<f64>>;

    /// Whether a product takes a linear solve, a sweep, or other work of that order per column. Such products are counted.
    fn takes_solves(&self) -> bool {
        true
    }

    /// Announces the total number of covectors when they arrive in several batches.
    fn announce(&self, covectors: usize) {
        let _ = covectors;
    }

    /// The number of covectors worth passing in one batch; more are passed in several, which bounds the memory they take.
    fn width(&self) -> usize {
        WIDTH
    }

    /// A = ∂g/∂ρ and C = ∂g/∂θ, if Z = −A⁻¹C: some directions eliminate the state from a system with these.
    fn jacobians(&self) -> Option<[Operator<'_>; 2]> {
        None
    }
}

/// Expresses −Z as an operator: ∂g/∂θ of the explicit equations g = ρ − F(θ).
///
/// A model with its own [`Sensitivity`] can return it from [`param_jacobian`](crate::Model::param_jacobian), with the
/// identity for ∂g/∂ρ. A failing product becomes NaN, which whoever asked for it reports.
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
                Ok(product) => out.copy_from(-product),
                Err(_) => out.fill(f64::NAN),
            }
        }),
    )
}
