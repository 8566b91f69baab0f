//! Everything that can go wrong, each with the argument it concerns and the remedy.

mod display;

use std::error::Error as StdError;

use self::display::{interval, remedy, shortage};
pub(crate) use self::display::{intervals, number};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be computed.
///
/// `Debug` prints the same sentence as `Display`, since that is what `fn main() -> Result<()>` shows.
#[non_exhaustive]
#[derive(thiserror::Error)]
pub enum Error {
    /// A vector or matrix has the wrong size.
    #[error(
        "{what}: expected {expected}, got {found}; compare with the size of the model, grid or data"
    )]
    Dimension {
        /// The argument.
        what: &'static str,
        /// The size that is needed.
        expected: usize,
        /// The size that was given.
        found: usize,
    },
    /// An entry is NaN or infinite.
    #[error(
        "{what} is {value} at index {index}; every entry must be finite; look for an overflow or a division by zero where it is made"
    )]
    NotFinite {
        /// The argument.
        what: &'static str,
        /// Where; in a matrix, counted down its columns.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// An entry must be positive and is not.
    #[error(
        "{what} is {} at index {index}, but must be positive; raise it above zero or leave it out",
        number(*value)
    )]
    NotPositive {
        /// The argument.
        what: &'static str,
        /// Where.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// A density is negative somewhere.
    #[error(
        "{what} is {} at index {index}; a density may not be negative (clip or refit it first)",
        number(*value)
    )]
    Negative {
        /// The argument.
        what: &'static str,
        /// Where.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// A density has no mass.
    #[error(
        "{what} has mass {}; a density needs a positive mass on the grid (does the box cover it?)",
        number(*mass)
    )]
    NoMass {
        /// The argument.
        what: &'static str,
        /// Its mass.
        mass: f64,
    },
    /// Probabilities do not sum to one.
    #[error("{what} sum to {} instead of 1; divide them by their sum", number(*sum))]
    NotNormalised {
        /// The argument.
        what: &'static str,
        /// Their sum.
        sum: f64,
    },
    /// A value lies outside its admissible interval.
    #[error(
        "{what} is {} at index {index}, outside {}; move it inside or widen the interval",
        number(*value), interval(*lower, *upper)
    )]
    OutOfRange {
        /// The argument.
        what: &'static str,
        /// Where.
        index: usize,
        /// The offending value.
        value: f64,
        /// Lower end of the interval.
        lower: f64,
        /// Upper end of the interval.
        upper: f64,
    },
    /// A lower bound is not below its upper bound.
    #[error(
        "{what}: the interval {} at index {index} is empty, infinitely long, or an end is not a number; give the lower end first",
        interval(*lower, *upper)
    )]
    Bounds {
        /// What the interval is of.
        what: &'static str,
        /// Where.
        index: usize,
        /// The lower bound.
        lower: f64,
        /// The upper bound.
        upper: f64,
    },
    /// A grid with 0 or more than 3 axes.
    #[error("a grid needs 1, 2 or 3 axes, and {axes} were given")]
    GridAxes {
        /// How many were given.
        axes: usize,
    },
    /// An axis too short for what is asked of it.
    #[error(
        "axis {axis} of the grid has {cells} cell(s), but {what} needs at least {needed}; refine it or drop the axis"
    )]
    GridTooCoarse {
        /// Who needs more.
        what: &'static str,
        /// The axis.
        axis: usize,
        /// Its cells.
        cells: usize,
        /// The cells it needs.
        needed: usize,
    },
    /// Something that solves on a device need is missing, or has failed.
    #[error("{what}: {detail}; the backend `Cpu` needs no device")]
    Device {
        /// What is missing or has failed.
        what: &'static str,
        /// What is known about it.
        detail: String,
    },
    /// A linear system that is singular to working precision.
    #[error(
        "the linear system is singular to working precision (backward error {residual:.1e}, amplification {amplification:.1e}); \
         if it is a model's ∂g/∂ρ, check its entries, and for a conservation law fix the mass (see `Grid::stationary_matrix`)"
    )]
    Singular {
        /// ‖b − Ax‖ / (‖|A||x|‖ + ‖b‖).
        residual: f64,
        /// ‖|A||x|‖ / ‖b‖, a lower bound of the condition number.
        amplification: f64,
    },
    /// A matrix that must be symmetric positive definite is not.
    #[error(
        "{what} is not symmetric positive definite; check its entries, add damping, or solve it as a general matrix or by least squares"
    )]
    NotPositiveDefinite {
        /// The matrix.
        what: &'static str,
    },
    /// A density in parts with next to nothing between them, which a metric cannot bridge as it is to be solved.
    #[error(
        "the density falls into parts with next to nothing between them, and what it costs to move mass across is beyond \
         what iteration can resolve; raise the `floor` of the transport metric (to 1e-6, say), or have its matrix \
         factorised (`StencilSolver::Direct`, a coarser grid, more of `Cpu::memory`)"
    )]
    Parts,
    /// A matrix that was declared symmetric is not.
    #[error(
        "{what} is not symmetric: the entries ({row}, {column}) and ({column}, {row}) are {} and {}; check how both are made, or \
         solve it as a general matrix", number(*entry), number(*mirrored)
    )]
    NotSymmetric {
        /// The matrix.
        what: &'static str,
        /// The row of the entry that differs most from the one across the diagonal.
        row: usize,
        /// Its column.
        column: usize,
        /// Its value.
        entry: f64,
        /// The value across the diagonal.
        mirrored: f64,
    },
    /// Numbers that are too large for a double.
    #[error(
        "{what} overflows: its entries lie beyond 1.8e308; choose other units, so that the right-hand side is smaller or the \
         matrix larger"
    )]
    Overflow {
        /// What is too large.
        what: &'static str,
    },
    /// An iterative solver made no more progress.
    #[error(
        "{solver} made no more progress after {iterations} iterations, at a relative residual of {residual:.1e}; \
         the matrix may be singular or its equations badly scaled; a factorisation can tell (give an operator known by \
         products as a sparse matrix, or a stencil with `StencilSolver::Direct`)"
    )]
    Stagnation {
        /// The method.
        solver: &'static str,
        /// Iterations, or products, spent.
        iterations: usize,
        /// ‖b − Ax‖₂ / ‖b‖₂.
        residual: f64,
    },
    /// Newton's method did not find ρ with g(ρ, θ) = 0.
    #[error(
        "Newton's method stopped after {iterations} iteration(s) at ‖g‖ = {residual:.2e} (from {initial:.2e}): {reason}; \
         check ∂g/∂ρ with `verify::model` first; if that passes, override `Model::guess` with a better start, or `Model::solve`"
    )]
    Newton {
        /// Iterations taken.
        iterations: usize,
        /// ‖g‖∞ at the first guess.
        initial: f64,
        /// ‖g‖∞ at the end.
        residual: f64,
        /// What ended it.
        reason: &'static str,
    },
    /// A covector that a metric cannot represent.
    #[error(
        "the gradient of this loss is not seen by the metric `{metric}` (a fraction {distance:.1e} of it lies outside); \
         use the metric that matches the loss, or one that sees the whole state"
    )]
    NotInRange {
        /// The metric.
        metric: &'static str,
        /// Relative distance from the metric's range.
        distance: f64,
    },
    /// A sum of metrics could not lift a gradient.
    #[error(
        "no metric of this sum sees the whole gradient alone, and all together did not lift it in time \
         (a fraction {residual:.1e} is left); add a metric that sees the whole state, such as a small multiple of L²"
    )]
    NotRepresented {
        /// ‖Lᵀy − c‖/‖c‖ that is left.
        residual: f64,
    },
    /// A direction that needs a metric got none.
    #[error(
        "this direction needs a metric, and the loss names none; give one with `Descent::metric`, or use `Gradient`"
    )]
    NoMetric,
    /// A direction that needs a matrix written out found it known otherwise.
    #[error(
        "the dual direction needs {what} as a sparse matrix; give it as one, or use conjugate gradients or least squares"
    )]
    NotSparse {
        /// The matrix.
        what: &'static str,
    },
    /// A prior that does not offer what is asked of it.
    #[error("a prior has no {what}; {remedy}")]
    PriorLacks {
        /// What is missing.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// An option outside its meaning.
    #[error("{what} is {}; {remedy}", number(*value))]
    Option {
        /// The option.
        what: &'static str,
        /// Its value.
        value: f64,
        /// What to do.
        remedy: &'static str,
    },
    /// The loss cannot be evaluated at the start.
    #[error("the loss is {} at the start; choose a start where it is finite", number(*value))]
    InfiniteStart {
        /// Its value.
        value: f64,
    },
    /// Every start of a correction led to where the simulator shows something of another kind than the data.
    #[error("no start is left to correct from: {reasons}; start nearer to what made the data")]
    NoStart {
        /// The simulator's objections, start by start.
        reasons: String,
    },
    /// More memory would be needed than there is, or may be taken.
    #[error("{}; {}", shortage(what, *size, *needed, *limit), remedy(what))]
    OutOfMemory {
        /// The step.
        what: &'static str,
        /// Rows of the matrix.
        size: usize,
        /// The bytes that are needed, where that is known.
        needed: Option<usize>,
        /// The bytes that may be taken, where that is known.
        limit: Option<usize>,
    },
    /// An error of one of the library's own modules for particular problems, such as [`models::Error`](crate::models::Error);
    /// see [`Error::of`].
    #[error("{0}")]
    Module(Box<dyn ModuleError>),
    /// A failure that the model reports itself.
    #[error("the model failed: {0}")]
    Model(#[source] Box<dyn StdError + Send + Sync>),
}

impl Error {
    /// Wraps a model's own failure.
    pub fn model(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Model(source.into())
    }
}

impl Error {
    /// Returns the error of a module, if it is one of type `T`.
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

/// An error type of a module, which [`Error::Module`] carries.
pub trait ModuleError: StdError + Send + Sync + 'static {
    /// The name of the variant.
    fn kind(&self) -> &'static str;
}
