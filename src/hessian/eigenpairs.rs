//! Leading eigenpairs of the curvature of the data relative to the precision of the priors.

use faer::{Mat, MatRef};
use serde::{Deserialize, Serialize};

use super::gauss_newton::GaussNewton;
use crate::error::{Error, Result};
use crate::linalg::{add_product, product, right_singular, symmetric_eigen, symmetric_product};
use crate::prior::PriorTerms;

/// Eigenpairs of G u = λ C u in decreasing order, with UᵀCU = I and UᵀGU = diag λ.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Eigenpairs {
    pub(crate) values: Vec<f64>,
    #[serde(with = "crate::saving::forms::columns")]
    pub(crate) vectors: Mat<f64>,
}

/// Fraction of the largest eigenvalue below which an eigenvalue counts as a rounding error.
//
// Entries of a computed Gram matrix have errors of a few ε times its norm, and so have its eigenvalues.
// Inverse square roots of such eigenvalues would fill the vectors with noise. Dropping them makes the
// approximation smaller, never larger.
const EIGEN_ROUNDING: f64 = 1e-13;

/// Fraction of the largest singular value below which a singular value counts as a rounding error.
pub(crate) const SINGULAR_ROUNDING: f64 = 1e-12;

/// Largest eigenvalue up to which the eigenvalues are computed from a Gram matrix, see [`Eigenpairs::of_rows`].
//
// Eigenvalues below 1e-13 · 1e8 = 1e-5 are then dropped. Through the factor λ/(1 + λ), each of them changes a
// variance by less than 1e-5 of the prior variance.
const MAX_SQUARED: f64 = 1e8;

impl Eigenpairs {
    /// Computes approximate eigenpairs by the randomised Nyström method, with one product G Ω.
    pub(crate) fn nystrom(curvature: &GaussNewton<'_>, test: MatRef<'_, f64>) -> Result<Self> {
        let y = curvature.data(test)?;
        // With Y = GΩ and ΩᵀY = LLᵀ, the Nyström approximation is G ≈ Y(ΩᵀY)⁺Yᵀ = BBᵀ, B = Y L⁻ᵀ. If BᵀC⁻¹B q = λ q,
        // then u = C⁻¹B q/√λ satisfies BBᵀu = λ C u and uᵀC u = 1 (Halko, Martinsson and Tropp 2011, Algorithm 5.5).
        let root = inverse_root(symmetric_product(test, y.as_ref()));
        let b = product(y.as_ref(), root.as_ref());
        let smooth = curvature.prior_solve(b.as_ref())?;
        let small = symmetric_product(b.as_ref(), smooth.as_ref());
        let (values, rotation) = decompose(small);
        let scaled = scale_columns(rotation, |j| values[j].sqrt().recip());
        Ok(Self {
            vectors: product(smooth.as_ref(), scaled.as_ref()),
            values,
        })
    }

    /// Computes the eigenpairs of G = SᵀS, given C⁻¹Sᵀ.
    ///
    /// The eigenpairs S C⁻¹Sᵀ q = λ q give u = C⁻¹Sᵀq/√λ, with rounding errors relative to the largest
    /// eigenvalue λ₁. These errors must be small compared to 1, where data and prior have equal weight. For a
    /// larger λ₁ the Gram matrix is avoided, see [`factored`](Self::factored).
    pub(crate) fn of_rows(
        prior: &PriorTerms<'_>,
        s: MatRef<'_, f64>,
        smooth: Mat<f64>,
    ) -> Result<Self> {
        let (values, rotation) = decompose(symmetric_product(s.transpose(), smooth.as_ref()));
        if values.first().is_some_and(|largest| *largest > MAX_SQUARED) {
            return Self::factored(prior, smooth);
        }
        let scaled = scale_columns(rotation, |j| values[j].sqrt().recip());
        Ok(Self {
            vectors: product(smooth.as_ref(), scaled.as_ref()),
            values,
        })
    }

    /// Computes the eigenpairs of G = SᵀS, given Y = C⁻¹Sᵀ, without forming a Gram matrix.
    ///
    /// For any W with WᵀW = YᵀC Y, such as W = P Y with C = PᵀP,
    ///
    /// ```text
    /// WᵀW = YᵀC Y = S C⁻¹Sᵀ,   W = X Σ Vᵀ,   λ = σ²,   u = Y v/σ
    /// ```
    ///
    /// so that uᵀC u = vᵀWᵀW v/σ² = 1. Rounding is relative to σ₁ = √λ₁ and not to λ₁, as it would be in S C⁻¹Sᵀ.
    pub(crate) fn factored(prior: &PriorTerms<'_>, smooth: Mat<f64>) -> Result<Self> {
        let norm_factor = prior.norm_factor(smooth.as_ref())?;
        check_finite(norm_factor.as_ref())?;
        let (values, mut rotation) = right_singular(norm_factor.as_ref());
        let rank = significant(&values);
        rotation.truncate(smooth.ncols(), rank);
        let scaled = scale_columns(rotation, |j| values[j].recip());
        Ok(Self {
            values: values[..rank].iter().map(|v| v * v).collect(),
            vectors: product(smooth.as_ref(), scaled.as_ref()),
        })
    }

