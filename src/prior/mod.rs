//! Prior knowledge of θ: penalties R(θ) with their precisions C.

mod conditional;
mod cosine;
mod matern;
mod quadratic;
mod rows;
mod smoothness;
mod terms;
mod tikhonov;

pub use self::matern::Matern;
pub use self::quadratic::Quadratic;
pub use self::smoothness::Smoothness;
pub use self::terms::PriorTerms;
pub use self::tikhonov::Tikhonov;

use faer::sparse::SparseColMat;
use faer::{Mat, MatRef};

use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Factor, Operator, SINGULAR, Side};
use crate::random;

/// Penalty R(θ), the negative logarithm of a prior density.
///
/// A prior provides its value, its gradient, products with its precision C, and solves with C. If C is a matrix, an
/// implementation of [`at`](Prior::at) suffices:
///
/// ```
/// use pullback::{Operator, Prior, Result, prior::Quadratic};
/// /// ½ Σ (θᵢ − 1)²/4.
/// struct AboutOne;
/// impl Prior for AboutOne {
///     fn at(&self, theta: &[f64]) -> Result<Quadratic<'_>> {
///         let residual: Vec<f64> = theta.iter().map(|t| (t - 1.0) / 2.0).collect();
///         Quadratic::squares(Operator::diagonal(vec![0.5; theta.len()]), residual)
///     }
/// }
/// assert_eq!(AboutOne.value(&[3.0, 1.0])?, 0.5);
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// With finite elements the precision C = A M⁻¹A is not a sparse matrix, where A = δK + κM combines the
/// stiffness matrix K and the mass matrix M. C is then given by its products, and C⁻¹ by two solves with A.
/// Everything except sampling works without a root of C. Sampling needs [`draw`](Prior::draw), which this
/// example could implement by the Cholesky factor of M.
///
/// ```
/// use pullback::{Backend, Cpu, Operator, Prior, Result, Side};
/// use pullback::faer::{Mat, MatMut, MatRef};
/// use pullback::linalg::{Factor, SolveStats};
/// use pullback::prior::Quadratic;
///
/// struct BiLaplacian {
///     mean: Vec<f64>,
///     a: Operator<'static>,
///     mass: Operator<'static>,
///     a_inverse: Box<dyn Factor>,
///     mass_inverse: Box<dyn Factor>,
/// }
///
/// impl BiLaplacian {
///     /// A M⁻¹A V.
///     fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
///         let mut x = self.a.apply(Side::Plain, v)?;
///         self.mass_inverse.solve(Side::Plain, None, x.as_mut())?;
///         self.a.apply(Side::Plain, x.as_ref())
///     }
/// }
///
/// impl Prior for BiLaplacian {
///     fn at(&self, theta: &[f64]) -> Result<Quadratic<'_>> {
///         let n = self.mean.len();
///         let precision = Operator::free(n, n, Box::new(|_, v, mut out| match self.product(v) {
///             Ok(product) => out.copy_from(product),
///             Err(_) => out.fill(f64::NAN),
///         }));
///         let deviation: Vec<f64> = theta.iter().zip(&self.mean).map(|(t, m)| t - m).collect();
///         Quadratic::gaussian(precision, &deviation)
///     }
///
///     fn is_affine(&self) -> bool {
///         true
///     }
///
///     fn precision<'a>(&'a self, _: &[f64], _: &'a dyn Backend) -> Result<Box<dyn Factor + 'a>> {
///         Ok(Box::new(Solves(self)))
///     }
/// }
///
/// /// C⁻¹ = A⁻¹M A⁻¹.
/// struct Solves<'a>(&'a BiLaplacian);
///
/// impl Factor for Solves<'_> {
///     fn solve(&self, side: Side, _: Option<MatRef<'_, f64>>, mut x: MatMut<'_, f64>) -> Result<SolveStats> {
///         let first = self.0.a_inverse.solve(side, None, x.as_mut())?;
///         let mut y = self.0.mass.apply(Side::Plain, x.as_ref())?;
///         let second = self.0.a_inverse.solve(side, None, y.as_mut())?;
///         x.copy_from(&y);
///         Ok(first.worst(second))
///     }
/// }
/// # let (n, h) = (20, 0.05);
/// # let matrix = |diagonal: f64, beside: f64| {
/// #     let both = |i: usize| [(i - 1, i - 1, 0.5 * diagonal), (i, i, 0.5 * diagonal), (i, i - 1, beside), (i - 1,
/// #     i, beside)];
/// #     let entries = (1..n).flat_map(both);
/// #     Operator::triplets(n, n, entries).positive_definite()
/// # };
/// # let mass = || matrix(h * 2.0 / 3.0, h / 6.0);
/// # let a = || matrix(0.02 * 2.0 / h + h * 2.0 / 3.0, -0.02 / h + h / 6.0);
/// # let cpu = Cpu::shared();
/// # let (a_inverse, mass_inverse) = (cpu.factor(a())?, cpu.factor(mass())?);
/// # let prior = BiLaplacian { mean: vec![0.0; n], a: a(), mass: mass(), a_inverse, mass_inverse };
/// # let theta = vec![1.0; n];
/// # // A constant is an eigenvector of M⁻¹K with eigenvalue 0: R(1) is half the length of the interval.
/// # assert!((prior.value(&theta)? - 0.5 * 0.95).abs() < 1e-12);
/// # let mut x = Mat::from_fn(n, 1, |i, _| prior.at(&theta).unwrap().gradient()[i]);
/// # prior.precision(&theta, cpu)?.solve(Side::Plain, None, x.as_mut())?;
/// # assert!((0..n).all(|i| (x[(i, 0)] - 1.0).abs() < 1e-10));
/// # let variances = prior.variances(&theta, cpu)?;
/// # assert!(variances[0] > variances[n / 2] && variances[n / 2] > 0.0);
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Prior: Sync {
    /// Returns the value and gradient of R at θ, and the precision.
    ///
    /// # Errors
    /// Fails if θ has the wrong length.
    fn at(&self, theta: &[f64]) -> Result<Quadratic<'_>>;

    /// Returns the penalty R(θ).
    ///
    /// # Errors
    /// Fails if θ has the wrong length.
    fn value(&self, theta: &[f64]) -> Result<f64> {
        Ok(self.at(theta)?.value())
    }

    /// Returns whether R is quadratic in θ. C is then constant and is factorised only once.
    fn is_affine(&self) -> bool {
        false
    }

    /// Prepares solves with C, by default by a factorisation.
    ///
    /// # Errors
    /// Fails with [`Error::NotPositiveDefinite`] if the prior leaves some combination of the parameters undetermined.
    fn precision<'a>(
        &'a self,
        theta: &[f64],
        backend: &'a dyn Backend,
    ) -> Result<Box<dyn Factor + 'a>> {
        factor_definite(backend, self.at(theta)?.into_precision()?)
    }

    /// Returns the prior variances, diag C⁻¹, by default by one solve per parameter.
    ///
    /// # Errors
    /// Fails as [`precision`](Prior::precision) does.
    fn variances(&self, theta: &[f64], backend: &dyn Backend) -> Result<Vec<f64>> {
        diagonal_of_inverse(self.precision(theta, backend)?.as_ref(), theta.len())
    }

    /// Draws columns from N(0, C⁻¹). This function is called only for a prior without a root P. With a root,
    /// the columns are C⁻¹Pᵀξ for standard normal ξ.
    ///
    /// # Errors
    /// Fails with [`Error::PriorLacks`] unless the prior implements this function.
    fn draw(&self, theta: &[f64], count: usize, seed: u64) -> Result<Mat<f64>> {
        let _ = (theta, count, seed);
        Err(Error::PriorLacks {
            what: "root to draw samples with",
            remedy: "implement `Prior::draw`, or give the root by `Quadratic::squares`",
        })
    }
}

