//! Uncertainty of the parameters at a point of a descent.

use faer::Mat;

use super::problem::{Problem, Setting};
use crate::direction::{Direction, Hessian, HessianError, LeastSquares, Newton};
use crate::error::{Error, Result};
use crate::linalg::{Backend, symmetric_eigen};
use crate::posterior::{Data, Posterior, Rank, Uncertainty, no_prior};
use crate::prior::PriorTerms;

impl<'a> Setting<'a> {
    /// Returns the problem without the first metric, and with a direction that needs a metric or not; the uncertainty depends
    /// on neither.
    fn for_uncertainty(&self, backend: &'a dyn Backend, by_metric: bool) -> Problem<'a> {
        let direction: &'static dyn Direction = match by_metric {
            true => LeastSquares::STANDARD,
            false => Newton::STANDARD,
        };
        let setting = Setting {
            direction,
            first_metric: None,
            ..self.clone()
        };
        Problem::new(setting, backend)
    }

    /// Computes the Gaussian posterior at θ, without bounds and transforms.
    pub(super) fn posterior(
        &self,
        backend: &'a dyn Backend,
        theta: &[f64],
        rho: Option<&[f64]>,
        rank: Rank,
    ) -> Result<Posterior<'a>> {
        if self.priors.is_empty() {
            return Err(no_prior());
        }
        let mut problem = self.for_uncertainty(backend, !rank.exact);
        // In coordinates dθ = S dξ the curvature is S H S, and S (S H S)⁻¹ S = H⁻¹ is the covariance in θ
        // again, so that transforms have no effect. A parameter held by a bound would have no Gaussian
        // posterior.
        (problem.setting.bounds, problem.setting.transforms) = (None, None);
        let prior = PriorTerms::new(&problem.setting.priors, theta)?;
        let mut memory = problem.memory();
        let state = problem.start(theta, rho, &mut memory)?;
        let linearised = problem.linearise(&state, &mut memory)?;
        let data = match rank.exact {
            true => Data::Exact(&linearised.second_order),
            false => Data::GaussNewton(linearised.root.as_deref().ok_or(Error::NoMetric)?),
        };
        Posterior::new(&linearised.z, data, prior, backend, rank)
    }

    /// Computes the covariance of the free parameters at θ.
    pub(super) fn uncertainty(
        &self,
        backend: &'a dyn Backend,
        theta: &[f64],
        rho: Option<&[f64]>,
    ) -> Result<Uncertainty> {
        let problem = self.for_uncertainty(backend, true);
        let mut memory = problem.memory();
        let state = problem.start(theta, rho, &mut memory)?;
        let linearised = problem.linearise(&state, &mut memory)?;
        let root = linearised.root.as_deref().ok_or(Error::NoMetric)?;
        let data = root.lift(linearised.z.matrix()?.as_ref())?;
        // The Gram matrix of the stacked rows [L Z; P], with the root P of the priors, is the curvature G + C.
        let rows = match &linearised.prior {
            None => data,
            Some(prior) => {
                let p = prior.matrix()?;
                let above = data.nrows();
                Mat::from_fn(above + p.nrows(), p.ncols(), |i, j| match i < above {
                    true => data[(i, j)],
                    false => p[(i - above, j)],
                })
            }
        };
        let mut columns = rows.col_iter();
        if columns.any(|column| column.iter().any(|x| !x.is_finite())) {
            return Err(Error::Overflow {
                what: "the curvature of the objective (check that the noise is in the units of the data)",
            });
        }
        Ok(Uncertainty::new(
            rows.as_ref(),
            &linearised.chart.free,
            &linearised.chart.scale,
        ))
    }

    /// Computes the covariance of the free parameters at θ from the exact Hessian.
    pub(super) fn exact_uncertainty(
        &self,
        backend: &'a dyn Backend,
        theta: &[f64],
        rho: Option<&[f64]>,
    ) -> Result<Uncertainty> {
        let mut problem = self.for_uncertainty(backend, false);
        problem.setting.transforms = None;
        let mut memory = problem.memory();
        let state = problem.start(theta, rho, &mut memory)?;
        let linearised = problem.linearise(&state, &mut memory)?;
        let prior = linearised.prior.as_ref();
        let hessian = Hessian::new(&linearised.z, &linearised.second_order, prior)?;
        let n = hessian.dim();
        let rows = root(hessian.product(Mat::<f64>::identity(n, n).as_ref())?)?;
        let chart = &linearised.chart;
        Ok(Uncertainty::new(rows.as_ref(), &chart.free, &chart.scale))
    }
}

/// Fraction of the largest eigenvalue of a scaled Hessian below which an eigenvalue is rounding.
//
// Solves leave relative errors of up to 1e-11 in the products.
const ROUNDING: f64 = 1e-10;

/// Returns R with RᵀR = H. Eigenvalues within rounding count as zero.
fn root(h: Mat<f64>) -> Result<Mat<f64>> {
    // With D = |diag H|^½ and D⁻¹H D⁻¹ = Q Λ Qᵀ, R = Λ^½ QᵀD. The scaling makes rounding independent of the units of the
    // parameters.
    let scale = |j: usize| match h[(j, j)].abs().sqrt() {
        0.0 => 1.0,
        root => root,
    };
    let n = h.ncols();
    let d: Vec<f64> = (0..n).map(scale).collect();
    let symmetric = |i: usize, j: usize| 0.5 * (h[(i, j)] + h[(j, i)]) / d[i] / d[j];
    let (values, vectors) = symmetric_eigen(Mat::from_fn(n, n, symmetric).as_ref());
    let rounding = ROUNDING * values.iter().fold(0.0, |m: f64, l| m.max(l.abs()));
    match values.iter().copied().reduce(f64::min) {
        Some(eigenvalue) if eigenvalue < -rounding => {
            Err(HessianError::NoMinimum { eigenvalue }.into())
        }
        _ => Ok(Mat::from_fn(n, n, |i, j| {
            let above = Some(values[i]).filter(|l| *l > rounding);
            above.unwrap_or(0.0).sqrt() * vectors[(j, i)] * d[j]
        })),
    }
}
