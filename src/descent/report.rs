//! Report of a descent: best point, history, reason for stopping and cost.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Descent;
use super::counts::{Counts, Solvers};
use super::history::Iterate;
use super::remaining::Remaining;
use super::remark::Remark;
use super::stop::Stop;
use super::stopping::{Ratios, Test, Tolerances};
use crate::error::Result;
use crate::linalg::Solved;
use crate::posterior::{Estimates, Uncertainty, Variance};

/// Result of a descent: the best point, the history, the reason for stopping, and the cost.
///
/// The best point of a converged run is its last point. `Display` prints every stopping test with its value
/// and limit, and the counts. A report can be serialised by serde.
#[must_use = "a report says whether the run converged"]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Parameters of the best point.
    pub theta: Vec<f64>,
    /// State ρ(θ) at the best parameters.
    pub rho: Vec<f64>,
    /// Objective f(ρ) + R(θ) at the best parameters.
    pub loss: f64,
    /// All iterates, beginning with the start.
    pub history: Vec<Iterate>,
    /// Reason why the run stopped.
    pub stop: Stop,
    /// Cost of the run.
    pub counts: Counts,
    /// Methods that solved the linear systems, the method with the most columns first. The random column of
    /// every linearisation is included.
    pub solvers: Vec<Solved>,
    /// Tolerances of the stopping tests.
    pub tolerances: Tolerances,
    /// Reason for the last failure to compute the state or the loss at a trial point, if any.
    pub last_failure: Option<String>,
    /// Remarks of the directions, such as a choice of method or a stagnating iteration.
    pub remarks: Vec<Remark>,
    pub(super) purposes: Solvers,
    /// Remaining step and decrease at the last point, if a direction was computed there.
    pub(super) remaining: Option<Remaining>,
}

impl Report {
    /// Returns whether the run converged or reached its target.
    pub fn converged(&self) -> bool {
        self.stop.converged()
    }

    /// Returns the decrease of the objective that the last direction predicted, or 0 if there was none.
    pub(crate) fn predicted_decrease(&self) -> f64 {
        let left = self.remaining.as_ref().map_or(0.0, |r| r.decrease);
        if left.is_finite() { left.max(0.0) } else { 0.0 }
    }

    /// Returns all stopping tests with their values at the last point.
    pub fn tests(&self) -> Vec<Test> {
        let limits = &self.tolerances;
        let ratios = Ratios::of(&self.history, self.remaining.as_ref());
        let ratios = ratios.map(|ratios| {
            [
                (
                    "remaining decrease / objective",
                    ratios.decrease,
                    limits.decrease,
                ),
                ("remaining step / parameters", ratios.step, limits.step),
                ("last decrease / objective", ratios.loss, limits.loss),
                (
                    "gradient / gradient at the start",
                    ratios.gradient,
                    limits.gradient,
                ),
            ]
        });
        let target = limits.target.map(|target| ("loss", self.loss, target));
        let (taken, most) = (self.iterations() as f64, limits.iterations as f64);
        let all = ratios.into_iter().flatten().chain(target);
        all.chain([("steps", taken, most)])
            .map(|(name, value, limit)| Test { name, value, limit })
            .collect()
    }

    /// Returns the number of steps.
    pub fn iterations(&self) -> usize {
        self.history.len().saturating_sub(1)
    }

