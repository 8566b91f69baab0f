//! What is known of θ beforehand: least-squares terms ½‖s(θ)‖² with P = ∂s/∂θ.

mod matern;
mod smoothness;
mod terms;
mod tikhonov;

pub use matern::Matern;
pub use smoothness::Smoothness;
pub use terms::PriorTerms;
pub use tikhonov::Tikhonov;

use faer::Mat;

use crate::backend::{Backend, Factor, SINGULAR};
use crate::error::{Error, Result};
use crate::operator::{Operator, Side};
use crate::random;

/// A penalty R(θ) = ½‖s(θ)‖², minus the logarithm of a prior density.
///
/// Its rows P = ∂s/∂θ go below those of the data in every least-squares problem, with s beside them.
pub trait Prior: Sync {
    /// s(θ).
    ///
    /// # Errors
    /// A θ of the wrong length.
    fn residual(&self, theta: &[f64]) -> Result<Vec<f64>>;

    /// P = ∂s/∂θ.
    fn root(&self, theta: &[f64]) -> Operator<'_>;

    /// R(θ).
    ///
    /// # Errors
    /// A θ of the wrong length.
    fn value(&self, theta: &[f64]) -> Result<f64> {
        Ok(0.5 * self.residual(theta)?.iter().map(|s| s * s).sum::<f64>())
    }

    /// Whether s is affine in θ, so that P is the same everywhere and needs to be factorised only once.
    fn is_affine(&self) -> bool {
        false
    }

    /// The precision PᵀP, made ready for solving.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] for a prior that leaves some combination of the parameters free.
    fn precision<'a>(
        &'a self,
        theta: &[f64],
        backend: &'a dyn Backend,
    ) -> Result<Box<dyn Factor + 'a>> {
        ready(backend, gram(&self.root(theta))?)
    }

    /// The prior variances, diag (PᵀP)⁻¹: by one solve a parameter unless a prior knows better.
    ///
    /// # Errors
    /// As for [`precision`](Prior::precision).
    fn variances(&self, theta: &[f64], backend: &dyn Backend) -> Result<Vec<f64>> {
        diagonal_of_inverse(self.precision(theta, backend)?.as_ref(), theta.len())
    }
}

/// PᵀP as a sparse matrix, declared positive definite.
fn gram(root: &Operator<'_>) -> Result<Operator<'static>> {
    let sparse = root.to_sparse().ok_or(Error::NotPositiveDefinite {
        what: "the precision of a prior known by its products only",
    })?;
    let transposed = sparse.transpose().to_col_major();
    let transposed = transposed.map_err(|_| Error::OutOfMemory {
        what: "precision",
        size: sparse.ncols(),
        needed: None,
        limit: None,
    })?;
    Ok(Operator::sparse(transposed.as_ref() * sparse.as_ref()).positive_definite())
}

/// A precision made ready for solving, after a random right-hand side, which what is free to rounding cannot hide from:
/// a singular matrix may well have a factor.
fn ready<'a>(backend: &'a dyn Backend, precision: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
    let free = |error: Error| match error {
        Error::NotPositiveDefinite { .. } | Error::Singular { .. } => Error::NotPositiveDefinite {
            what: "the precision of the priors, which leave some combination of the parameters free (see \
                   `Smoothness::with_range`, or add a prior),",
        },
        other => other,
    };
    let sizes = precision.row_sizes(Side::Plain);
    let noise = random::normal(sizes.len(), 0x5EED, 0);
    let mut probe = Mat::from_fn(sizes.len(), 1, |i, _| noise[i] * sizes[i]);
    let factor = backend.factor(precision).map_err(free)?;
    let stats = factor.solve(Side::Plain, probe.as_mut()).map_err(free)?;
    let (residual, amplification) = (stats.residual, stats.amplification);
    match amplification > SINGULAR / (sizes.len() as f64).sqrt() {
        true => Err(free(Error::Singular {
            residual,
            amplification,
        })),
        false => Ok(factor),
    }
}

/// Unit vectors that are solved for at a time.
const BLOCK: usize = 64;

fn diagonal_of_inverse(factor: &dyn Factor, n: usize) -> Result<Vec<f64>> {
    let mut diagonal = Vec::with_capacity(n);
    for first in (0..n).step_by(BLOCK) {
        let columns = BLOCK.min(n - first);
        let mut units = Mat::zeros(n, columns);
        (0..columns).for_each(|j| units[(first + j, j)] = 1.0);
        factor.solve(Side::Plain, units.as_mut())?;
        diagonal.extend((0..columns).map(|j| units[(first + j, j)]));
    }
    Ok(diagonal)
}
