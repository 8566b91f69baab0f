//! Error type of the crate. Every message names the argument, what is wrong with it, and the remedy.

mod display;

use std::error::Error as StdError;

use self::display::{interval, remedy, shortage};
pub(crate) use self::display::{intervals, number};

/// Result of a function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Error of a computation, with its remedy.
///
/// `Debug` prints the name of the variant and the message of `Display`, because `fn main() -> Result<()>`
/// prints an error with `Debug`.
#[non_exhaustive]
#[derive(thiserror::Error)]
pub enum Error {
    /// A vector or matrix of the wrong size.
    #[error(
        "{what}: expected {expected}, got {found}; compare it with the size of the model, the grid or the data"
    )]
    Dimension {
        /// Name of the argument.
        what: &'static str,
        /// Size that is required.
        expected: usize,
        /// Size that was given.
        found: usize,
    },
    /// An entry that is NaN or infinite.
    #[error(
        "{what} is {value} at index {index}, but every entry must be finite; look for an overflow or a division by \
         zero in its computation"
    )]
    NotFinite {
        /// Name of the argument.
        what: &'static str,
        /// Index of the entry; in a matrix, counted in column-major order.
        index: usize,
        /// Value of the entry at that index.
        value: f64,
    },
    /// An entry that must be positive but is not.
    #[error(
        "{what} is {} at index {index}, but must be positive; raise it above zero or remove it",
        number(*value)
    )]
    NotPositive {
        /// Name of the argument.
        what: &'static str,
        /// Index of the entry in the argument.
        index: usize,
        /// Value of the entry at that index.
        value: f64,
    },
    /// A density with a negative entry.
    #[error(
        "{what} is {} at index {index}, but a density must not be negative; clip or refit it first",
        number(*value)
    )]
    Negative {
        /// Name of the argument.
        what: &'static str,
        /// Index of the entry in the argument.
        index: usize,
        /// Value of the entry at that index.
        value: f64,
    },
    /// A density whose total mass is not positive.
    #[error(
        "{what} has mass {}, but a density needs a positive mass; check that the grid covers it",
        number(*mass)
    )]
    NoMass {
        /// Name of the argument.
        what: &'static str,
        /// Mass of the density.
        mass: f64,
    },
    /// Probabilities that do not sum to one.
    #[error("{what} sum to {} instead of 1; divide them by their sum", number(*sum))]
    NotNormalised {
        /// Name of the argument.
        what: &'static str,
        /// Sum of the probabilities.
        sum: f64,
    },
    /// A value outside its admissible interval.
    #[error(
        "{what} is {} at index {index}, outside {}; move it inside or widen the interval",
        number(*value), interval(*lower, *upper)
    )]
    OutOfRange {
        /// Name of the argument.
        what: &'static str,
        /// Index of the entry in the argument.
        index: usize,
        /// Value of the entry at that index.
        value: f64,
        /// Lower end of the admissible interval.
        lower: f64,
        /// Upper end of the admissible interval.
        upper: f64,
    },
    /// An interval that is empty or infinitely long, or has an end that is not a number.
    #[error(
        "{what}: the interval {} at index {index} is empty, is infinitely long, or has an end that is not a number; \
         give the lower end first",
        interval(*lower, *upper)
    )]
    Bounds {
        /// Name of the argument.
        what: &'static str,
        /// Index of the interval.
        index: usize,
        /// Lower end of the interval.
        lower: f64,
        /// Upper end of the interval.
        upper: f64,
    },
    /// A grid with 0 or more than 3 axes.
    #[error("a grid has {axes} axes, but needs 1, 2 or 3; add or remove axes")]
    GridAxes {
        /// Number of axes of the grid.
        axes: usize,
    },
    /// An axis of the grid with too few cells.
    #[error(
        "axis {axis} of the grid has {cells} cell(s), but {what} needs at least {needed}; refine the axis or remove it"
    )]
    GridTooCoarse {
        /// Name of the object or operation that needs more cells.
        what: &'static str,
        /// Index of the axis.
        axis: usize,
        /// Number of cells along the axis.
        cells: usize,
        /// Number of cells that are needed along the axis.
        needed: usize,
    },
    /// A device, driver or device library that is missing or has failed.
    #[error(
        "{what}: {detail}; if this cannot be fixed, use the backend `Cpu`, which needs no device"
    )]
    Device {
        /// Name of the missing or failing component.
        what: &'static str,
        /// Description of the failure.
        detail: String,
    },
    /// A linear system that is singular to working precision.
    #[error(
        "the linear system is singular to working precision (backward error {residual:.1e}, amplification \
         {amplification:.1e}); check the entries of the matrix, and if it is the ∂g/∂ρ of a model, that its equations \
         determine the state (for a conservation law, fix the mass as `Grid::stationary_matrix` does)"
    )]
    Singular {
        /// Backward error ‖b − Ax‖ / (‖|A||x|‖ + ‖b‖).
        residual: f64,
        /// Amplification ‖|A||x|‖ / ‖b‖, a lower bound of the condition number.
        amplification: f64,
    },
    /// A matrix that must be symmetric positive definite but is not.
    #[error(
        "{what} is not symmetric positive definite; check its entries, add damping, or solve it as a general matrix or \
         by least squares"
    )]
    NotPositiveDefinite {
        /// Name of the matrix.
        what: &'static str,
    },
    /// A density with nearly empty gaps, for which the iterative solver of a transport metric cannot converge.
    #[error(
        "the density has separate parts with nearly empty gaps between them, and the cost of moving mass across a gap \
         exceeds the resolution of the iterative solver; raise the `floor` of the transport metric (to 1e-6, for \
         example), or let a direct solver factorise its matrix (`StencilSolver::Direct`, a coarser grid, or a higher \
         limit `Cpu::memory`)"
    )]
    Parts,
    /// A matrix that must be symmetric but is not.
    #[error(
        "{what} is not symmetric: the entries ({row}, {column}) and ({column}, {row}) are {} and {}; check how they \
         are computed, or solve it as a general matrix", number(*entry), number(*mirrored)
    )]
    NotSymmetric {
        /// Name of the matrix.
        what: &'static str,
        /// Row of the entry that differs most from its mirror image across the diagonal.
        row: usize,
        /// Column of the entry that differs most from its mirror image.
        column: usize,
        /// Value of the entry in this row and column.
        entry: f64,
        /// Value of the mirror image of the entry.
        mirrored: f64,
    },
    /// A result beyond the range of double precision.
    #[error(
        "{what} overflows, with entries beyond 1.8e308; choose units in which the right-hand side is smaller or the \
         matrix larger"
    )]
    Overflow {
        /// Name of the quantity that overflows.
        what: &'static str,
    },
    /// An iterative solver that stopped converging.
    #[error(
        "{solver} stagnated after {iterations} iterations at a relative residual of {residual:.1e}, so that the matrix \
         may be singular or badly scaled; use a direct solver to find out (pass a matrix-free operator as a sparse \
         matrix, solve a stencil with `StencilSolver::Direct`)"
    )]
    Stagnation {
        /// Name of the iterative method.
        solver: &'static str,
        /// Number of iterations, or of products with the matrix.
        iterations: usize,
        /// Relative residual ‖b − Ax‖₂ / ‖b‖₂ at the end.
        residual: f64,
    },
    /// Newton's method failed to solve g(ρ, θ) = 0 for ρ.
    #[error(
        "Newton's method stopped after {iterations} iteration(s) at ‖g‖ = {residual:.2e} (from {initial:.2e}): \
         {reason}; start closer to a solution with a better `guess`, check that the equations have a solution at these \
         parameters, and check Jacobians written by hand with `verify::model`"
    )]
    Newton {
        /// Number of iterations of Newton's method.
        iterations: usize,
        /// Residual norm ‖g‖∞ at the initial guess.
        initial: f64,
        /// Residual norm ‖g‖∞ at the last iterate.
        residual: f64,
        /// Reason why Newton's method stopped.
        reason: &'static str,
    },
    /// A gradient outside the range of a metric.
    #[error(
        "the gradient of the loss is not in the range of the metric `{metric}` (a fraction {distance:.1e} of it lies \
         outside); use the metric that the loss names, or one of full rank"
    )]
    NotInRange {
        /// Name of the metric.
        metric: &'static str,
        /// Relative distance of the gradient from the range of the metric.
        distance: f64,
    },
    /// A gradient c for which a sum of metrics found no solution y of Lᵀy = c.
    #[error(
        "the sum of metrics did not lift the gradient (a fraction {residual:.1e} of it remains), and no single metric \
         of the sum has it in its range; add a metric of full rank, such as a small multiple of L²"
    )]
    NotRepresented {
        /// Relative residual ‖Lᵀy − c‖/‖c‖ of the best y that was found.
        residual: f64,
    },
    /// A direction that needs a metric, for a loss that names none.
    #[error(
        "the direction needs a metric, but the loss names none; set one with `Descent::metric`, or use `Gradient`"
    )]
    NoMetric,
    /// A matrix that a direction needs in sparse form but that is available in another form only.
    #[error(
        "the dual direction needs {what} in sparse form; pass a sparse matrix, or use conjugate gradients or least squares"
    )]
    NotSparse {
        /// Name of the matrix.
        what: &'static str,
    },
    /// A prior that lacks an operation.
    #[error("a prior has no {what}; {remedy}")]
    PriorLacks {
        /// Name of the missing operation.
        what: &'static str,
        /// Remedy that the message names.
        remedy: &'static str,
    },
    /// An option with an invalid value.
    #[error("{what} is {}; {remedy}", number(*value))]
    Option {
        /// Name of the option.
        what: &'static str,
        /// Invalid value of the option.
        value: f64,
        /// Remedy that the message names.
        remedy: &'static str,
    },
    /// A loss that is not finite at the starting point.
    #[error("the loss is {} at the starting point; choose a starting point where it is finite", number(*value))]
    InfiniteStart {
        /// Value of the loss at the starting point.
        value: f64,
    },
    /// A correction, multi-start or continuation whose starting points were all rejected.
    #[error(
        "every starting point was rejected: {reasons}; start closer to the parameters that generated the data"
    )]
    NoStart {
        /// Reasons for rejecting the starting points.
        reasons: String,
    },
    /// A metric whose root returns a vector or batch of the wrong size.
    #[error(
        "the metric `{metric}`: {what} has {found} entries, but must have {expected}; check its `Root`"
    )]
    MetricShape {
        /// Name of the metric.
        metric: &'static str,
        /// Name of the vector.
        what: &'static str,
        /// Size that is required.
        expected: usize,
        /// Size that was found.
        found: usize,
    },
    /// A metric whose root returns NaN or an infinite value.
    #[error(
        "the metric `{metric}`: {what} contains {value}; look for an overflow or a division by zero in its `Root`"
    )]
    MetricValue {
        /// Name of the metric.
        metric: &'static str,
        /// Name of the vector.
        what: &'static str,
        /// Value that is not finite.
        value: f64,
    },
    /// Products with Z and with its transpose that contradict each other.
    #[error(
        "the products with Z = ∂ρ/∂θ and with its transpose contradict each other: ⟨Z v, w⟩ is {}, but ⟨v, Zᵀw⟩ is {}; run \
         `verify::model`, which says which of them is wrong", number(*forward), number(*backward)
    )]
    NotAdjoint {
        /// Inner product ⟨Z v, w⟩.
        forward: f64,
        /// Inner product ⟨v, Zᵀw⟩.
        backward: f64,
    },
    /// A computation that needs more memory than is available or allowed.
    #[error("{}; {}", shortage(what, *size, *needed, *limit), remedy(what))]
    OutOfMemory {
        /// Name of the computation.
        what: &'static str,
        /// Number of rows of the matrix in the computation.
        size: usize,
        /// Number of bytes that the computation needs, if known.
        needed: Option<usize>,
        /// Number of bytes that are allowed, if known.
        limit: Option<usize>,
    },
    /// An error of a single module, such as [`models::Error`](crate::models::Error). [`Error::of`] returns
    /// the wrapped error.
    #[error("{0}")]
    Module(Box<dyn ModuleError>),
    /// A failure reported by a user's model.
    #[error("the model failed: {0}")]
    Model(#[source] Box<dyn StdError + Send + Sync>),
    /// A failure reported by a user's loss, metric, prior, direction or backend.
    #[error("{0}")]
    Custom(#[source] Box<dyn StdError + Send + Sync>),
}

impl Error {
    /// Wraps the failure of a user's model.
    pub fn model(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Model(source.into())
    }

    /// Wraps the failure of a user's loss, metric, prior, direction or backend. The message should name it.
    pub fn custom(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Custom(source.into())
    }
}

impl Error {
    /// Returns the wrapped error of a module if it has type `T`.
    ///
    /// ```
    /// use pullback::models::trajectory::Trajectory;
    /// let error = Trajectory::read_csv("no such file.csv", 3).unwrap_err();
    /// let kind = error.of::<pullback::models::Error>();
    /// assert!(matches!(kind, Some(pullback::models::Error::File { .. })));
    /// ```
    pub fn of<T: StdError + 'static>(&self) -> Option<&T> {
        match self {
            Self::Module(error) => (&**error as &(dyn StdError + 'static)).downcast_ref(),
            _ => None,
        }
    }
}

/// Error type of a module, wrapped by [`Error::Module`].
pub trait ModuleError: StdError + Send + Sync + 'static {
    /// Returns the name of the variant.
    fn kind(&self) -> &'static str;
}
