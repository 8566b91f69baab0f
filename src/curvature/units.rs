//! Changes of basis to units of the parameters.

use faer::Mat;

use crate::linalg::{Side, product, solve_triangular};

/// Factor T of the squared inverse units C = T Tᵀ.
pub(super) enum Units {
    /// T = diag(1/u) for a unit u of every parameter.
    Diagonal(Vec<f64>),
    /// Lower triangle.
    Triangle(Mat<f64>),
}

impl Units {
    /// Returns the number of parameters.
    pub(super) fn dim(&self) -> usize {
        match self {
            Self::Diagonal(units) => units.len(),
            Self::Triangle(t) => t.nrows(),
        }
    }

    /// Returns T X.
    pub(super) fn multiply(&self, x: &Mat<f64>) -> Mat<f64> {
        match self {
            Self::Diagonal(units) => {
                Mat::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)] / units[i])
            }
            Self::Triangle(t) => product(t.as_ref(), x.as_ref()),
        }
    }

    /// Returns T⁻¹X or T⁻ᵀX.
    pub(super) fn solve(&self, side: Side, mut x: Mat<f64>) -> Mat<f64> {
        match self {
            Self::Diagonal(units) => {
                for (row, unit) in x.row_iter_mut().zip(units) {
                    row.iter_mut().for_each(|x| *x *= unit);
                }
            }
            Self::Triangle(t) => solve_triangular(t.as_ref(), side, x.as_mut()),
        }
        x
    }

    /// Returns the unit (C⁻¹)ⱼⱼ^½ of every parameter by itself.
    pub(super) fn alone(&self) -> Vec<f64> {
        match self {
            Self::Diagonal(units) => units.clone(),
            // (C⁻¹)ⱼⱼ = ‖T⁻¹eⱼ‖².
            Self::Triangle(t) => {
                let n = t.nrows();
                let inverse = self.solve(Side::Plain, Mat::identity(n, n));
                (0..n).map(|j| inverse.col(j).norm_l2()).collect()
            }
        }
    }
}