/// Returns the deviation θ − m from the mean.
fn deviation(theta: &[f64], mean: &[f64]) -> Result<Vec<f64>> {
    check::length("θ given to a prior", theta.len(), mean.len())?;
    check::finite("θ given to a prior", theta)?;
    Ok(theta.iter().zip(mean).map(|(t, m)| t - m).collect())
}

/// Checks a batch of right-hand sides for a solver that does not compute residuals.
fn check_right_hand_side(batch: MatRef<'_, f64>, rows: usize) -> Result<()> {
    let what = "the right-hand side of a solve with a prior";
    check::length(what, batch.nrows(), rows)?;
    for column in batch.col_iter() {
        if let Some((index, &value)) = column.iter().enumerate().find(|(_, x)| !x.is_finite()) {
            return Err(Error::NotFinite { what, index, value });
        }
    }
    Ok(())
}

/// Returns PᵀP as a sparse matrix, or None if P cannot be converted to one (see [`Operator::to_sparse`]).
fn gram(root: &Operator<'_>) -> Result<Option<SparseColMat<usize, f64>>> {
    let Some(sparse) = root.to_sparse() else {
        return Ok(None);
    };
    let transposed = sparse.transpose().to_col_major();
    let transposed = transposed.map_err(|_| Error::OutOfMemory {
        what: "precision",
        size: sparse.ncols(),
        needed: None,
        limit: None,
    })?;
    Ok(Some(transposed.as_ref() * sparse.as_ref()))
}

