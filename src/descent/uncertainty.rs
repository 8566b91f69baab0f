//! Uncertainty of the parameters at a point of a descent.

use faer::Mat;

use super::problem::{Problem, Setting};
use crate::direction::{Direction, Hessian, HessianError, LeastSquares, Newton};
use crate::error::{Error, Result};
use crate::linalg::{Backend, gram, symmetric_eigen, symmetric_product};
use crate::posterior::{
    CovarianceError, Data, Posterior, Rank, Scores, Uncertainty, Variance, no_prior,
};
use crate::prior::PriorTerms;

impl<'a> Setting<'a> {
    /// Returns the problem without the first metric, and with a direction that needs a metric or not; the uncertainty depends
    /// on neither. The metric is that of the loss, if it names one.
    //
    // The covariance comes from the curvature of the objective, which the metric of the loss gives (Gauss-Newton). Another metric
    // only chooses the path of a descent.
    pub(super) fn for_uncertainty(&self, backend: &'a dyn Backend, by_metric: bool) -> Problem<'a> {
        let direction: &'static dyn Direction = match by_metric {
            true => LeastSquares::STANDARD,
            false => Newton::STANDARD,
        };
        let metric = self.metric.filter(|_| self.loss.metric().is_none());
        let setting = Setting {
            direction,
            metric,
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
        rho: &[f64],
        variance: Variance,
    ) -> Result<Uncertainty> {
        let problem = self.for_uncertainty(backend, true);
        let mut memory = problem.memory();
        let state = problem.start(theta, Some(rho), &mut memory)?;
        let linearised = problem.linearise(&state, &mut memory)?;
        let root = linearised.root.as_deref().ok_or(Error::NoMetric)?;
        let z = linearised.z.matrix()?;
        let prior = match &linearised.prior {
            None => Mat::zeros(0, z.ncols()),
            Some(prior) => prior.matrix()?,
        };
        // The Gram matrix of the stacked rows [L Z; P], with the root P of the priors, is the curvature G + C.
        let data = root.lift(z.as_ref())?;
        let rows = stacked(&data, &prior);
        let mut columns = rows.col_iter();
        if columns.any(|column| column.iter().any(|x| !x.is_finite())) {
            return Err(Error::Overflow {
                what: "the curvature of the objective (check that the noise is in the units of the data)",
            });
        }
        let chart = &linearised.chart;
        let few = too_few(data.nrows(), chart.free.len()).filter(|_| self.priors.is_empty());
        let Some(scores) = state.misfit.scores(z.as_ref(), backend)? else {
            let fit = self.loss.data().map(|count| (state.misfit.value(), count));
            let found = Uncertainty::of_fit((data.as_ref(), prior.as_ref()), chart, variance, fit)?;
            return Ok(found.at(&state.point.rho).remarked(few));
        };
        match variance {
            Variance::Known => {}
            Variance::Estimated => return Err(CovarianceError::NotQuadratic.into()),
            Variance::Given { .. } => return Err(CovarianceError::Weighted.into()),
        }
        // The curvature is Zᵀf″Z + C. The mean of a prior counts as a datum with the precision C, which is therefore also the
        // variance of the gradient of the prior.
        let curved = state.misfit.hessian(z.as_ref(), backend)?;
        let curved = curved.ok_or(HessianError::Loss)?;
        let data = symmetric_product(z.as_ref(), curved.as_ref());
        let scores = Scores {
            curvature: data + gram(prior.as_ref()),
            rows: stacked(&scores, &prior),
        };
        let found = Uncertainty::sandwich(rows.as_ref(), &scores, &chart.free, &chart.scale)?;
        Ok(found.at(&state.point.rho).remarked(few))
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

/// Returns a remark if there are fewer data than parameters.
fn too_few(data: usize, parameters: usize) -> Option<String> {
    let count =
        |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    (data < parameters).then(|| {
        format!(
            "{} and {}: the data determine not more than {} of the parameters; add data or a prior, or fix parameters",
            count(parameters, "parameter", "parameters"),
            count(data, "datum", "data"),
            count(data, "combination", "combinations"),
        )
    })
}

/// Returns the rows of `above` and of `below`.
fn stacked(above: &Mat<f64>, below: &Mat<f64>) -> Mat<f64> {
    let rows = above.nrows();
    Mat::from_fn(rows + below.nrows(), above.ncols(), |i, j| match i < rows {
        true => above[(i, j)],
        false => below[(i - rows, j)],
    })
}
