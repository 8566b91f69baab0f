//! Metric Σ s sᵀ of given rows.

use faer::{Mat, MatRef};

use super::observed::represent;
use super::{LocalForm, Root, check_batch, check_covector};
use crate::check;
use crate::error::Result;
use crate::linalg::{Operator, Side};

/// Root of the metric M = Σ s sᵀ of sparse rows s, such as the scores of data.
///
/// ```
/// use pullback::faer::mat;
/// use pullback::metric::{Root, Rows};
/// let root = Rows::new(3, &[vec![(0, 1.0), (2, -1.0)], vec![(1, 2.0)]])?;
/// let m = root.apply(mat![[1.0], [1.0], [0.0]].as_ref())?;
/// assert_eq!(m.col_as_slice(0), [1.0, 4.0, -1.0]);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Rows {
    rows: Operator<'static>,
    /// Vector y whose covector Lᵀy is that of a loss.
    own: Option<Vec<f64>>,
}

impl Rows {
    /// Creates the root with these rows for states of length `dim`, each given by its entries.
    ///
    /// # Errors
    /// Fails if there are no rows, if an index is not below `dim`, or if a value is not finite.
    pub fn new(dim: usize, rows: &[Vec<(usize, f64)>]) -> Result<Self> {
        let remedy = "give at least one";
        let some = !rows.is_empty();
        check::option(
            "the number of rows of a metric",
            rows.len() as f64,
            some,
            remedy,
        )?;
        for (index, value) in rows.iter().flatten() {
            let inside = *index < dim;
            let remedy = "give an index below the length of the state";
            check::option(
                "the index of an entry of a row",
                *index as f64,
                inside,
                remedy,
            )?;
            check::finite("an entry of a row of a metric", &[*value])?;
        }
        let numbered = rows.iter().enumerate();
        let entries =
            numbered.flat_map(|(i, row)| row.iter().map(move |(j, value)| (i, *j, *value)));
        Ok(Self {
            rows: Operator::triplets(rows.len(), dim, entries),
            own: None,
        })
    }

    /// Sets the vector y of the covector Lᵀy of a loss, so that `dual` of this covector needs no solve.
    #[must_use]
    pub fn with_dual(mut self, y: Vec<f64>) -> Self {
        self.own = (y.len() == self.rows.nrows()).then_some(y);
        self
    }
}

impl Root for Rows {
    fn dim(&self) -> usize {
        self.rows.ncols()
    }

    fn lifted_dim(&self) -> usize {
        self.rows.nrows()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim())?;
        self.rows.apply(Side::Plain, z)
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.rows.apply(Side::Transpose, y)
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        represent((self, "rows"), self.own.as_deref(), c)
    }

    fn local_form(&self) -> Option<LocalForm> {
        let root = self.rows.to_sparse()?;
        let transposed = root.transpose().to_col_major().ok()?;
        Some(LocalForm::Metric(transposed.as_ref() * root.as_ref()))
    }
}
