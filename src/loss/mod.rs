//! Losses f(ρ): values, gradients as covectors, and the metric that makes the step Gauss-Newton.

mod cloud;
mod divergence;
mod error;
mod fisher;
mod l2;
mod likelihood;
mod measurements;
mod observations;
mod robust;
mod shared;
mod sobolev;
mod softmax;
mod sum;
mod transport;

pub use self::cloud::{Kernel, KernelDiscrepancy, Matched, SlicedTransport, Snapshots};
pub use self::divergence::Divergence;
pub use self::error::Error;
pub use self::fisher::{Fisher, Predictive, Scores};
pub use self::l2::L2Misfit;
pub use self::likelihood::{Datum, Family, Likelihood, NoiseLevel};
pub use self::measurements::{Condition, Measurements, NoiseSource, Observable, Row};
pub use self::observations::Observations;
pub use self::robust::{Penalty, Robust};
pub use self::sobolev::SobolevMisfit;
pub use self::softmax::Softmax;
pub(crate) use self::sum::StackedScores;
pub use self::sum::Sum;
pub use self::transport::{Sinkhorn, Transport, UnbalancedTransport};

use faer::{Mat, MatRef};

use crate::error::Result;
use crate::linalg::{Backend, Cpu};
use crate::metric::{Metric, Root};
use crate::model::Clouds;

/// Name of the data in the check of their length against the state of the model.
const PAIRED: &str = "the number of data, one for each entry of the model's state";

/// Name of the data in the check of their entries.
const DATA: &str = "the target data of a loss (for missing data see `Observations::present`)";

/// Loss on states, from which [`at`](Loss::at) prepares a [`Misfit`] at every ρ.
///
/// A loss in closed form implements `value` and `gradient`. A loss that needs solves, such as a transport cost, also
/// implements `at`, which may fail and whose solves are counted.
///
/// ```
/// use pullback::Loss;
/// struct Height; // f(ρ) = ½ (ρ₀ − 3)²
/// impl Loss for Height {
///     fn value(&self, rho: &[f64]) -> f64 { 0.5 * (rho[0] - 3.0).powi(2) }
///     fn gradient(&self, rho: &[f64], out: &mut [f64]) { out.fill(0.0); out[0] = rho[0] - 3.0; }
/// }
/// assert!(pullback::verify::loss(&Height, &[1.0, 2.0], 1)?.passed());
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Loss: Sync {
    /// Returns f(ρ), or NaN or ∞ outside the domain, which a line search rejects.
    fn value(&self, rho: &[f64]) -> f64;

    /// Computes out ← ∂f/∂ρ, the plain derivative with respect to the entries ρᵢ (which contains cell volumes).
    fn gradient(&self, rho: &[f64], out: &mut [f64]);

    /// Returns the metric M that equals ∇²f at a perfect fit, including its factor, or its expectation if a perfect fit does not
    /// exist. A descent uses this metric if no other is given.
    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        None
    }

    /// Returns f″(ρ) V, the product of the Hessian with every column of V, or None if the second derivative is unknown.
    /// [`Newton`](crate::direction::Newton) needs it.
    ///
    /// # Errors
    /// Fails if a product cannot be computed.
    fn hessian(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        let _ = (rho, v);
        Ok(None)
    }

    /// Returns the number n of data if the loss is ½ Σ rᵢ² of n independent residuals with a common variance. The residuals of
    /// a fit then estimate this variance ([`Variance::Estimated`](crate::posterior::Variance::Estimated)). Missing data do not
    /// count.
    fn data(&self) -> Option<usize> {
        None
    }

    /// Returns the residual of every datum at ρ in units of its noise, such as Γ^{-1/2}(O ρ − d), for pictures and tests of the
    /// fit. None stands for a loss that does not compare single data.
    ///
    /// # Errors
    /// Fails if the state has the wrong length.
    fn residuals(&self, rho: &[f64]) -> Result<Option<Vec<f64>>> {
        let _ = rho;
        Ok(None)
    }

    /// Returns the derivatives of the misfit of every datum along the columns of V, one row per datum, for a loss whose
    /// metric is not the variance of its gradient, such as [`Robust`].
    ///
    /// A covariance then estimates this variance from the scores ([`Report::covariance`](crate::Report::covariance)), and needs
    /// the second derivative. None stands for a negative log-likelihood.
    ///
    /// # Errors
    /// Fails if a product cannot be computed.
    fn scores(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        let _ = (rho, v);
        Ok(None)
    }

    /// Returns which clouds of points the loss compares, or None if it compares something else.
    fn clouds(&self) -> Option<Clouds> {
        None
    }

    /// Checks that the loss is defined at ρ.
    ///
    /// # Errors
    /// Fails if ρ has the wrong length, or is outside the domain.
    fn check(&self, rho: &[f64]) -> Result<()> {
        let _ = rho;
        Ok(())
    }

    /// Prepares the loss at ρ by doing once the work that value, covector and metric share. The default
    /// shares no work and calls [`value`](Loss::value) and [`gradient`](Loss::gradient).
    ///
    /// # Errors
    /// Fails as [`check`](Loss::check) does, and if a solve fails.
    fn at<'a>(&'a self, rho: &[f64], backend: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
        let _ = backend;
        Ok(Box::new(Direct {
            loss: self,
            value: self.value(rho),
            rho: rho.to_vec(),
        }))
    }
}

