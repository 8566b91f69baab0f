//! Descent directions η, computed from the local data of the objective at θ.
//!
//! At θ the objective f(ρ(θ)) + R(θ) has the quadratic model f + ∇·η + ½ ηᵀ(G + C)η, with the pulled-back metric
//! G = ZᵀMZ and the precision C of the priors. A direction minimises this model, with damping, exactly or
//! approximately. [`Newton`] replaces G by the exact second derivative of f(ρ(θ)).

mod adam;
mod auto;
mod conjugate_gradient;
mod damping;
mod data_space;
mod dual;
mod filtered;
mod gradient;
mod information;
mod inner;
mod kfac;
mod kkt;
mod last_point;
mod lbfgs;
mod least_squares;
mod low_rank;
mod momentum;
mod newton;
mod nonlinear_cg;
mod preconditioner;
mod sketched;

pub use self::adam::Adam;
pub use self::auto::Auto;
pub use self::conjugate_gradient::{ConjugateGradient, Forcing};
pub use self::damping::Damping;
pub use self::data_space::DataSpace;
pub use self::dual::Dual;
pub use self::gradient::Gradient;
pub use self::information::{Information, information_matrix};
pub use self::kfac::{Kfac, NotLayered};
pub use self::lbfgs::Lbfgs;
pub use self::least_squares::LeastSquares;
pub use self::momentum::Momentum;
pub use self::newton::Newton;
pub use self::nonlinear_cg::{Conjugacy, NonlinearCg};
pub use self::preconditioner::{Nystrom, Preconditioner};
pub use self::sketched::{Estimator, Sketched};

use crate::error::{Error, Result};
pub use crate::hessian::{Hessian, HessianError, SecondOrder};

use crate::hessian::GaussNewton;
use crate::linalg::Backend;
use crate::metric::Root;
use crate::model::adjoint::Linearisation;
use crate::prior::PriorTerms;
pub use crate::saving::Remembered;

/// Local data of the objective at θ, in the coordinates of the free parameters.
pub struct Local<'a> {
    /// Derivative Z = ∂ρ/∂θ.
    pub z: &'a Linearisation<'a>,
    /// Root of the metric at ρ, if the direction needs one.
    pub root: Option<&'a dyn Root>,
    /// Covector u = Πᵀ ∂f/∂ρ, projected by the metric.
    pub covector: &'a [f64],
    /// Gradient Zᵀu + ∇R.
    pub grad: &'a [f64],
    /// Gradient with an entry for every parameter, also for those that bounds hold, or an empty slice where it is unknown.
    pub full_gradient: &'a [f64],
    /// Priors at θ, or None without priors.
    pub prior: Option<&'a PriorTerms<'a>>,
    /// Parameters θ.
    pub theta: &'a [f64],
    /// Parameters θ in the coordinates of the descent (transformed, where there are transforms), with an entry for
    /// every parameter.
    /// `grad` and η have entries for the [free](Local::free) parameters only.
    pub coordinates: &'a [f64],
    /// Largest recent norm of each column of L Z (with the rows of the priors appended), or an empty slice. Norms of earlier points
    /// count less if the size of the metric changes.
    ///
    /// Damping is proportional to the squares of these norms (compare Moré 1978). With current norms alone, a
    /// parameter that loses its effect would hardly be damped, and its large step would spoil the steps of
    /// the other parameters.
    pub widest: &'a [f64],
    /// Number of steps taken before this one.
    pub iteration: usize,
    /// Scale of the step that led here, or None at the start of the descent.
    pub last_scale: Option<f64>,
    /// Norm of the gradient, relative to its norm at the start of the descent.
    pub progress: f64,
    /// Backend for linear systems that a direction sets up itself.
    pub backend: &'a dyn Backend,
    /// Data for the exact [`hessian`](Local::hessian).
    pub second_order: Option<&'a SecondOrder<'a>>,
}

impl<'a> Local<'a> {
    /// Returns the free parameters, in the order of `grad` and η. Bounds may hold other parameters at the next point.
    pub fn free(&self) -> &'a [usize] {
        &self.z.chart().free
    }

    /// Prepares products with the exact Hessian of the objective, by one adjoint solve.
    ///
    /// # Errors
    /// Fails with a [`HessianError`] if the model or the loss has no second derivatives.
    pub fn hessian(&self) -> Result<Hessian<'a>> {
        let at = self.second_order.ok_or(HessianError::Point)?;
        Hessian::new(self.z, at, self.prior)
    }

    fn metric(&self) -> Result<&'a dyn Root> {
        self.root.ok_or(Error::NoMetric)
    }

    fn curvature(&self) -> Result<GaussNewton<'a>> {
        Ok(GaussNewton::new(self.z, self.metric()?, self.prior))
    }
}

