//! Leading spectrum of the curvature of the data relative to the precision of the priors.

use faer::Mat;

use super::curvature::Curvature;
use super::eigenpairs::{Eigenpairs, SINGULAR_ROUNDING};
use super::error::HessianError;
use super::full::Hessian;
use super::gauss_newton::GaussNewton;
use crate::error::Result;
use crate::linalg::{product, range_basis, symmetric_eigen, symmetric_product};
use crate::prior::PriorTerms;
use crate::random;

/// Requested eigenpairs, with information on the remaining ones.
pub(crate) struct Spectrum {
    /// Leading eigenpairs, in decreasing order of magnitude.
    pub(crate) eigenpairs: Eigenpairs,
    /// Eigenvalues that were computed but not kept, in decreasing order of magnitude.
    pub(crate) left_out: Vec<f64>,
    /// Upper bound for the number of eigenvalues that were not computed, which are smaller than the computed ones.
    pub(crate) uncomputed: usize,
    /// Size below which eigenvalues are lost to rounding.
    pub(crate) rounding: f64,
}

impl Spectrum {
    /// Computes the first `rank` eigenpairs of G = SᵀS, S = L Z, with `oversampling` additional columns.
    ///
    /// If S has at most as many rows as three passes have columns in all, S itself is computed, by one
    /// adjoint solve per row. Otherwise S is replaced by QᵀS, where Q spans the range of S C⁻¹Sᵀ Ω for random
    /// columns Ω. This is a subspace iteration (Halko, Martinsson, Tropp 2011) in three passes of adjoints,
    /// tangents and adjoints:
    ///
    /// ```text
    /// C⁻¹SᵀΩ = U …,   S U = Q …,   C⁻¹SᵀQ
    /// ```
    ///
    /// with UᵀCU = I and QᵀQ = I. Orthonormal bases between the passes keep all products of size √λ or less, so that
    /// eigenvalues down to 1e-24 of the largest are found.
    pub(crate) fn leading(
        curvature: &GaussNewton<'_>,
        prior: &PriorTerms<'_>,
        (rank, oversampling, seed): (usize, usize, u64),
    ) -> Result<Self> {
        let (rows, dim) = (curvature.lifted_dim(), curvature.dim());
        let columns = rank.saturating_add(oversampling).min(dim);
        // A row of S takes one adjoint solve; a column of the iteration takes two adjoint solves and one
        // tangent solve. Up to three times as many rows as columns therefore cost no more, and give all
        // eigenpairs instead of approximations.
        if rows <= columns.saturating_mul(PASSES) {
            let s = curvature.lowered(rows, |block| {
                let unit = |i, j| if i == block.start + j { 1.0 } else { 0.0 };
                Mat::from_fn(rows, block.len(), unit)
            })?;
            let eigenpairs = Eigenpairs::factored(prior, prior.solve(s.as_ref())?)?;
            return Ok(Self::new(eigenpairs, rank, 0));
        }
        // U spans C⁻¹SᵀΩ and is orthonormal in the C inner product, and Q spans S U: the range of (S C⁻¹Sᵀ)
        // Ω. Then QᵀS ≈ S on its leading singular vectors, and the eigenpairs of SᵀQ QᵀS approximate those of
        // G from below.
        let mut basis = random::normal_matrix(rows, columns, seed);
        let first = pull_back(curvature, prior, &basis)?;
        basis = range_basis(curvature.lifted(first.vectors.as_ref())?, SINGULAR_ROUNDING);
        let eigenpairs = pull_back(curvature, prior, &basis)?;
        // A basis with fewer columns than requested spans the whole range of S, up to rounding, and no
        // eigenvalue above rounding remains. Otherwise the rank of S, at most its number of rows and of
        // columns, bounds the number of remaining eigenvalues.
        let exhausted = basis.ncols() < columns || columns == dim;
        let uncomputed = if exhausted {
            0
        } else {
            rows.min(dim) - columns
        };
        Ok(Self::new(eigenpairs, rank, uncomputed))
    }

    /// Computes the `rank` eigenpairs M u = λ C u of largest magnitude for the exact Hessian H = M + C, with `oversampling`
    /// additional columns. M may have negative eigenvalues.
    ///
    /// With a basis Q of the range of C⁻¹M C⁻¹Ω for random columns Ω, QᵀCQ = I, the eigenpairs QᵀMQ w = λ w give u = Q w
    /// (Villa, Petra, Ghattas 2021): two products with M a column, each with one tangent and one adjoint solve.
    ///
    /// # Errors
    /// Fails with [`HessianError::Indefinite`] if H has an eigenvalue 1 + λ ≤ 0.
    pub(crate) fn exact(
        hessian: &Hessian<'_>,
        prior: &PriorTerms<'_>,
        (rank, oversampling, seed): (usize, usize, u64),
    ) -> Result<Self> {
        let dim = hessian.dim();
        let columns = rank.saturating_add(oversampling).min(dim);
        let mut test = prior.solve(random::normal_matrix(dim, columns, seed).as_ref())?;
        // A test matrix with as many columns as parameters spans everything already.
        if columns < dim {
            test = prior.solve(hessian.data(test.as_ref())?.as_ref())?;
        }
        let basis = Eigenpairs::factored(prior, test)?.vectors;
        let image = hessian.data(basis.as_ref())?;
        let (values, rotation) =
            symmetric_eigen(symmetric_product(basis.as_ref(), image.as_ref()).as_ref());
        let lowest = values.iter().fold(0.0, |low: f64, l| low.min(*l));
        if 1.0 + lowest <= ROUNDING * values.iter().fold(1.0, |m: f64, l| m.max(l.abs())) {
            let eigenvalue = 1.0 + lowest;
            return Err(HessianError::Indefinite { eigenvalue }.into());
        }
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|i, j| values[*j].abs().total_cmp(&values[*i].abs()));
        let vectors = product(basis.as_ref(), rotation.as_ref());
        let eigenpairs = Eigenpairs {
            values: order.iter().map(|&j| values[j]).collect(),
            vectors: Mat::from_fn(dim, order.len(), |i, j| vectors[(i, order[j])]),
        };
        let exhausted = basis.ncols() < columns || columns == dim;
        let uncomputed = if exhausted { 0 } else { dim - columns };
        let mut spectrum = Self::new(eigenpairs, rank, uncomputed);
        // Products with M are rounded relative to its largest eigenvalue.
        spectrum.rounding = ROUNDING * values.iter().fold(0.0, |m: f64, l| m.max(l.abs()));
        Ok(spectrum)
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

/// Rounding error of the eigenvalues of an exact Hessian, relative to the largest.
const ROUNDING: f64 = 1e-12;

/// Number of passes of the randomised method: adjoint, tangent and adjoint solves, with one solve per column and pass.
const PASSES: usize = 3;

/// Computes the eigenpairs of SᵀQ QᵀS from one pass of adjoint solves.
fn pull_back(
    curvature: &GaussNewton<'_>,
    prior: &PriorTerms<'_>,
    q: &Mat<f64>,
) -> Result<Eigenpairs> {
    let s = curvature.lowered(q.ncols(), |block| {
        q.subcols(block.start, block.len()).to_owned()
    })?;
    Eigenpairs::factored(prior, prior.solve(s.as_ref())?)
}
