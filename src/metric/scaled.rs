//! Constant multiple of a metric.

use faer::{Mat, MatRef};

use super::{LocalForm, Metric, Root};
use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Batch};
use crate::model::Clouds;

/// Metric `factor` · M, for a loss whose Hessian is a multiple of M.
pub struct Scaled<M> {
    /// Metric M that is multiplied.
    pub metric: M,
    /// Positive factor of the metric M.
    pub factor: f64,
}

impl<M: Metric> Metric for Scaled<M> {
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        check::positive("the factor of a metric", &[self.factor])?;
        Ok(scaled_root(self.factor, self.metric.at(rho, backend)?))
    }

    fn name(&self) -> &'static str {
        self.metric.name()
    }

    fn clouds(&self) -> Option<Clouds> {
        self.metric.clouds()
    }
}

/// Returns the root of `factor` > 0 times the metric of a root.
pub(crate) fn scaled_root<'a>(factor: f64, root: Box<dyn Root + 'a>) -> Box<dyn Root + 'a> {
    Box::new(ScaledRoot {
        root,
        weight: factor.sqrt(),
    })
}

struct ScaledRoot<'a> {
    root: Box<dyn Root + 'a>,
    weight: f64,
}

impl Root for ScaledRoot<'_> {
    fn dim(&self) -> usize {
        self.root.dim()
    }

    fn lifted_dim(&self) -> usize {
        self.root.lifted_dim()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        // M = factor · LᵀL has the root √factor · L, and y/√factor is a dual if y is one for L.
        Ok(self.weight * self.root.lift(z)?)
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        Ok(self.weight * self.root.lower(y)?)
    }

    fn size(&self) -> Option<f64> {
        self.root.size().map(|size| self.weight * size)
    }

    fn lengths(&self, z: MatRef<'_, f64>) -> Result<Option<Vec<f64>>> {
        let lengths = self.root.lengths(z)?;
        Ok(lengths.map(|lengths| lengths.iter().map(|l| self.weight * l).collect()))
    }

    fn lower_batch(&self, y: Mat<f64>) -> Result<Batch> {
        let mut lowered = self.root.lower_batch(y)?;
        lowered.scale(self.weight)?;
        Ok(lowered)
    }

    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        Ok(self.weight * self.weight * self.root.apply(z)?)
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        let dual = self.root.dual(c)?;
        Ok(dual.iter().map(|d| d / self.weight).collect())
    }

    fn local_form(&self) -> Option<LocalForm> {
        let form = self.root.local_form()?;
        Some(form.scaled(self.weight * self.weight))
    }

    fn project(&self, c: &mut [f64]) {
        self.root.project(c);
    }
}