/// Method that computes descent directions.
///
/// Every run begins its own [`Finder`], which prepares a [`Path`] at every point.
///
/// ```
/// use pullback::{Direction, direction::{Finder, Local, Path, Proposal}};
/// /// Moves only the steepest coordinate.
/// struct Steepest;
/// impl Direction for Steepest {
///     fn begin(&self) -> Box<dyn Finder + '_> { Box::new(self) }
///     fn needs_metric(&self) -> bool { false }
///     fn needs_rate(&self) -> bool { true }
///     fn name(&self) -> &'static str { "steepest coordinate" }
/// }
/// impl Finder for &Steepest {
///     fn prepare<'a>(&'a mut self, at: &Local<'a>) -> pullback::Result<Box<dyn Path + 'a>> {
///         Ok(Box::new(Along(at.grad)))
///     }
/// }
/// struct Along<'a>(&'a [f64]);
/// impl Path for Along<'_> {
///     fn at(&mut self, damping: f64) -> pullback::Result<Proposal> {
///         let largest = self.0.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
///         let t = 1.0 / (1.0 + damping);
///         let keep = |g: &f64| if g.abs() == largest { -t * g } else { 0.0 };
///         let predicted = (t - 0.5 * t * t) * largest * largest;
///         Ok(Proposal { eta: self.0.iter().map(keep).collect(), predicted, rank: 1 })
///     }
/// }
/// ```
pub trait Direction: Sync {
    /// Begins a run. A direction without memory returns `Box::new(self)`.
    fn begin(&self) -> Box<dyn Finder + '_>;

    /// Checks the options of the direction.
    ///
    /// # Errors
    /// Fails with [`Error::Option`] if an option is out of range.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Returns whether the direction uses [`Local::root`].
    fn needs_metric(&self) -> bool {
        true
    }

    /// Returns whether the direction uses [`PriorTerms::solve`] with this number of parameters. Priors must
    /// then be positive definite.
    fn needs_precision(&self, parameters: usize) -> bool {
        let _ = parameters;
        false
    }

    /// Returns whether the direction may be taken with batches of the data ([`Stochastic`](crate::stochastic::Stochastic)).
    ///
    /// A direction that takes differences of the gradients at successive points cannot: of two batches, they tell of the noise.
    fn fits_batches(&self) -> bool {
        true
    }

    /// Returns whether the direction needs a step rule that follows a schedule, such as [`Fixed`](crate::step::Fixed).
    ///
    /// A direction that remembers where it came from may lead uphill, so that a search along it fails. The
    /// [judge](crate::step::Judge::is_scheduled) of a rule of your own then has to say that it follows a schedule. The default returns
    /// false.
    fn needs_schedule(&self) -> bool {
        false
    }

    /// Returns whether steps along the direction have no length of their own, so that one has to be given, as that of the gradient has
    /// none.
    fn needs_rate(&self) -> bool {
        false
    }

    /// Returns a short name for tables and messages.
    fn name(&self) -> &'static str;
}

/// Computation of directions in one run, which may carry information from one point to the next.
pub trait Finder {
    /// Does the expensive work at a point, so that directions for further dampings are cheap.
    ///
    /// # Errors
    /// Fails if a solve fails, or if a metric is required and missing.
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>>;

    /// Looks for negative curvature at a point where a run is about to end because its gradient has vanished.
    ///
    /// Returns steps along which the objective falls to second order. The default looks for none and returns None.
    ///
    /// # Errors
    /// Fails if a solve fails.
    fn escape<'a>(&'a mut self, at: &Local<'a>) -> Result<Option<Box<dyn Path + 'a>>> {
        let _ = at;
        Ok(None)
    }

    /// Forgets the momentum that leads out of the bounds, at a point where it would hold every parameter although the objective
    /// falls into the box. Returns whether there was any: the search then [prepares](Finder::prepare) again. The default has none.
    fn brake(&mut self) -> bool {
        false
    }

    /// Returns all that the finder carries from one point to the next, for a run that is [saved](crate::descent::Saved). The
    /// default carries nothing.
    ///
    /// A finder with memory must implement this method and [`recall`](Finder::recall). Otherwise a resumed run finds other
    /// directions than a run that was never saved.
    ///
    /// # Errors
    /// Fails if the memory has no form in bytes.
    fn memory(&self) -> Result<Remembered> {
        Remembered::nothing()
    }

    /// Takes back what [`memory`](Finder::memory) returned, in a run that is resumed. The finder has just begun.
    ///
    /// # Errors
    /// Fails if the memory is of another kind.
    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        memory.get()
    }
}

/// Directions from one point, as a function of the damping.
pub trait Path {
    /// Returns the direction for damping λ ≥ 0.
    ///
    /// # Errors
    /// Fails if the system is singular at this damping.
    fn at(&mut self, damping: f64) -> Result<Proposal>;

    /// Returns the undamped direction, which estimates the decrease that remains. Returns None if the undamped
    /// direction would cost solves.
    fn undamped(&mut self) -> Option<Proposal> {
        None
    }

    /// Returns the norms of the columns of L Z (with the rows of the priors), or an empty slice if unknown.
    fn norms(&self) -> &[f64] {
        &[]
    }

    /// Returns a remark for the report, such as a choice made by the direction or an iteration that stagnated.
    fn remark(&self) -> Option<String> {
        None
    }
}

/// Descent direction with the decrease predicted for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Direction η.
    pub eta: Vec<f64>,
    /// Decrease of the quadratic model (without damping) for a full step, −(∇f·η + ½ ηᵀGη).
    pub predicted: f64,
    /// Rank of the system, or the number of free parameters if damping makes the system non-singular.
    pub rank: usize,
}

/// Returns 1/norm for every column, and 1 for columns that are zero or subnormal.
fn unit_scale(norms: &[f64]) -> Vec<f64> {
    // The reciprocal of a subnormal number may overflow.
    let inverse = |n: &f64| if n.is_normal() { n.recip() } else { 1.0 };
    norms.iter().map(inverse).collect()
}
