//! Covariance matrices of noise and priors, applied through their whitening Γ^{-1/2}.

use faer::{Mat, MatMut, MatRef};

use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Operator, Side, lower_cholesky, solve_triangular};

/// Covariance matrix Γ: symmetric positive definite, diagonal or full.
///
/// ```
/// use pullback::{faer::mat, Noise};
/// let noise = Noise::full(mat![[4.0, 0.0], [0.0, 9.0]])?;
/// assert_eq!(noise.whitened(&[2.0, 3.0])?, [1.0, 1.0]);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Noise(Kind);

/// Name of the covariance matrix in error messages.
const WHAT: &str = "a covariance";

/// Relative rounding error of a Cholesky pivot, per row of the matrix.
///
/// The pivot γᵢᵢ − Σ_{k<i} c_ik² subtracts up to n squares from γᵢᵢ. A pivot below n times this fraction
/// of γᵢᵢ therefore cannot be distinguished from zero.
const ROUNDING: f64 = 4.0 * f64::EPSILON;

/// Representation of Γ.
#[derive(Clone, Debug)]
enum Kind {
    /// Standard deviations of independent entries.
    Diagonal(Vec<f64>),
    /// Lower triangular Cholesky factor C of Γ = CCᵀ.
    Full(Mat<f64>),
}

impl Noise {
    /// Creates the covariance of independent entries with these standard deviations.
    ///
    /// # Errors
    /// Fails if a standard deviation is not positive and finite, or if its reciprocal overflows.
    pub fn deviations(deviations: Vec<f64>) -> Result<Self> {
        check::positive("a standard deviation", &deviations)?;
        // Whitening multiplies by reciprocals.
        let small = deviations.iter().position(|d| d.recip().is_infinite());
        if let Some(index) = small {
            return Err(Error::OutOfRange {
                what: "a standard deviation",
                index,
                value: deviations[index],
                lower: f64::MAX.recip(),
                upper: f64::MAX,
            });
        }
        Ok(Self(Kind::Diagonal(deviations)))
    }

    /// Creates the covariance of `n` independent entries with a common standard deviation.
    ///
    /// # Errors
    /// Fails if the standard deviation is not positive and finite, or if its reciprocal overflows.
    pub fn uniform(n: usize, deviation: f64) -> Result<Self> {
        Self::deviations(vec![deviation; n])
    }

    /// Creates a covariance from its full matrix.
    ///
    /// # Errors
    /// Fails if the matrix is not finite, square, symmetric and positive definite.
    pub fn full(matrix: Mat<f64>) -> Result<Self> {
        let n = matrix.nrows();
        check::length("the columns of a covariance", matrix.ncols(), n)?;
        (0..n).try_for_each(|j| check::finite("a covariance", matrix.col_as_slice(j)))?;
        // Entries of a covariance satisfy |γᵢⱼ| ≤ √γᵢᵢ √γⱼⱼ, which serves as the scale of the entry. Separate
        // roots avoid overflow of the product γᵢᵢγⱼⱼ. An asymmetry of 1e-12 relative to this scale is
        // attributed to rounding when the matrix was computed. The Cholesky factorisation reads only the
        // lower triangle.
        let symmetric = |i: usize, j: usize| {
            let (a, b) = (matrix[(i, j)], matrix[(j, i)]);
            let size = matrix[(i, i)].abs().sqrt() * matrix[(j, j)].abs().sqrt();
            (a - b).abs() <= 1e-12 * size
        };
        let mut pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
        if let Some((row, column)) = pairs.find(|&(i, j)| !symmetric(i, j)) {
            return Err(Error::NotSymmetric {
                what: WHAT,
                row,
                column,
                entry: matrix[(row, column)],
                mirrored: matrix[(column, row)],
            });
        }
        let factor = lower_cholesky(matrix.as_ref(), WHAT)?;
        // The pivot cᵢᵢ² relative to γᵢᵢ.
        let pivot = |i: usize| factor[(i, i)] * (factor[(i, i)] / matrix[(i, i)]);
        if (0..n).any(|i| pivot(i) <= ROUNDING * n as f64) {
            return Err(Error::NotPositiveDefinite { what: WHAT });
        }
        Ok(Self(Kind::Full(factor)))
    }

