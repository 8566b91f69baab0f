//! Ways to a descent direction η from what is known at θ.

mod auto;
mod conjugate_gradient;
mod data_space;
mod dual;
mod gradient;
mod information;
mod kkt;
mod least_squares;
mod low_rank;
mod preconditioner;
mod sketched;

pub use self::auto::Auto;
pub use self::conjugate_gradient::{ConjugateGradient, Forcing};
pub use self::data_space::DataSpace;
pub use self::dual::Dual;
pub use self::gradient::Gradient;
pub use self::information::{Information, information_matrix};
pub use self::least_squares::LeastSquares;
pub use self::preconditioner::{Nystrom, Preconditioner};
pub use self::sketched::{Estimator, Sketched};

use crate::error::{Error, Result};
use crate::hessian::Curvature;
use crate::linalg::Backend;
use crate::metric::Root;
use crate::model::adjoint::Linearisation;
use crate::prior::PriorTerms;

/// What is known at θ, in the coordinates of the free parameters.
pub struct Local<'a> {
    /// Z = ∂ρ/∂θ.
    pub z: &'a Linearisation<'a>,
    /// The metric at ρ, if the direction asked for one.
    pub root: Option<&'a dyn Root>,
    /// u = Πᵀ ∂f/∂ρ.
    pub covector: &'a [f64],
    /// The gradient Zᵀu + ∇R.
    pub grad: &'a [f64],
    /// The priors, if there are any.
    pub prior: Option<&'a PriorTerms<'a>>,
    /// θ, all of it.
    pub theta: &'a [f64],
    /// The largest norms that the columns of L Z (with the rows of the priors) had so far in the descent, or
    /// nothing. Damping is in proportion to these: with the present ones alone, a parameter that loses its
    /// effect would go undamped, and take the others' steps with it (Moré 1978).
    pub widest: &'a [f64],
    /// Steps taken before.
    pub iteration: usize,
    /// ‖∇‖, relative to the start of the descent.
    pub progress: f64,
    /// For systems that a direction sets up itself.
    pub backend: &'a dyn Backend,
}

impl<'a> Local<'a> {
    fn metric(&self) -> Result<&'a dyn Root> {
        self.root.ok_or(Error::NoMetric)
    }

    fn curvature(&self) -> Result<Curvature<'a>> {
        Ok(Curvature::new(self.z, self.metric()?, self.prior))
    }
}

/// A recipe for descent directions. Every run begins with a [`Finder`] of its own, which prepares a [`Path`] at every point.
///
/// ```
/// use pullback::{Direction, direction::{Finder, Local, Path, Proposal}};
/// /// Moves the steepest coordinate alone.
/// struct Steepest;
/// impl Direction for Steepest {
///     fn begin(&self) -> Box<dyn Finder + '_> { Box::new(self) }
///     fn needs_metric(&self) -> bool { false }
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
///         let keep = |g: &f64| if g.abs() == largest { -g / (1.0 + damping) } else { 0.0 };
///         Ok(Proposal { eta: self.0.iter().map(keep).collect(), predicted: largest * largest, rank: 1 })
///     }
/// }
/// ```
pub trait Direction: Sync {
    /// Begins a run. A direction without memory returns itself, `Box::new(self)`.
    fn begin(&self) -> Box<dyn Finder + '_>;

    /// Whether the direction's options make sense.
    ///
    /// # Errors
    /// [`Error::Option`] for one that does not.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Whether [`Local::root`] is used.
    fn needs_metric(&self) -> bool {
        true
    }

    /// Whether [`PriorTerms::solve`] is used, with this number of parameters; then priors must be positive definite.
    fn needs_precision(&self, parameters: usize) -> bool {
        let _ = parameters;
        false
    }

    /// A short name for tables and messages.
    fn name(&self) -> &'static str;
}

/// A direction in one run. It may remember what it found at earlier points.
pub trait Finder {
    /// Does everything that is expensive at a point.
    ///
    /// # Errors
    /// Failing solves, or a missing metric.
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>>;
}

/// Directions from one point, by damping.
pub trait Path {
    /// The direction for damping λ ≥ 0.
    ///
    /// # Errors
    /// A system that cannot be solved at this damping.
    fn at(&mut self, damping: f64) -> Result<Proposal>;

    /// The undamped direction, where it costs no solves: it tells how much is left to gain. None where it is not known.
    fn undamped(&mut self) -> Option<Proposal> {
        None
    }

    /// The norms of the columns of L Z, with the rows of the priors; nothing if they are not known.
    fn norms(&self) -> &[f64] {
        &[]
    }

    /// What a user should know of how this direction came about: a choice that was made, an iteration that
    /// stagnated. It goes into the report.
    fn remark(&self) -> Option<String> {
        None
    }
}

/// A direction and what it promises.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// η.
    pub eta: Vec<f64>,
    /// −(∇f·η + ½ ηᵀGη), the decrease of the quadratic model (without damping) for a full step.
    pub predicted: f64,
    /// The rank of the geometry that was used; the number of free parameters where damping makes it whole.
    pub rank: usize,
}

/// The D of a damped system (G + λD) η = −∇f.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Damping {
    /// D = diag G: steps do not depend on the units of the parameters.
    #[default]
    Diagonal,
    /// D = I.
    Identity,
}

impl Damping {
    /// D in coordinates in which the columns, of these norms now and at their widest, have unit length.
    fn weights(self, norms: &[f64], widest: &[f64]) -> Vec<f64> {
        let scale = unit_scale(norms);
        let weight = |j: usize| match self {
            Self::Diagonal => {
                let widest = widest.get(j).copied().unwrap_or(0.0).max(norms[j]) * scale[j];
                // A column that was never anything still needs some damping.
                let widest = widest.min(MOST_WIDENED);
                if widest > 0.0 { widest * widest } else { 1.0 }
            }
            Self::Identity => scale[j] * scale[j],
        };
        (0..norms.len()).map(weight).collect()
    }
}

/// Beyond this ratio to its present norm a wider column damps no more, lest the square overflow.
const MOST_WIDENED: f64 = 1e100;

/// 1/norm for every column, and 1 for columns that are as good as zero.
fn unit_scale(norms: &[f64]) -> Vec<f64> {
    let inverse = |n: &f64| if n.is_normal() { n.recip() } else { 1.0 };
    norms.iter().map(inverse).collect()
}
