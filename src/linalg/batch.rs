//! Batches of columns that can stay on an accelerator between solves.

use std::any::Any;

use faer::Mat;

use super::operator::{Operator, Side};
use crate::check;
use crate::error::Result;
use crate::vector::centre;

/// Batch of columns for a sequence of solves, on the CPU or on an accelerator.
///
/// A sketch solves a batch of m probes with the metric and then with the model, and contracts the result with
/// ∂g/∂θ. For k state variables and p parameters, only the final p × m entries are needed on the CPU, not the
/// k × m entries in between. The factors decide whether the columns are transferred between solves, see
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
    /// Columns on the CPU.
    Host(Mat<f64>),
    /// Columns on the accelerator of a backend.
    Device(Box<dyn Remote>),
}

/// Columns that a backend stores, usually on an accelerator.
///
/// Factors of the same backend recover the concrete type of the columns with [`into_any`](Remote::into_any),
/// and other factors fetch the columns. Methods may return before their work is complete. Errors may be
/// reported as late as in [`fetch`](Remote::fetch), which waits for all pending work.
pub trait Remote: Send {
    /// Returns the numbers of rows and columns of the batch.
    fn shape(&self) -> (usize, usize);

    /// Transfers the columns to the CPU.
    ///
    /// # Errors
    /// Fails if the accelerator fails.
    fn fetch(self: Box<Self>) -> Result<Mat<f64>>;

    /// Computes A X or Aᵀ X on the accelerator.
    ///
    /// Returns `None` if the accelerator does not support the operator, so that the caller has to fetch X.
    /// The caller must check that the shapes match.
    ///
    /// # Errors
    /// Fails if the accelerator fails.
    fn apply(&self, a: &Operator<'_>, side: Side) -> Result<Option<Box<dyn Remote>>>;

    /// Computes x ← s x for every column x.
    ///
    /// # Errors
    /// Fails if the accelerator fails.
    fn scale(&mut self, s: f64) -> Result<()>;

    /// Computes x ← x − Σ wᵢxᵢ / Σ wᵢ for every column x, with one weight per row.
    ///
    /// # Errors
    /// Fails if the accelerator fails.
    fn centre(&mut self, weights: &[f64]) -> Result<()>;

    /// Converts to [`Any`], so that the backend can recover its own type.
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;
}

impl From<Mat<f64>> for Batch {
    fn from(columns: Mat<f64>) -> Self {
        Self::Host(columns)
    }
}

impl Batch {
    /// Returns the numbers of rows and columns of the batch.
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Self::Host(x) => x.shape(),
            Self::Device(x) => x.shape(),
        }
    }

    /// Returns the number of rows of the batch.
    pub fn nrows(&self) -> usize {
        self.shape().0
    }

    /// Returns the number of columns of the batch.
    pub fn ncols(&self) -> usize {
        self.shape().1
    }

    /// Returns the columns, transferred to the CPU if necessary.
    ///
    /// # Errors
    /// Fails if the accelerator fails.
    pub fn fetch(self) -> Result<Mat<f64>> {
        let shape = self.shape();
        match self {
            Self::Host(x) => Ok(x),
            Self::Device(x) => {
                let x = x.fetch()?;
                check_shape(x.shape(), shape)?;
                Ok(x)
            }
        }
    }

    /// Computes A X or Aᵀ X, on the accelerator if X is stored there and the operator is supported.
    ///
    /// # Errors
    /// Fails with [`Error::Dimension`](crate::Error::Dimension) if X has the wrong number of rows. Fails if the
    /// accelerator fails.
    pub fn apply(self, a: &Operator<'_>, side: Side) -> Result<Self> {
        let (rows, cols) = a.shape_of(side);
        check::length("the operand of an operator", self.nrows(), cols)?;
        if let Self::Device(x) = &self
            && let Some(product) = x.apply(a, side)?
        {
            check_shape(product.shape(), (rows, self.ncols()))?;
            return Ok(Self::Device(product));
        }
        let x = self.fetch()?;
        a.apply(side, x.as_ref()).map(Self::Host)
    }

    /// Computes x ← s x for every column x.
    ///
    /// # Errors
    /// Fails if the accelerator fails.
    pub fn scale(&mut self, s: f64) -> Result<()> {
        match self {
            Self::Host(x) => {
                for column in x.col_iter_mut() {
                    column.iter_mut().for_each(|x| *x *= s);
                }
                Ok(())
            }
            Self::Device(x) => x.scale(s),
        }
    }

    /// Computes x ← x − Σ wᵢxᵢ / Σ wᵢ for every column x, which subtracts the weighted mean of x.
    ///
    /// # Errors
    /// Fails with [`Error::Dimension`](crate::Error::Dimension) if there is not one weight per row. Fails if the
    /// accelerator fails.
    pub fn centre(&mut self, weights: &[f64]) -> Result<()> {
        check::length("the weights of a mean", weights.len(), self.nrows())?;
        match self {
            Self::Host(x) => {
                // This is the transpose of the projection ζ ↦ ζ − w Σζ/Σw, and itself a projection: it maps
                // constants to zero, and a second application changes nothing.
                let total = weights.iter().sum();
                (0..x.ncols()).for_each(|j| centre(x.col_as_slice_mut(j), weights, total));
                Ok(())
            }
            Self::Device(x) => x.centre(weights),
        }
    }
}

/// Checks the shape of a batch that a backend has returned.
pub(crate) fn check_shape(found: (usize, usize), expected: (usize, usize)) -> Result<()> {
    check::length("the rows of a batch from a backend", found.0, expected.0)?;
    check::length("the columns of a batch from a backend", found.1, expected.1)
}