/// Loss prepared at one ρ.
///
/// ```
/// use pullback::{Backend, Error, Loss, Operator, Result, Side, loss::Misfit};
/// /// ½ dᵀK⁻¹d of the deviation d = ρ − q: one solve gives value and covector.
/// struct Energy { stiffness: Operator<'static>, data: Vec<f64> }
/// struct AtState { deviation: Vec<f64>, potential: Vec<f64> }
/// impl Loss for Energy {
///     fn at<'a>(&'a self, rho: &[f64], backend: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
///         let deviation: Vec<f64> = rho.iter().zip(&self.data).map(|(r, q)| r - q).collect();
///         let factor = backend.factor(self.stiffness.lend())?;
///         let mut x = pullback::faer::Mat::from_fn(rho.len(), 1, |i, _| deviation[i]);
///         factor.solve(Side::Plain, None, x.as_mut())?;
///         Ok(Box::new(AtState { deviation, potential: x.col_as_slice(0).to_vec() }))
///     }
///     fn value(&self, rho: &[f64]) -> f64 { pullback::loss::value_of(self, rho) }
///     fn gradient(&self, rho: &[f64], out: &mut [f64]) { pullback::loss::gradient_of(self, rho, out) }
/// }
/// impl Misfit for AtState {
///     fn value(&self) -> f64 { 0.5 * self.deviation.iter().zip(&self.potential).map(|(d, p)| d * p).sum::<f64>() }
///     fn covector(&self, _: &dyn Backend) -> Result<Vec<f64>> { Ok(self.potential.clone()) }
/// }
/// let loss = Energy { stiffness: Operator::diagonal(vec![2.0, 4.0]), data: vec![0.0, 0.0] };
/// assert_eq!(loss.at(&[2.0, 2.0], pullback::Cpu::shared())?.value(), 1.5);
/// # assert_eq!(loss.value(&[2.0, 2.0]), 1.5);
/// # Ok::<(), Error>(())
/// ```
pub trait Misfit {
    /// Returns f(ρ), or NaN or ∞ outside the domain.
    fn value(&self) -> f64;

    /// Returns ∂f/∂ρ, the plain derivative with respect to the entries ρᵢ.
    ///
    /// # Errors
    /// Fails if a solve fails.
    fn covector(&self, backend: &dyn Backend) -> Result<Vec<f64>>;

