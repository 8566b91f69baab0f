//! The leading eigenpairs of the data's curvature, measured by the prior's.

use faer::{Mat, MatRef};

use super::curvature::Curvature;
use crate::error::{Error, Result};
use crate::linalg::{add_product, product, right_singular, symmetric_eigen, symmetric_product};
use crate::prior::PriorTerms;

/// Eigenpairs of G u = λ C u, largest first: UᵀCU = I and UᵀGU = diag λ.
#[derive(Clone, Debug)]
pub(crate) struct Eigenpairs {
    pub(crate) values: Vec<f64>,
    pub(crate) vectors: Mat<f64>,
}

/// Eigenvalues below this fraction of the largest are rounding.
const EIGEN_ROUNDING: f64 = 1e-13;

/// Singular values below this fraction of the largest are.
pub(crate) const SINGULAR_ROUNDING: f64 = 1e-12;

/// The largest eigenvalue beside whose rounding others that are small beside 1 still count.
const MAX_SQUARED: f64 = 1e8;

impl Eigenpairs {
    /// By one pass over the data (Nyström): with Y = GΩ and ΩᵀY = LLᵀ, G ≈ BBᵀ where B = Y L⁻ᵀ, whose eigenpairs
    /// follow from those of BᵀC⁻¹B.
    pub(crate) fn nystrom(curvature: &Curvature<'_>, test: MatRef<'_, f64>) -> Result<Self> {
        let y = curvature.data(test)?;
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

    /// Those of G = SᵀS, given C⁻¹Sᵀ: they follow from the eigenpairs of S C⁻¹Sᵀ, whose rounding is that of the largest.
    /// Where that counts beside 1, it is not squared.
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

    /// Those of G = SᵀS, given Y = C⁻¹Sᵀ, without a square: with a W such as P Y, where C = PᵀP,
    ///
    /// ```text
    /// WᵀW = YᵀC Y = S C⁻¹Sᵀ,   W = X Σ Vᵀ,   λ = σ²,   u = Y v/σ
    /// ```
    ///
    /// so that uᵀC u = vᵀWᵀW v/σ² = 1, and rounding is that of σ, as small beside √λ₁ as it is beside λ₁ in S C⁻¹Sᵀ.
    pub(crate) fn factored(prior: &PriorTerms<'_>, smooth: Mat<f64>) -> Result<Self> {
        let lengths = prior.lengths(smooth.as_ref())?;
        check_finite(lengths.as_ref())?;
        let (values, mut rotation) = right_singular(lengths.as_ref());
        let rank = significant(&values);
        rotation.truncate(smooth.ncols(), rank);
        let scaled = scale_columns(rotation, |j| values[j].recip());
        Ok(Self {
            values: values[..rank].iter().map(|v| v * v).collect(),
            vectors: product(smooth.as_ref(), scaled.as_ref()),
        })
    }

    /// Those of G = SᵀS where C⁻¹ = diag(scale²), by the singular vectors of S diag(scale).
    pub(crate) fn of_scaled_rows(s: MatRef<'_, f64>, scale: &[f64]) -> Self {
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

    /// V + U diag(f(λ)) Uᵀ W, which turns C⁻¹W into functions of the whole curvature when V is that.
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

/// What overflows has no singular values, and a posterior without eigenpairs would be the prior.
fn check_finite(batch: MatRef<'_, f64>) -> Result<()> {
    let what = "the curvature of the data beside that of the prior (is the noise in the units of the data?)";
    batch
        .col_iter()
        .try_for_each(|column| match column.iter().all(|x| x.is_finite()) {
            true => Ok(()),
            false => Err(Error::Overflow { what }),
        })
}

/// How many of these singular values, largest first, are more than rounding.
fn significant(values: &[f64]) -> usize {
    let largest = values.first().copied().unwrap_or(0.0);
    values.iter().take_while(|v| **v > SINGULAR_ROUNDING * largest).count()
}

/// Eigenvalues that are more than rounding, largest first, and their vectors.
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

/// S with S Sᵀ = K⁺.
fn inverse_root(k: Mat<f64>) -> Mat<f64> {
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