/// Factorises a precision and checks that it is positive definite.
///
/// A matrix that is singular up to rounding may have a Cholesky factor. The solve with a random right-hand
/// side reveals such a matrix by its amplification.
fn factor_definite<'a>(
    backend: &'a dyn Backend,
    precision: Operator<'a>,
) -> Result<Box<dyn Factor + 'a>> {
    let not_definite = |error: Error| match error {
        Error::NotPositiveDefinite { .. } | Error::Singular { .. } => Error::NotPositiveDefinite {
            what: "the precision of the priors, which leave some combination of the parameters free (see \
                   `Smoothness::with_range`, or add a prior),",
        },
        other => other,
    };
    // The factor of an equal matrix has passed this test already.
    if backend.has_factor(&precision) {
        return backend.factor(precision);
    }
    // Priors that leave a combination of the parameters free have a singular precision. Its last pivot is a
    // rounding error of either sign, so that a Cholesky factorisation may succeed.
    let sizes = precision.row_sizes(Side::Plain);
    let noise = random::normal(sizes.len(), 0x5EED, 0);
    let mut probe = Mat::from_fn(sizes.len(), 1, |i, _| noise[i] * sizes[i]);
    let factor = backend.factor(precision).map_err(not_definite)?;
    let outcome = factor.solve(Side::Plain, None, probe.as_mut());
    let stats = outcome.map_err(|error| {
        backend.discard_factors();
        not_definite(error)
    })?;
    // A random vector has a component of relative size 1/√n in the null space.
    let (residual, amplification) = (stats.residual, stats.amplification);
    if amplification <= SINGULAR / (sizes.len() as f64).sqrt() {
        return Ok(factor);
    }
    // Otherwise the next call would find the factor and skip this test.
    backend.discard_factors();
    Err(not_definite(Error::Singular {
        residual,
        amplification,
    }))
}

/// Number of unit vectors per solve for the diagonal of an inverse.
const BLOCK: usize = 64;

fn diagonal_of_inverse(factor: &dyn Factor, n: usize) -> Result<Vec<f64>> {
    // Each solve yields one entry of the diagonal. Blocks bound the memory by n × 64 entries instead of n².
    let mut diagonal = Vec::with_capacity(n);
    for first in (0..n).step_by(BLOCK) {
        let columns = BLOCK.min(n - first);
        let mut units = Mat::zeros(n, columns);
        (0..columns).for_each(|j| units[(first + j, j)] = 1.0);
        factor.solve(Side::Plain, None, units.as_mut())?;
        diagonal.extend((0..columns).map(|j| units[(first + j, j)]));
    }
    Ok(diagonal)
}