    /// Computes the covariance of the parameters at the best point, by one tangent solve per parameter.
    ///
    /// Pass the `descent` that produced this report. Parameters held by a bound are excluded. Transforms do not change the
    /// result, and neither does a [metric](Descent::metric) if the loss names one, which alone gives the curvature of the
    /// objective. For many parameters see [`Descent::posterior`].
    ///
    /// ```
    /// use pullback::{loss::Observations, models::{GaussianMixture, Parameter}, Descent, Grid, Noise, Operator};
    /// let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 5.0, 100)])?)
    ///     .component(1.0, &[0.0], 1.0)
    ///     .free(&[Parameter::Mean(0, 0)])?;
    /// let loss = Observations::new(Operator::identity(100), mixture.density(&[0.5])?, Noise::uniform(100, 0.01)?)?;
    /// let descent = Descent::new(&mixture, &loss);
    /// let report = descent.run(&[0.0], |_| ())?;
    /// let uncertainty = report.covariance(&descent)?;
    /// println!("{:.4} ± {:.4}", report.theta[0], uncertainty.standard_errors[0]);
    /// # assert!((uncertainty.standard_errors[0] - 0.0084).abs() < 1e-4);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// It is the inverse of the curvature G + C, which is also the variance of the gradient if the loss is a negative
    /// log-likelihood. For a loss with [scores](crate::Loss::scores), such as [`Robust`](crate::loss::Robust), it is H⁻¹BH⁻¹
    /// with the curvature H of the objective and the variance B of its gradient.
    ///
    /// # Errors
    /// Fails as [`Descent::run`] does, and if the descent has no metric. Fails with
    /// [`CovarianceError::Indefinite`](crate::posterior::CovarianceError::Indefinite) for a loss with scores if H is not positive
    /// definite.
    pub fn covariance(&self, descent: &Descent<'_>) -> Result<Uncertainty> {
        self.uncertainty(descent, Variance::Known)
    }

    fn uncertainty(&self, descent: &Descent<'_>, variance: Variance) -> Result<Uncertainty> {
        let found = descent.uncertainty(&self.theta, &self.rho, variance)?;
        Ok(found.remarked(self.stop.remark()))
    }

    /// Computes the table of estimates: values ± standard errors, confidence intervals, correlations, and what the residual says
    /// of the noise. Pass the `descent` that produced this report.
    ///
    /// [`Variance`] says whether the noise is known. The [covariance](Estimates::uncertainty) is (G/s² + C)⁻¹. If the variance s²
    /// differs much from 1 and priors are informative, the estimates themselves weigh data and priors wrongly: give the noise to
    /// the loss, and run again.
    ///
    /// # Errors
    /// Fails as [`covariance`](Self::covariance) does. With [`Variance::Estimated`] it also fails if the loss is not quadratic, such as
    /// [`Robust`](crate::loss::Robust), and if there are as many parameters as data or no residual.
    pub fn estimates(&self, descent: &Descent<'_>, variance: Variance) -> Result<Estimates> {
        self.uncertainty(descent, variance)?.estimates(&self.theta)
    }

    /// Computes the covariance H⁻¹ of the parameters at the best point from the exact Hessian H of the objective, by one tangent
    /// and one adjoint solve per parameter.
    ///
    /// [`covariance`](Self::covariance) replaces H by the Gauss-Newton Hessian, which leaves out the curvature of the model
    /// times the residual. Where the residual is large, H⁻¹ is the covariance of the Gaussian that has the curvature of the
    /// posterior density e^(−f) at its maximum.
    ///
    /// # Errors
    /// Fails as [`Descent::run`] does, with a [`HessianError`](crate::direction::HessianError) if the model or the loss has no
    /// second derivatives, and with [`HessianError::NoMinimum`](crate::direction::HessianError::NoMinimum) if H has a negative
    /// eigenvalue.
    pub fn exact_covariance(&self, descent: &Descent<'_>) -> Result<Uncertainty> {
        descent.exact_uncertainty(&self.theta, &self.rho)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.stop)?;
        for test in self.tests() {
            row(f, &test)?;
        }
        write!(f, "  loss {:.6e}; {}", self.loss, self.counts)?;
        if let Some(line) = self.purposes.describe() {
            write!(f, "\n  {line}")?;
        }
        for remark in &self.remarks {
            write!(f, "\n  {remark}")?;
        }
        match &self.last_failure {
            Some(failure) if !self.converged() => {
                write!(f, "\n  last failure at a trial point: {failure}")
            }
            _ => Ok(()),
        }
    }
}

fn row(f: &mut fmt::Formatter<'_>, test: &Test) -> fmt::Result {
    let [value, limit] = test.texts();
    let limit = match test.value == f64::INFINITY {
        true => "(not known)".to_string(),
        false if test.limit == 0.0 => "(no limit)".to_string(),
        false => format!("(limit {limit})"),
    };
    writeln!(f, "  {:<34} {value:>10}   {limit}", test.name)
}
