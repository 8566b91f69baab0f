//! Dense least squares: min ‖A x + b‖ reduced once to a small triangle, then solved for any damping.

use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Mat, MatRef, Par};

use super::reflections::Reflections;

/// R and c with ‖A x + b‖² = ‖R x + c‖² + const.
pub(crate) struct TriangularForm {
    pub(crate) r: Mat<f64>,
    pub(crate) c: Vec<f64>,
}

impl TriangularForm {
    /// Reduces `[A | b]`, b being the last column, by Householder reflections.
    pub(crate) fn of(augmented: Mat<f64>) -> Self {
        let n = augmented.ncols() - 1;
        let triangle = householder(augmented);
        Self {
            r: Mat::from_fn(n, n, |i, j| if i <= j { triangle[(i, j)] } else { 0.0 }),
            c: (0..n).map(|i| triangle[(i, n)]).collect(),
        }
    }

    /// The norms of the columns of A.
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

    /// argmin ‖A x + b‖² + ‖diag(d) x‖², for d without zeros.
    pub(crate) fn damped(&self, d: &[f64]) -> Vec<f64> {
        let n = self.r.ncols();
        let stacked = Mat::from_fn(2 * n, n + 1, |i, j| match (i < n, j < n) {
            (true, true) => self.r[(i, j)],
            (true, false) => self.c[i],
            (false, true) if i - n == j => d[j],
            _ => 0.0,
        });
        let reduced = Self::of(stacked);
        let mut x = Mat::from_fn(n, 1, |i, _| -reduced.c[i]);
        solve_upper_triangular_in_place(reduced.r.as_ref(), x.as_mut(), Par::Seq);
        x.col_as_slice(0).to_vec()
    }

    /// R x.
    pub(crate) fn image(&self, x: &[f64]) -> Vec<f64> {
        let x = MatRef::from_column_major_slice(x, x.len(), 1);
        (&self.r * x).col_as_slice(0).to_vec()
    }
}

/// The upper triangle R of A = QR.
pub(crate) fn triangle(a: Mat<f64>) -> Mat<f64> {
    let n = a.ncols();
    let factors = householder(a);
    Mat::from_fn(n, n, |i, j| if i <= j { factors[(i, j)] } else { 0.0 })
}

/// The matrix with its QR triangle in the upper part; zero rows are added where it is wide.
fn householder(matrix: Mat<f64>) -> Mat<f64> {
    let (rows, cols) = matrix.shape();
    let a = if rows >= cols {
        matrix
    } else {
        Mat::from_fn(
            cols,
            cols,
            |i, j| if i < rows { matrix[(i, j)] } else { 0.0 },
        )
    };
    Reflections::of(a).factors
}

/// The x of least norm among those that minimise ‖A x + b‖, and the rank of A.
pub(crate) fn minimum_norm(a: MatRef<'_, f64>, b: &[f64], tolerance: f64) -> (Vec<f64>, usize) {
    let b = MatRef::from_column_major_slice(b, b.len(), 1);
    let (x, rank) = minimum_norms(a, b, tolerance);
    (x.col_as_slice(0).to_vec(), rank)
}

/// The same for every column of B; with B = I it is −A⁺.
///
/// Column-pivoted QR, A P = Q R; rows of R whose diagonal is below `tolerance`·|R₁₁| are dropped, and the
/// least-norm solution of the rest comes from a QR of their transpose (complete orthogonal decomposition).
pub(crate) fn minimum_norms(
    a: MatRef<'_, f64>,
    b: MatRef<'_, f64>,
    tolerance: f64,
) -> (Mat<f64>, usize) {
    let (n, sides) = (a.ncols(), b.ncols());
    let (pivoted, forward) = Reflections::pivoted(a.to_owned());
    let (r, rank) = (&pivoted.factors, pivoted.rank(tolerance));
    let mut y = Mat::zeros(n, sides);
    if rank > 0 {
        let c = pivoted.q_transposed(b.to_owned());
        // The rows of R that are kept, flipped; below the diagonal stand reflections.
        let kept = |i: usize, j: usize| if j <= i { r[(j, i)] } else { 0.0 };
        let flipped = Reflections::of(Mat::from_fn(n, rank, kept));
        let mut w = Mat::from_fn(rank, sides, |i, j| -c[(i, j)]);
        let lower = flipped.factors.subrows(0, rank).transpose();
        solve_lower_triangular_in_place(lower, w.as_mut(), Par::Seq);
        y.as_mut().subrows_mut(0, rank).copy_from(&w);
        y = flipped.q(y);
    }
    let mut x = Mat::zeros(n, sides);
    for (row, &i) in forward.iter().enumerate() {
        (0..sides).for_each(|j| x[(i, j)] = y[(row, j)]);
    }
    (x, rank)
}

/// Orthonormal columns that span those of A, as many as its rank.
///
/// Column-pivoted QR, of which columns are dropped from the first diagonal entry of `tolerance`·|R₁₁| or less.
pub(crate) fn range_basis(a: Mat<f64>, tolerance: f64) -> Mat<f64> {
    let (reflections, _) = Reflections::pivoted(a);
    let rows = reflections.factors.nrows();
    reflections.q(Mat::identity(rows, reflections.rank(tolerance)))
}
