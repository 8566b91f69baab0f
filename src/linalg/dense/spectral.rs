//! Eigenvalues and singular values of small matrices.
//!
//! The computations run on one thread, so that the rounding does not depend on the number of threads.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Mat, MatRef, Par};

use super::least_squares::triangle;
use super::reflections::Reflections;

/// Returns the eigenvalues of a small symmetric matrix, largest first, and its eigenvectors.
///
/// Returns no eigenpairs if the matrix is not finite.
pub(crate) fn symmetric_eigen(g: MatRef<'_, f64>) -> (Vec<f64>, Mat<f64>) {
    let n = g.nrows();
    let (mut values, mut vectors) = (Diag::zeros(n), Mat::zeros(n, n));
    let scratch =
        self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, Default::default());
    let outcome = self_adjoint_evd(
        g,
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    );
    if outcome.is_err() {
        return (Vec::new(), Mat::zeros(n, 0));
    }
    // The solver returns ascending eigenvalues.
    let reversed = |i: usize| n - 1 - i;
    (
        (0..n).map(|i| values[reversed(i)]).collect(),
        Mat::from_fn(n, n, |i, j| vectors[(i, reversed(j))]),
    )
}

/// Returns the singular values of A, largest first, and its right singular vectors.
///
/// Returns no singular values if A is not finite.
pub(crate) fn right_singular(a: MatRef<'_, f64>) -> (Vec<f64>, Mat<f64>) {
    let (rows, cols) = a.shape();
    // The eigenvalues of AᵀA would be the squares, with errors of ε‖A‖², so that singular values below √ε‖A‖
    // would be lost. Here the errors are about ε‖A‖. A = QR gives AᵀA = RᵀR, so that R has the singular
    // values and the right singular vectors of A.
    if rows > cols {
        return right_singular(triangle(a.to_owned()).as_ref());
    }
    let (_, values, right) = singular(a);
    (values, right)
}

/// Returns the singular values of A, largest first, and an orthonormal basis that begins with its right singular vectors.
///
/// Returns no singular values if A is not finite.
pub(crate) fn right_singular_basis(a: MatRef<'_, f64>) -> (Vec<f64>, Mat<f64>) {
    let (rows, cols) = a.shape();
    if rows >= cols {
        return right_singular(a);
    }
    if rows == 0 {
        return (Vec::new(), Mat::identity(cols, cols));
    }
    // With Aᵀ = Q [R; 0] and Rᵀ = W Σ Uᵀ, A = W Σ [Uᵀ 0] Qᵀ: the vectors are the columns of Q diag(U, I). The decomposition is one of
    // as many columns as A has rows.
    let reflections = Reflections::of(a.transpose().to_owned());
    let lower = |i: usize, j: usize| match j <= i {
        true => reflections.factors[(j, i)],
        false => 0.0,
    };
    let (values, inner) = right_singular(Mat::from_fn(rows, rows, lower).as_ref());
    if values.is_empty() {
        return (values, Mat::zeros(cols, 0));
    }
    let mut basis = Mat::identity(cols, cols);
    basis.submatrix_mut(0, 0, rows, rows).copy_from(&inner);
    (values, reflections.q(basis))
}

/// Returns the left singular vectors of A, its singular values, largest first, and its right singular vectors.
///
/// Returns no singular values if A is not finite.
pub(crate) fn singular(a: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>, Mat<f64>) {
    let (rows, cols) = a.shape();
    let (thin, count) = (ComputeSvdVectors::Thin, rows.min(cols));
    let (mut values, mut left, mut right) = (
        Diag::zeros(count),
        Mat::zeros(rows, count),
        Mat::zeros(cols, count),
    );
    let scratch = svd_scratch::<f64>(rows, cols, thin, thin, Par::Seq, Default::default());
    let outcome = svd(
        a,
        values.as_mut(),
        Some(left.as_mut()),
        Some(right.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    );
    match outcome {
        Err(_) => (Mat::zeros(rows, 0), Vec::new(), Mat::zeros(cols, 0)),
        Ok(()) => {
            let values = values.column_vector().iter().copied().collect();
            (left, values, right)
        }
    }
}