    /// Returns the metric of the loss at ρ if it shares work with this preparation, or None to use
    /// [`Loss::metric`].
    ///
    /// # Errors
    /// Fails if a solve fails.
    fn root<'m>(&'m self, backend: &'m dyn Backend) -> Result<Option<Box<dyn Root + 'm>>> {
        let _ = backend;
        Ok(None)
    }

    /// Returns f″(ρ) V, the product of the Hessian with every column of V, or None if the second derivative is unknown.
    ///
    /// # Errors
    /// Fails if a solve fails.
    fn hessian(&self, v: MatRef<'_, f64>, backend: &dyn Backend) -> Result<Option<Mat<f64>>> {
        let _ = (v, backend);
        Ok(None)
    }

    /// Returns the derivatives of the misfit of every datum along the columns of V (see [`Loss::scores`]).
    ///
    /// # Errors
    /// Fails if a solve fails.
    fn scores(&self, v: MatRef<'_, f64>, backend: &dyn Backend) -> Result<Option<Mat<f64>>> {
        let _ = (v, backend);
        Ok(None)
    }

    /// Returns the change of the value when every ρᵢ is rounded once, if this may exceed the first-order estimate
    /// ε (|f| + Σ |∂f/∂ρᵢ||ρᵢ|), or what else hides decreases, such as kinks. Returns 0 if the estimate suffices.
    fn rounding(&self) -> f64 {
        0.0
    }
}

/// Returns f(ρ) by [`Loss::at`] on the [shared CPU](Cpu::shared), or NaN if the preparation fails.
///
/// This function implements [`Loss::value`] for a loss that implements `at`.
pub fn value_of(loss: &(impl Loss + ?Sized), rho: &[f64]) -> f64 {
    let prepared = loss.at(rho, Cpu::shared());
    prepared.map_or(f64::NAN, |misfit| misfit.value())
}

/// Computes out ← ∂f/∂ρ by [`Loss::at`] on the [shared CPU](Cpu::shared), or fills `out` with NaN if this
/// fails.
///
/// This function implements [`Loss::gradient`] for a loss that implements `at`.
pub fn gradient_of(loss: &(impl Loss + ?Sized), rho: &[f64], out: &mut [f64]) {
    let cpu = Cpu::shared();
    let covector = loss.at(rho, cpu).and_then(|misfit| misfit.covector(cpu));
    match covector {
        Ok(covector) if covector.len() == out.len() => out.copy_from_slice(&covector),
        _ => out.fill(f64::NAN),
    }
}

/// Misfit of a loss that implements `value` and `gradient`.
struct Direct<'a, L: ?Sized> {
    loss: &'a L,
    value: f64,
    rho: Vec<f64>,
}

impl<L: Loss + ?Sized> Misfit for Direct<'_, L> {
    fn value(&self) -> f64 {
        self.value
    }

    fn covector(&self, _: &dyn Backend) -> Result<Vec<f64>> {
        let mut covector = vec![0.0; self.rho.len()];
        self.loss.gradient(&self.rho, &mut covector);
        Ok(covector)
    }

    fn hessian(&self, v: MatRef<'_, f64>, _: &dyn Backend) -> Result<Option<Mat<f64>>> {
        self.loss.hessian(&self.rho, v)
    }

    fn scores(&self, v: MatRef<'_, f64>, _: &dyn Backend) -> Result<Option<Mat<f64>>> {
        self.loss.scores(&self.rho, v)
    }

    /// Returns the change of the loss when the entries of the state are rounded. This change includes the
    /// second-order term, which remains at a perfect fit, where the first-order estimate vanishes.
    fn rounding(&self) -> f64 {
        // Entries that are all rounded in the same direction only rescale the state. Alternating signs change
        // its shape as well. A change by ε r is one to two units in the last place of r, so that every
        // non-zero entry changes.
        let signs = [f64::EPSILON, -f64::EPSILON];
        let rounded: Vec<f64> = (self.rho.iter().enumerate())
            .map(|(i, r)| r + r * signs[i % 2])
            .collect();
        (self.loss.value(&rounded) - self.loss.value(&self.rho)).abs()
    }
}
