//! Dense least squares min ‖A x + b‖, by reduction to triangular form.

use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Mat, MatRef, Par};

use super::reflections::Reflections;

/// Triangular form of a least-squares problem: R and c with ‖A x + b‖² = ‖R x + c‖² + const.
pub(crate) struct TriangularForm {
    pub(crate) r: Mat<f64>,
    pub(crate) c: Vec<f64>,
}

impl TriangularForm {
    /// Reduces `[A | b]` by Householder reflections. The last column of `augmented` must be b.
    pub(crate) fn of(augmented: Mat<f64>) -> Self {
        // [A | b] = Q [R c; 0 ρ] with orthogonal Q, so ‖A x + b‖² = ‖R x + c‖² + ρ².
        let n = augmented.ncols() - 1;
        let triangle = triangle(augmented);
        Self {
            r: triangle.submatrix(0, 0, n, n).to_owned(),
            c: triangle.col_as_slice(n)[..n].to_vec(),
        }
    }

    /// Returns the column norms of A, which are those of R.
    pub(crate) fn column_norms(&self) -> Vec<f64> {
        (0..self.r.ncols())
            .map(|j| self.r.col(j).norm_l2())
            .collect()
    }

    /// Replaces A by A diag(s).
    pub(crate) fn scale_columns(&mut self, s: &[f64]) {
        for (j, s) in s.iter().enumerate() {
            self.r.col_as_slice_mut(j).iter_mut().for_each(|r| *r *= s);
        }
    }
}

/// Returns the upper triangle R of A = QR, n×n for n columns. A wide matrix is padded with zero rows.
pub(crate) fn triangle(a: Mat<f64>) -> Mat<f64> {
    let (rows, n) = a.shape();
    let padded = if rows >= n {
        a
    } else {
        Mat::from_fn(n, n, |i, j| if i < rows { a[(i, j)] } else { 0.0 })
    };
    // Below the diagonal, `factors` holds the Householder vectors.
    let factors = Reflections::of(padded).factors;
    Mat::from_fn(n, n, |i, j| if i <= j { factors[(i, j)] } else { 0.0 })
}

/// Returns the minimiser x of ‖A x + b‖ with the smallest norm, and the rank of A, see [`minimum_norms`].
pub(crate) fn minimum_norm(a: MatRef<'_, f64>, b: &[f64], tolerance: f64) -> (Vec<f64>, usize) {
    let b = MatRef::from_column_major_slice(b, b.len(), 1);
    let (x, rank) = minimum_norms(a, b, tolerance);
    (x.col_as_slice(0).to_vec(), rank)
}

/// Returns the minimiser X = −A⁺B of ‖A X + B‖ with the smallest norm, and the rank of A. B = I gives −A⁺.
///
/// Column-pivoted QR, A P = Q R, determines the rank as the number of diagonal entries of R above
/// `tolerance`·|R₁₁|. A complete orthogonal decomposition of the leading rows of R gives the solution.
pub(crate) fn minimum_norms(
    a: MatRef<'_, f64>,
    b: MatRef<'_, f64>,
    tolerance: f64,
) -> (Mat<f64>, usize) {
    let (n, sides) = (a.ncols(), b.ncols());
    let (pivoted, forward) = Reflections::pivoted(a.to_owned());
    // Column pivoting makes |R₁₁| ≥ |R₂₂| ≥ …, and each |Rᵢᵢ| the largest distance of a remaining column from
    // the span of the chosen ones. Rows of R below the tolerance are treated as zero, so that the result is
    // that of a nearby matrix of lower rank. The cost is O(mn²) for m rows.
    let (r, rank) = (&pivoted.factors, pivoted.rank(tolerance));
    let mut y = Mat::zeros(n, sides);
    if rank > 0 {
        // With R₁ the leading `rank` rows of R and c = QᵀB: minimise ‖R₁ y + c₁‖ for y = Pᵀx.
        // A second QR, R₁ᵀ = Z [T; 0], turns R₁ into [Tᵀ 0] Zᵀ. Then y = Z [w; 0] with Tᵀ w = −c₁ has the smallest norm.
        // (Golub and Van Loan, Matrix Computations, complete orthogonal decomposition.)
        let c = pivoted.q_transposed(b.to_owned());
        // Below its diagonal, `r` holds Householder vectors instead of zeros.
        let r1_transposed = |i: usize, j: usize| if j <= i { r[(j, i)] } else { 0.0 };
        let second = Reflections::of(Mat::from_fn(n, rank, r1_transposed));
        let mut w = Mat::from_fn(rank, sides, |i, j| -c[(i, j)]);
        let lower = second.factors.subrows(0, rank).transpose();
        solve_lower_triangular_in_place(lower, w.as_mut(), Par::Seq);
        y.as_mut().subrows_mut(0, rank).copy_from(&w);
        y = second.q(y);
    }
    // x = P y.
    let mut x = Mat::zeros(n, sides);
    for (row, &i) in forward.iter().enumerate() {
        (0..sides).for_each(|j| x[(i, j)] = y[(row, j)]);
    }
    (x, rank)
}

/// Returns an orthonormal basis of the range of A.
///
/// The basis consists of the leading columns of Q in a column-pivoted QR, up to the first diagonal entry of R that does
/// not exceed `tolerance`·|R₁₁|.
pub(crate) fn range_basis(a: Mat<f64>, tolerance: f64) -> Mat<f64> {
    let (reflections, _) = Reflections::pivoted(a);
    let rows = reflections.factors.nrows();
    reflections.q(Mat::identity(rows, reflections.rank(tolerance)))
}
