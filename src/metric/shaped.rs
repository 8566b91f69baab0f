//! Checks of the shapes that a user's metric returns.

use faer::{Mat, MatRef};

use super::{LocalForm, Metric, Root};
use crate::error::{Error, Result};
use crate::linalg::{Backend, Batch};

/// Prepares a metric at ρ, and checks the shape of every result from then on.
///
/// # Errors
/// Fails as [`Metric::at`] does, and if the metric is for states of another length.
pub(crate) fn prepare<'a>(
    metric: &'a dyn Metric,
    rho: &'a [f64],
    backend: &'a dyn Backend,
) -> Result<Box<dyn Root + 'a>> {
    shaped(metric.at(rho, backend)?, metric.name(), rho.len())
}

/// Checks the shape of every result of a root from now on.
///
/// # Errors
/// Fails if the root is for states of another length.
pub(crate) fn shaped<'a>(
    root: Box<dyn Root + 'a>,
    metric: &'static str,
    states: usize,
) -> Result<Box<dyn Root + 'a>> {
    let shaped = Shaped { root, metric };
    shaped.check("a tangent", shaped.root.dim(), states)?;
    Ok(Box::new(shaped))
}

/// Root that checks the shapes of its results.
struct Shaped<'a> {
    root: Box<dyn Root + 'a>,
    metric: &'static str,
}

impl Shaped<'_> {
    fn check(&self, what: &'static str, found: usize, expected: usize) -> Result<()> {
        match found == expected {
            true => Ok(()),
            false => Err(Error::MetricShape {
                metric: self.metric,
                what,
                expected,
                found,
            }),
        }
    }

    fn check_batch(
        &self,
        what: &'static str,
        [rows, columns]: [usize; 2],
        expected: [usize; 2],
    ) -> Result<()> {
        self.check(what, rows, expected[0])?;
        self.check("a batch of columns", columns, expected[1])
    }
}

impl Root for Shaped<'_> {
    fn dim(&self) -> usize {
        self.root.dim()
    }

    fn lifted_dim(&self) -> usize {
        self.root.lifted_dim()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.check("a tangent to lift", z.nrows(), self.dim())?;
        let lifted = self.root.lift(z)?;
        let expected = [self.lifted_dim(), z.ncols()];
        self.check_batch("a vector from `lift`", lifted.shape().into(), expected)?;
        Ok(lifted)
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.check("a vector to lower", y.nrows(), self.lifted_dim())?;
        let lowered = self.root.lower(y)?;
        let expected = [self.dim(), y.ncols()];
        self.check_batch("a covector from `lower`", lowered.shape().into(), expected)?;
        Ok(lowered)
    }

    fn lower_batch(&self, y: Mat<f64>) -> Result<Batch> {
        self.check("a vector to lower", y.nrows(), self.lifted_dim())?;
        let expected = [self.dim(), y.ncols()];
        let lowered = self.root.lower_batch(y)?;
        self.check_batch(
            "a covector from `lower_batch`",
            lowered.shape().into(),
            expected,
        )?;
        Ok(lowered)
    }

    fn size(&self) -> Option<f64> {
        self.root.size()
    }

    fn lengths(&self, z: MatRef<'_, f64>) -> Result<Option<Vec<f64>>> {
        self.check("a tangent to measure", z.nrows(), self.dim())?;
        let lengths = self.root.lengths(z)?;
        if let Some(lengths) = &lengths {
            self.check("the lengths of tangents", lengths.len(), z.ncols())?;
        }
        Ok(lengths)
    }

    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.check("a tangent of the metric", z.nrows(), self.dim())?;
        let product = self.root.apply(z)?;
        let expected = [self.dim(), z.ncols()];
        self.check_batch("a covector from `apply`", product.shape().into(), expected)?;
        Ok(product)
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        self.check("a covector", c.len(), self.dim())?;
        let dual = self.root.dual(c)?;
        self.check("the vector from `dual`", dual.len(), self.lifted_dim())?;
        match dual.iter().position(|y| !y.is_finite()) {
            None => Ok(dual),
            Some(index) => Err(Error::MetricValue {
                metric: self.metric,
                what: "the vector from `dual`",
                value: dual[index],
            }),
        }
    }

    fn local_form(&self) -> Option<LocalForm> {
        self.root.local_form()
    }

    fn project(&self, c: &mut [f64]) {
        self.root.project(c);
    }
}
