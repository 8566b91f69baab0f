//! Conversions of matrices from faer, nalgebra and nalgebra-sparse to operators.

use faer::sparse::{SparseColMat, SparseColMatRef, SymbolicSparseColMatRef};
use faer::{Mat, MatRef};
use nalgebra::DMatrix;
use nalgebra_sparse::{CscMatrix, CsrMatrix};

use super::{Kind, Operator};

/// Clones the operator, sharing its entries.
impl<'a> From<&Operator<'a>> for Operator<'a> {
    fn from(operator: &Operator<'a>) -> Self {
        operator.clone()
    }
}

impl From<Mat<f64>> for Operator<'_> {
    fn from(matrix: Mat<f64>) -> Self {
        Self::dense(matrix)
    }
}

impl<'a> From<MatRef<'a, f64>> for Operator<'a> {
    fn from(matrix: MatRef<'a, f64>) -> Self {
        Self::from_kind(Kind::DenseView(matrix))
    }
}

impl From<SparseColMat<usize, f64>> for Operator<'_> {
    fn from(matrix: SparseColMat<usize, f64>) -> Self {
        Self::sparse(matrix)
    }
}

impl<'a> From<SparseColMatRef<'a, usize, f64>> for Operator<'a> {
    fn from(matrix: SparseColMatRef<'a, usize, f64>) -> Self {
        Self::from_kind(Kind::SparseView(matrix))
    }
}

/// Views the matrix: nalgebra stores dense matrices by columns, as faer does.
impl<'a> From<&'a DMatrix<f64>> for Operator<'a> {
    fn from(matrix: &'a DMatrix<f64>) -> Self {
        let view =
            MatRef::from_column_major_slice(matrix.as_slice(), matrix.nrows(), matrix.ncols());
        view.into()
    }
}

impl From<DMatrix<f64>> for Operator<'_> {
    fn from(matrix: DMatrix<f64>) -> Self {
        Self::dense(Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| {
            matrix[(i, j)]
        }))
    }
}

/// Views the matrix: both libraries store column offsets, row indices and values.
impl<'a> From<&'a CscMatrix<f64>> for Operator<'a> {
    fn from(matrix: &'a CscMatrix<f64>) -> Self {
        let symbolic = SymbolicSparseColMatRef::new_checked(
            matrix.nrows(),
            matrix.ncols(),
            matrix.col_offsets(),
            None,
            matrix.row_indices(),
        );
        SparseColMatRef::new(symbolic, matrix.values()).into()
    }
}

impl From<CscMatrix<f64>> for Operator<'_> {
    fn from(matrix: CscMatrix<f64>) -> Self {
        let (nrows, ncols) = (matrix.nrows(), matrix.ncols());
        let (offsets, rows, values) = matrix.disassemble();
        let symbolic =
            faer::sparse::SymbolicSparseColMat::new_checked(nrows, ncols, offsets, None, rows);
        Self::sparse(SparseColMat::new(symbolic, values))
    }
}

impl From<&CsrMatrix<f64>> for Operator<'_> {
    fn from(matrix: &CsrMatrix<f64>) -> Self {
        CscMatrix::from(matrix).into()
    }
}