    /// Returns the covariance of the entries with these indices, in this order.
    ///
    /// # Errors
    /// Fails if rounding makes the part of a full matrix singular.
    pub(crate) fn of(&self, rows: &[usize]) -> Result<Self> {
        Ok(Self(match &self.0 {
            Kind::Diagonal(d) => Kind::Diagonal(rows.iter().map(|&i| d[i]).collect()),
            Kind::Full(c) if rows.len() == c.nrows() => Kind::Full(c.clone()),
            Kind::Full(c) => {
                let gamma = c * c.transpose();
                let entry = |i: usize, j: usize| gamma[(rows[i], rows[j])];
                let part = Mat::from_fn(rows.len(), rows.len(), entry);
                Kind::Full(lower_cholesky(part.as_ref(), WHAT)?)
            }
        }))
    }

    /// Returns the standard deviations of independent entries, or None if entries are correlated.
    pub(crate) fn independent(&self) -> Option<&[f64]> {
        match &self.0 {
            Kind::Diagonal(deviations) => Some(deviations),
            Kind::Full(_) => None,
        }
    }

    /// Returns the number of rows of Γ.
    pub fn dim(&self) -> usize {
        match &self.0 {
            Kind::Diagonal(d) => d.len(),
            Kind::Full(c) => c.nrows(),
        }
    }

    /// Computes Γ^{-1/2} X, or Γ^{-T/2} X for the transposed side, where Γ⁻¹ = Γ^{-T/2} Γ^{-1/2}.
    ///
    /// # Errors
    /// Fails with [`Error::Dimension`] if X does not have as many rows as Γ.
    pub fn whiten(&self, side: Side, x: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check::length("the rows of a batch to whiten", x.nrows(), self.dim())?;
        let mut out = x.to_owned();
        match &self.0 {
            Kind::Diagonal(d) => {
                for j in 0..out.ncols() {
                    let column = out.col_as_slice_mut(j).iter_mut();
                    column.zip(d).for_each(|(x, d)| *x /= d);
                }
            }
            // Γ = CCᵀ gives Γ⁻¹ = C⁻ᵀC⁻¹, so that Γ^{-1/2} = C⁻¹. Any such root whitens: C⁻¹e has the
            // covariance C⁻¹CCᵀC⁻ᵀ = I for noise e of covariance Γ. The Cholesky root needs no eigenvalues
            // and takes n² operations per column.
            Kind::Full(c) => solve_triangular(c.as_ref(), side, out.as_mut()),
        }
        Ok(out)
    }

    /// Computes Γ^{-1/2} x for one vector.
    ///
    /// # Errors
    /// Fails with [`Error::Dimension`] if the length is not the number of rows of Γ.
    pub fn whitened(&self, x: &[f64]) -> Result<Vec<f64>> {
        let x = MatRef::from_column_major_slice(x, x.len(), 1);
        Ok(self.whiten(Side::Plain, x)?.col_as_slice(0).to_vec())
    }

    /// Replaces X by Γ X. X must have as many rows as Γ.
    pub(crate) fn multiply(&self, mut x: MatMut<'_, f64>) {
        match &self.0 {
            // The product d·(d·x) overflows only if the result does, unlike d²·x.
            Kind::Diagonal(d) => {
                for column in x.col_iter_mut() {
                    column
                        .iter_mut()
                        .zip(d)
                        .for_each(|(x, d)| *x = d * (d * *x));
                }
            }
            Kind::Full(c) => {
                let product = c * (c.transpose() * x.as_ref());
                x.copy_from(product);
            }
        }
    }

    /// Returns the variances γᵢᵢ.
    pub(crate) fn variances(&self) -> Vec<f64> {
        match &self.0 {
            Kind::Diagonal(d) => d.iter().map(|d| d * d).collect(),
            // γᵢᵢ = Σ_k c_ik² for Γ = CCᵀ.
            Kind::Full(c) => (0..c.nrows()).map(|i| c.row(i).squared_norm_l2()).collect(),
        }
    }

    /// Returns Γ^{-1/2} as an operator, which is diagonal if Γ is.
    pub(crate) fn whitening(&self) -> Operator<'static> {
        match &self.0 {
            Kind::Diagonal(d) => {
                let inverse: Vec<f64> = d.iter().map(|d| d.recip()).collect();
                Operator::diagonal(inverse)
            }
            Kind::Full(c) => {
                let mut inverse = Mat::identity(c.nrows(), c.nrows());
                solve_triangular(c.as_ref(), Side::Plain, inverse.as_mut());
                Operator::dense(inverse)
            }
        }
    }
}
