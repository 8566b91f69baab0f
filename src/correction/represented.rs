//! Metric that knows the lifted form of one covector.

use std::sync::Arc;

use faer::{Mat, MatRef};

use crate::error::Result;
use crate::linalg::Batch;
use crate::metric::{LocalForm, Root};

/// Root of a metric with a covector c = Lᵀy whose y is known, as for the defect d: M d = Lᵀ(L d).
///
/// Directions ask for y by [`Root::dual`], which takes a solve for many metrics.
pub(super) struct Represented<'a> {
    pub(super) root: Arc<dyn Root + 'a>,
    pub(super) covector: Vec<f64>,
    pub(super) lifted: Vec<f64>,
}

impl Root for Represented<'_> {
    fn dim(&self) -> usize {
        self.root.dim()
    }

    fn lifted_dim(&self) -> usize {
        self.root.lifted_dim()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.root.lift(z)
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.root.lower(y)
    }

    fn lower_batch(&self, y: Mat<f64>) -> Result<Batch> {
        self.root.lower_batch(y)
    }

    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.root.apply(z)
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        match *c == self.covector[..] {
            true => Ok(self.lifted.clone()),
            false => self.root.dual(c),
        }
    }

    fn local_form(&self) -> Option<LocalForm> {
        self.root.local_form()
    }

    fn lengths(&self, z: MatRef<'_, f64>) -> Result<Option<Vec<f64>>> {
        self.root.lengths(z)
    }

    fn size(&self) -> Option<f64> {
        self.root.size()
    }

    fn project(&self, c: &mut [f64]) {
        self.root.project(c);
    }
}
