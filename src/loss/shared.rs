//! Losses with several owners.

use std::sync::Arc;

use faer::{Mat, MatRef};

use super::{Loss, Misfit};
use crate::error::Result;
use crate::linalg::Backend;
use crate::metric::Metric;
use crate::model::Clouds;

/// Implements the trait for a shared loss.
impl<L: Loss + Send + ?Sized> Loss for Arc<L> {
    fn value(&self, rho: &[f64]) -> f64 {
        (**self).value(rho)
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        (**self).gradient(rho, out);
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        (**self).metric()
    }

    fn hessian(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        (**self).hessian(rho, v)
    }

    fn data(&self) -> Option<usize> {
        (**self).data()
    }

    fn residuals(&self, rho: &[f64]) -> Result<Option<Vec<f64>>> {
        (**self).residuals(rho)
    }

    fn scores(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        (**self).scores(rho, v)
    }

    fn clouds(&self) -> Option<Clouds> {
        (**self).clouds()
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        (**self).check(rho)
    }

    fn at<'a>(&'a self, rho: &[f64], backend: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
        (**self).at(rho, backend)
    }
}
