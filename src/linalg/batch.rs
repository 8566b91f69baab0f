//! Columns that go from solve to solve, and need not come back to the processor in between.

use std::any::Any;

use faer::Mat;

use super::operator::{Operator, Side};
use crate::check;
use crate::error::Result;
use crate::vector::centre;

/// Columns on their way through several solves: on the processor, or where a backend keeps them.
///
/// A sketch lowers its probes by the metric (a solve), pulls them back (another) and contracts them with ∂g/∂θ: of k × m
/// numbers only p × m are wanted in the end. Whether they travel to and fro in between is up to the factors, see
/// [`Factor::solve_batch`](super::Factor::solve_batch).
///
/// ```
/// use pullback::{faer::mat, linalg::Batch, Operator, Side};
/// let mut batch = Batch::from(mat![[1.0], [3.0]]);
/// batch.centre(&[1.0, 1.0])?;
/// batch.scale(2.0)?;
/// let sums = batch.apply(&Operator::dense(mat![[1.0, 2.0]]), Side::Plain)?;
/// assert_eq!(sums.fetch()?, mat![[2.0]]);
/// # Ok::<(), pullback::Error>(())
/// ```
pub enum Batch {
    /// On the processor.
    Here(Mat<f64>),
    /// Where a backend keeps them.
    There(Box<dyn Remote>),
}

/// Columns that a backend keeps, on an accelerator, say.
///
/// Factors of the same backend find what is theirs by [`into_any`](Remote::into_any); all others fetch. What is pending
/// when a method returns is the backend's affair, but for [`fetch`](Remote::fetch): an error may come as late as that.
pub trait Remote: Send {
    /// Rows and columns.
    fn shape(&self) -> (usize, usize);

    /// Brings the columns to the processor.
    ///
    /// # Errors
    /// What the accelerator reports.
    fn fetch(self: Box<Self>) -> Result<Mat<f64>>;

    /// A X or Aᵀ X, to stay where X is; None where there is no way with such an operator, and X is fetched for it.
    /// Shapes fit.
    ///
    /// # Errors
    /// What the accelerator reports.
    fn apply(&self, a: &Operator<'_>, side: Side) -> Result<Option<Box<dyn Remote>>>;

    /// x ← s x for every column.
    ///
    /// # Errors
    /// What the accelerator reports.
    fn scale(&mut self, s: f64) -> Result<()>;

    /// x ← x − Σ wᵢxᵢ / Σ wᵢ for every column; there are as many weights as rows.
    ///
    /// # Errors
    /// What the accelerator reports.
    fn centre(&mut self, weights: &[f64]) -> Result<()>;

    /// For the backend itself, which knows what it is.
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;
}

impl From<Mat<f64>> for Batch {
    fn from(columns: Mat<f64>) -> Self {
        Self::Here(columns)
    }
}

impl Batch {
    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Self::Here(x) => x.shape(),
            Self::There(x) => x.shape(),
        }
    }

    /// Number of rows.
    pub fn nrows(&self) -> usize {
        self.shape().0
    }

    /// Number of columns.
    pub fn ncols(&self) -> usize {
        self.shape().1
    }

    /// The columns, brought to the processor if they are not there yet.
    ///
    /// # Errors
    /// What the accelerator reports.
    pub fn fetch(self) -> Result<Mat<f64>> {
        let shape = self.shape();
        match self {
            Self::Here(x) => Ok(x),
            Self::There(x) => {
                let x = x.fetch()?;
                check_shape(x.shape(), shape)?;
                Ok(x)
            }
        }
    }

    /// A X or Aᵀ X, where X is if that can be done there.
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension) when X has the wrong number of rows; what the accelerator reports.
    pub fn apply(self, a: &Operator<'_>, side: Side) -> Result<Self> {
        let (rows, cols) = a.shape_of(side);
        check::length("the operand of an operator", self.nrows(), cols)?;
        if let Self::There(x) = &self
            && let Some(product) = x.apply(a, side)?
        {
            check_shape(product.shape(), (rows, self.ncols()))?;
            return Ok(Self::There(product));
        }
        let x = self.fetch()?;
        a.apply(side, x.as_ref()).map(Self::Here)
    }

    /// x ← s x for every column.
    ///
    /// # Errors
    /// What the accelerator reports.
    pub fn scale(&mut self, s: f64) -> Result<()> {
        match self {
            Self::Here(x) => {
                for column in x.col_iter_mut() {
                    column.iter_mut().for_each(|x| *x *= s);
                }
                Ok(())
            }
            Self::There(x) => x.scale(s),
        }
    }

    /// x ← x − Σ wᵢxᵢ / Σ wᵢ for every column: takes off a mean.
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension) when there are not as many weights as rows; what the accelerator
    /// reports.
    pub fn centre(&mut self, weights: &[f64]) -> Result<()> {
        check::length("the weights of a mean", weights.len(), self.nrows())?;
        match self {
            Self::Here(x) => {
                let total = weights.iter().sum();
                (0..x.ncols()).for_each(|j| centre(x.col_as_slice_mut(j), weights, total));
                Ok(())
            }
            Self::There(x) => x.centre(weights),
        }
    }
}

/// Whether a backend gave back as many numbers as it should have.
pub(crate) fn check_shape(found: (usize, usize), expected: (usize, usize)) -> Result<()> {
    check::length("the rows that a backend gave back", found.0, expected.0)?;
    check::length("the columns that a backend gave back", found.1, expected.1)
}
