//! Least-squares steps by singular values, for truncated steps and for damping by a full matrix.

use faer::{Mat, MatRef};

use super::damping::Weights;
use super::{Path, Proposal};
use crate::check;
use crate::error::Result;
use crate::linalg::{Side, lower_cholesky, product, singular, solve_triangular};

/// Largest change of a parameter that a direction proposes. Step rules shorten it.
pub(super) const LONGEST: f64 = 1e150;

/// Steps η = S x of the problem min ‖R x + c‖² + λ‖K x‖² for all dampings λ, where KᵀK = SDS.
///
/// In the coordinates y = Kx the damping is λ‖y‖², and the singular values σ and vectors of R K⁻¹ = U diag(σ) Vᵀ give
///
/// ```text
/// y = −V diag(σ/(σ² + λ)) Uᵀc.
/// ```
pub(super) struct Filtered {
    /// Singular values, largest first.
    values: Vec<f64>,
    /// Right singular vectors in the coordinates of η, the columns of S K⁻¹V.
    vectors: Mat<f64>,
    /// Coefficients Uᵀc.
    coefficients: Vec<f64>,
    /// Number of singular values above the cut-off.
    rank: usize,
    /// Number of singular values that are no rounding.
    known: usize,
    norms: Vec<f64>,
}

/// Triangular form of a least-squares problem in scaled columns.
pub(super) struct Scaled<'a> {
    /// Matrix R, and the vector c as a last column.
    pub(super) augmented: Mat<f64>,
    pub(super) norms: Vec<f64>,
    /// Diagonal of S.
    pub(super) scale: Vec<f64>,
    /// Gradient SRᵀc in the coordinates of η, where it is known to more digits than c.
    pub(super) gradient: Option<&'a [f64]>,
}

impl Filtered {
    /// Decomposes a problem. Singular values up to `cutoff` times the largest one count as zero in undamped steps, and those up to
    /// `rounding` times the largest one are zero.
    pub(super) fn new(
        problem: Scaled<'_>,
        weights: &Weights,
        (cutoff, rounding): (f64, f64),
    ) -> Result<Self> {
        let Scaled {
            augmented,
            norms,
            scale,
            gradient,
        } = problem;
        let columns = norms.len();
        let r = augmented.subcols(0, columns);
        let c = augmented.subcols(columns, 1);
        let what = "the precision of the prior that damps";
        let factor = match weights {
            Weights::Diagonal(_) => None,
            Weights::Full(matrix) => Some(lower_cholesky(matrix.as_ref(), what)?),
        };
        // The rows of K⁻ᵀ, applied from the left, for K = diag √w or K = Lᵀ with SDS = LLᵀ.
        let transposed = |side: Side, mut rows: Mat<f64>| match (weights, &factor) {
            (Weights::Diagonal(w), _) => scaled_rows(rows, |j| w[j].sqrt().recip()),
            (_, Some(l)) => {
                solve_triangular(l.as_ref(), side, rows.as_mut());
                rows
            }
            _ => rows,
        };
        let b = transposed(Side::Plain, r.transpose().to_owned());
        let (left, values, right) = singular(b.transpose());
        // Without its values the step would be 0, and the run seem to have converged.
        let count = r.nrows().min(columns);
        check::length("the singular values of L Z", values.len(), count)?;
        let vectors = transposed(Side::Transpose, right);
        let vectors = scaled_rows(vectors, |j| scale[j]);
        let largest = values.first().copied().unwrap_or(0.0);
        let mut coefficients = product(left.transpose(), c).col_as_slice(0).to_vec();
        if let Some(gradient) = gradient {
            // With W = S K⁻¹V and ∇ = S⁻¹Rᵀc, Wᵀ∇ = Vᵀ K⁻ᵀRᵀc = diag(σ) Uᵀc.
            let column = MatRef::from_column_major_slice(gradient, columns, 1);
            let images = product(vectors.transpose(), column);
            let images = images.col_as_slice(0).iter().zip(&values);
            let quotient = |(image, value): (&f64, &f64)| image / value.max(f64::MIN_POSITIVE);
            coefficients = images.map(quotient).collect();
        }
        let above = |limit: f64| values.iter().take_while(|v| **v > limit * largest).count();
        Ok(Self {
            rank: above(cutoff.max(rounding)),
            known: above(rounding),
            values,
            vectors,
            coefficients,
            norms,
        })
    }
}

impl Path for Filtered {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let count = if damping > 0.0 {
            self.values.len()
        } else {
            self.rank
        };
        let pairs = self.values.iter().zip(&self.coefficients).enumerate();
        let mut predicted = 0.0;
        let y: Vec<f64> = pairs
            .map(|(i, (value, c))| {
                let y = match i < count && *value > 0.0 {
                    true => -value / (value * value + damping) * c,
                    false => 0.0,
                };
                // ½‖R x + c‖² falls by −Σ σy(Uᵀc + ½σy).
                let image = value * y;
                predicted -= image * (c + 0.5 * image);
                y
            })
            .collect();
        let column = MatRef::from_column_major_slice(&y, y.len(), 1);
        let eta = product(self.vectors.as_ref(), column);
        let eta = eta.col_as_slice(0).iter();
        // A column close to underflow has a scale close to overflow.
        let eta: Vec<f64> = eta.map(|eta| eta.clamp(-LONGEST, LONGEST)).collect();
        Ok(Proposal {
            predicted,
            rank: if damping > 0.0 { eta.len() } else { self.rank },
            eta,
        })
    }

    fn undamped(&mut self) -> Option<Proposal> {
        self.at(0.0).ok()
    }

    fn norms(&self) -> &[f64] {
        &self.norms
    }

    fn remark(&self) -> Option<String> {
        (self.rank < self.known).then(|| {
            "the cut-off leaves combinations of the parameters out of undamped steps: the data determine them, but they are not fitted"
                .into()
        })
    }
}

/// Multiplies the rows of a matrix by factors.
fn scaled_rows(rows: Mat<f64>, factor: impl Fn(usize) -> f64) -> Mat<f64> {
    Mat::from_fn(rows.nrows(), rows.ncols(), |i, j| factor(i) * rows[(i, j)])
}
