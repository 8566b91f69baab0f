//! Divergences of densities as negative log-likelihoods of a number of observations.

use pullback::faer::{Mat, MatRef};
use pullback::loss::Divergence;
use pullback::metric::{FisherRao, Scaled};
use pullback::{Grid, Metric};

/// Constructor of a divergence from a target.
pub(crate) type Divergent = fn(&Grid, Vec<f64>) -> pullback::Result<Divergence>;

/// Multiple of a divergence.
///
/// For N observations with relative frequencies q, −ln L is N times Kullback-Leibler's divergence, up to a constant. The other
/// divergences are asymptotically equal to multiples of this one (Read and Cressie 1988), as their curvatures at ρ = q show:
/// 1/q, 1/(4q) for half the squared Hellinger distance, and 2/q for χ². The metric is N times Fisher-Rao for all.
pub(crate) struct Counted {
    divergence: Divergence,
    factor: f64,
    /// Observations per unit of mass.
    rate: f64,
    metric: FisherRao,
}

impl Counted {
    /// Returns −ln L up to a constant, for this number of observations per unit of mass.
    pub(crate) fn new(kind: &str, divergence: Divergence, grid: &Grid, rate: f64) -> Self {
        let curvature = match kind {
            "hellinger" => 0.25,
            "chi_squared" => 2.0,
            _ => 1.0,
        };
        Self {
            divergence,
            factor: rate / curvature,
            rate,
            metric: FisherRao::new(grid).with_free_mass(),
        }
    }
}

impl pullback::Loss for Counted {
    fn value(&self, rho: &[f64]) -> f64 {
        self.factor * self.divergence.value(rho)
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        self.divergence.gradient(rho, out);
        out.iter_mut().for_each(|g| *g *= self.factor);
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        Some(Box::new(Scaled {
            metric: &self.metric,
            factor: self.rate,
        }))
    }

    fn hessian(&self, rho: &[f64], v: MatRef<'_, f64>) -> pullback::Result<Option<Mat<f64>>> {
        let product = self.divergence.hessian(rho, v)?;
        Ok(product.map(|m| self.factor * m))
    }

    fn check(&self, rho: &[f64]) -> pullback::Result<()> {
        self.divergence.check(rho)
    }
}