    /// Computes the eigenpairs of G = SᵀS for C⁻¹ = diag(scale²) from the singular vectors of S diag(scale).
    pub(crate) fn of_scaled_rows(s: MatRef<'_, f64>, scale: &[f64]) -> Self {
        // With E = diag(scale) and S E = WΣVᵀ, u = E v satisfies SᵀS u = E⁻¹(E SᵀS E)v = σ²E⁻¹v = σ²C u,
        // because C = E⁻², and uᵀC u = vᵀv = 1.
        let scaled = Mat::from_fn(s.nrows(), s.ncols(), |i, j| s[(i, j)] * scale[j]);
        let (values, mut vectors) = right_singular(scaled.as_ref());
        let rank = significant(&values);
        for j in 0..rank {
            let column = vectors.col_as_slice_mut(j).iter_mut();
            column.zip(scale).for_each(|(x, s)| *x *= s);
        }
        vectors.truncate(s.ncols(), rank);
        Self {
            values: values[..rank].iter().map(|v| v * v).collect(),
            vectors,
        }
    }

    /// Keeps the first `rank` eigenpairs.
    pub(crate) fn truncated(mut self, rank: usize) -> Self {
        let rank = rank.min(self.values.len());
        self.values.truncate(rank);
        self.vectors.truncate(self.vectors.nrows(), rank);
        self
    }

    /// Returns V + U diag(f(λ)) Uᵀ W. For V = C⁻¹W this is a function of the full curvature applied to W.
    pub(crate) fn correct(
        &self,
        mut v: Mat<f64>,
        w: MatRef<'_, f64>,
        f: impl Fn(f64) -> f64,
    ) -> Mat<f64> {
        let mut inner = product(self.vectors.transpose(), w);
        for j in 0..inner.ncols() {
            let column = inner.col_as_slice_mut(j).iter_mut();
            column.zip(&self.values).for_each(|(x, l)| *x *= f(*l));
        }
        add_product(v.as_mut(), self.vectors.as_ref(), inner.as_ref());
        v
    }
}

/// Checks that all entries are finite. Without this check an overflow would yield no eigenpairs, and the posterior
/// would silently equal the prior.
fn check_finite(batch: MatRef<'_, f64>) -> Result<()> {
    let what = "the curvature of the data beside that of the prior (is the noise in the units of the data?)";
    batch
        .col_iter()
        .try_for_each(|column| match column.iter().all(|x| x.is_finite()) {
            true => Ok(()),
            false => Err(Error::Overflow { what }),
        })
}

/// Returns the number of singular values above rounding. `values` are in decreasing order.
fn significant(values: &[f64]) -> usize {
    let largest = values.first().copied().unwrap_or(0.0);
    values
        .iter()
        .take_while(|v| **v > SINGULAR_ROUNDING * largest)
        .count()
}

/// Returns the eigenvalues above rounding, in decreasing order, and their eigenvectors.
fn decompose(small: Mat<f64>) -> (Vec<f64>, Mat<f64>) {
    let (values, vectors) = symmetric_eigen(small.as_ref());
    let largest = values.first().copied().unwrap_or(0.0);
    let rank = values
        .iter()
        .take_while(|v| **v > EIGEN_ROUNDING * largest)
        .count();
    let kept = vectors.subcols(0, rank).to_owned();
    (values[..rank].to_vec(), kept)
}

/// Returns S with S Sᵀ = K⁺, as Q Λ^{-1/2} from K = Q Λ Qᵀ.
fn inverse_root(k: Mat<f64>) -> Mat<f64> {
    // A Cholesky factor need not exist: G, and with it ΩᵀGΩ, is singular if the data do not depend on some
    // combination of the parameters.
    let (values, vectors) = decompose(k);
    scale_columns(vectors, |j| values[j].sqrt().recip())
}

fn scale_columns(mut m: Mat<f64>, s: impl Fn(usize) -> f64) -> Mat<f64> {
    for j in 0..m.ncols() {
        let factor = s(j);
        m.col_as_slice_mut(j).iter_mut().for_each(|x| *x *= factor);
    }
    m
}
