//! Curvatures: symmetric matrices on the parameters, known by their products.

use faer::{Mat, MatRef};

use crate::check;
use crate::error::Result;
use crate::linalg::{Operator, Side};

/// Symmetric matrix H on the parameters, known by its products with batches of columns.
///
/// Implemented by [`GaussNewton`](super::GaussNewton) (without priors the information matrix ZᵀMZ), by the exact
/// [`Hessian`](super::Hessian), and by every [`Operator`] that is square and symmetric. The methods of
/// [`curvature`](crate::curvature) look at any of them.
///
/// ```
/// use pullback::Operator;
/// use pullback::curvature::{Curvature, Extremes};
/// let h = Operator::diagonal(vec![4.0, 1.0, 9.0]);
/// let extremes = Extremes::of(&h, &Default::default())?;
/// assert!((extremes.largest.value - 9.0).abs() < 1e-12 && (extremes.smallest.value - 1.0).abs() < 1e-12);
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Curvature {
    /// Returns the number n of rows, and of columns.
    fn dim(&self) -> usize;

    /// Returns H V.
    ///
    /// # Errors
    /// Fails if a solve fails, or if V does not have n rows.
    fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>>;
}

impl Curvature for Operator<'_> {
    fn dim(&self) -> usize {
        self.nrows()
    }

    fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check::length("the columns of a curvature", self.ncols(), self.nrows())?;
        self.apply(Side::Plain, v)
    }
}
