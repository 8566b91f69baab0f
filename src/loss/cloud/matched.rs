//! Metrics of the size of a kernel discrepancy.

use std::ops::Deref;

use super::KernelDiscrepancy;
use crate::error::Result;
use crate::linalg::Backend;
use crate::metric::{Metric, Root, scaled_root};
use crate::model::Clouds;

/// Metric of clouds, multiplied by the [stiffness](KernelDiscrepancy::stiffness) of a discrepancy.
///
/// Squares of lengths of motions have the units of |x|², and a discrepancy has those of its kernel. With the factor steps do not
/// depend on units, and predictions of the decrease have the right size. [`KernelDiscrepancy`] names such a metric as its own, but for the energy distance on a line. The name is
/// that of the metric of clouds.
///
/// ```
/// use pullback::{Loss, loss::{Kernel, KernelDiscrepancy, Matched}, metric::{Kernels, SampledWasserstein}, random};
/// let loss = KernelDiscrepancy::new(2, random::normal(200, 1, 0), Kernel::Gaussian(1.0))?;
/// let clouds = SampledWasserstein::new(2).kernels(Kernels::default());
/// let metric = Matched::new(&loss, clouds.field(|cloud, out| loss.gradient(cloud, out)));
/// # let _ = metric;
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Matched<D, M> {
    discrepancy: D,
    metric: M,
}

impl<D: Deref<Target = KernelDiscrepancy>, M: Metric> Matched<D, M> {
    /// Multiplies a metric of clouds by the stiffness of a discrepancy, a reference to one or a shared one.
    pub fn new(discrepancy: D, metric: M) -> Self {
        Self {
            discrepancy,
            metric,
        }
    }
}

impl<D: Deref<Target = KernelDiscrepancy> + Sync, M: Metric> Metric for Matched<D, M> {
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        let root = self.metric.at(rho, backend)?;
        Ok(scaled_root(self.discrepancy.stiffness(rho)?, root))
    }

    fn name(&self) -> &'static str {
        self.metric.name()
    }

    fn clouds(&self) -> Option<Clouds> {
        self.metric.clouds()
    }
}
