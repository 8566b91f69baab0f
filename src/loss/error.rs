//! Errors of data.

use crate::error::{ModuleError, number};

/// Error of data given to a loss.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A datum whose value is NaN.
    #[error(
        "the value of datum {datum} is NaN; leave missing data out, or drop them by `Likelihood::present`"
    )]
    Missing {
        /// Index of the datum.
        datum: usize,
    },
    /// A datum that refers to an entry that the state does not have.
    #[error(
        "datum {datum} takes its {what} from entry {entry} of the state, which has {entries} entries; compare the index with \
         the layout of the model's state"
    )]
    Entry {
        /// Index of the datum.
        datum: usize,
        /// Name of the number that the entry holds.
        what: &'static str,
        /// Index of the entry.
        entry: usize,
        /// Length of the state.
        entries: usize,
    },
    /// A label that is no class.
    #[error(
        "the label of sample {sample} is {label}, but the {classes} classes count from 0 to {}; renumber the labels, or raise \
         the number of classes", classes - 1
    )]
    Label {
        /// Index of the sample.
        sample: usize,
        /// Label of the sample.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A label whose probability is zero in floating-point numbers.
    #[error(
        "the logits give the label {label} of sample {sample} a probability that is zero in floating-point numbers, so that no row of \
         a least-squares problem can hold its gradient; start from smaller logits, or take `Information`, `ConjugateGradient` or a \
         direction without a metric"
    )]
    Impossible {
        /// Index of the sample.
        sample: usize,
        /// Class in whose place the gradient is not zero, although its probability is.
        label: usize,
    },
    /// A mean or noise level in the state for which a datum has no density.
    #[error(
        "the {what} of {datum} is {} (entry {entry} of the state), but must be {}",
        number(*value), demand(*value)
    )]
    Domain {
        /// Name of the datum.
        datum: String,
        /// Name of the number that the entry holds.
        what: &'static str,
        /// Index of the entry.
        entry: usize,
        /// Value of the entry.
        value: f64,
    },
    /// An entry of the state that is rounding, and that the loss weights heavily.
    #[error(
        "entry {entry} of the state is {}, of which nothing but rounding errors may remain, and the loss multiplies its changes by {}: \
         derivatives are not accurate; ask the model for more absolute accuracy of this entry, or add a small offset to it",
        number(*value), number(*weight)
    )]
    Magnified {
        /// Index of the entry.
        entry: usize,
        /// Value of the entry.
        value: f64,
        /// Derivative of the loss.
        weight: f64,
    },
    /// A column of a table that is missing or ambiguous.
    #[error("the column `{column}` {problem}; the header of the table has {header}")]
    Column {
        /// Name of the column.
        column: String,
        /// Description of the problem.
        problem: &'static str,
        /// Names of all columns.
        header: String,
    },
    /// A line of a table with another number of cells than the header.
    #[error(
        "line {line} of the table has {found} cells, but the header has {expected}; give one cell for each column, and put cells \
         that contain the separator in quotes"
    )]
    Cells {
        /// Number of the line, from 1.
        line: usize,
        /// Number of cells of the line.
        found: usize,
        /// Number of cells of the header.
        expected: usize,
    },
    /// A cell of a table that cannot be used.
    #[error("line {line} of the table, column `{column}`: `{text}` {problem}")]
    Cell {
        /// Number of the line, from 1.
        line: usize,
        /// Name of the column.
        column: String,
        /// Beginning of the text of the cell.
        text: String,
        /// Description of the problem, and remedy.
        problem: &'static str,
    },
    /// A condition of a table for which the model has no experiment.
    #[error(
        "the model has no experiment with the name {condition} of a condition of the table; its experiments have the names \
         {names}; make them by `Condition::experiment`, or name them by `Experiment::named`"
    )]
    NoExperiment {
        /// Name of the condition, in quotes.
        condition: String,
        /// First names of the experiments of the model, in quotes.
        names: String,
    },
    /// Experiments of a model that cannot be told apart.
    #[error(
        "several experiments of the model have the name {experiment}; name each by its condition (`Condition::experiment`, \
         `Experiment::named`)"
    )]
    SameName {
        /// Name of the experiments, in quotes.
        experiment: String,
    },
    /// A time of a table at which the model is not observed.
    #[error(
        "the experiment {experiment} is not observed at t = {time}, for which the table has a line; take the times of the \
         condition (`Condition::experiment`)"
    )]
    Unobserved {
        /// Name of the experiment, in quotes.
        experiment: String,
        /// Time.
        time: String,
    },
    /// A state and data of different masses, compared by transport.
    #[error(
        "the state has the mass {} and the target {}, but transport moves mass and makes none; divide both by their masses, widen \
         the grid if mass leaves it, refine it if a density is narrower than a cell, or compare them by `UnbalancedTransport` or a \
         `Divergence`",
        number(*state), number(*data)
    )]
    Masses {
        /// Mass of the state.
        state: f64,
        /// Mass of the target.
        data: f64,
    },
    /// A weight ε of the entropy for which the cells are too wide.
    #[error(
        "ε = {} is too small for cells {} wide, since the kernel exp(−|x − y|²/ε) must not fall between them; take at least \
         the square of the width, better twice as much, or a finer grid",
        number(*epsilon), number(*widest)
    )]
    Blur {
        /// Weight ε.
        epsilon: f64,
        /// Width of the widest cells.
        widest: f64,
    },
    /// A weight ε of the entropy beside which the costs between the cells are rounding.
    #[error(
        "ε = {} is too large for a grid whose diagonal has the square {}: costs between its cells are lost to rounding; take at most \
         the square, beyond which the loss only compares means",
        number(*epsilon), number(*square)
    )]
    Blurred {
        /// Weight ε.
        epsilon: f64,
        /// Square of the diagonal of the grid.
        square: f64,
    },
    /// A weight ε of the entropy that exceeds the cost λ of mass.
    #[error(
        "ε = {} exceeds λ = {}, so that the blur hides the cost of mass; take ε at most λ, and better λ/16, which needs cells that are \
         small beside √λ",
        number(*epsilon), number(*lambda)
    )]
    BlurOfMass {
        /// Weight ε.
        epsilon: f64,
        /// Cost λ of mass.
        lambda: f64,
    },
    /// A cost λ of mass for which the cells are too wide.
    #[error(
        "λ = {} is too small for cells {} wide: the entropy needs ε of twice the square of the width, and ε must not exceed λ; refine \
         the grid, or take λ of {} at least",
        number(*lambda), number(*widest), number(2.0 * widest * widest)
    )]
    CellsOfMass {
        /// Cost λ of mass.
        lambda: f64,
        /// Width of the widest cells.
        widest: f64,
    },
    /// An entropic transport whose iteration did not converge.
    #[error(
        "Sinkhorn's iteration {between} at ε = {} stopped after {iterations} iterations with an error of {error:.1e} in the marginals \
         of the plan; {remedy} (`loss::Sinkhorn`)",
        number(*epsilon)
    )]
    Unconverged {
        /// Densities between which mass is moved.
        between: &'static str,
        /// Weight ε.
        epsilon: f64,
        /// Number of iterations.
        iterations: usize,
        /// Least error in the marginals of the plan, of mass 1.
        error: f64,
        /// What may help.
        remedy: &'static str,
    },
    /// An observable that is given twice.
    #[error("the observable `{name}` is given twice; give every observable once")]
    Twice {
        /// Name of the observable.
        name: String,
    },
}

/// Returns what a mean or noise level must be, with a remedy.
fn demand(value: f64) -> &'static str {
    if value.is_finite() {
        "positive; bound the parameters, or estimate their logarithms (`Transform::Log`); if it is zero but for errors of an \
         integration, ask for more absolute accuracy, or add a small offset"
    } else {
        "finite; look for an overflow or a division by zero in its computation"
    }
}

/// Largest number of characters of a cell that an error repeats.
const SHOWN: usize = 40;

impl Error {
    /// Returns an error about the cell at a line and a column.
    pub(super) fn cell((line, column): (usize, &str), text: &str, problem: &'static str) -> Self {
        Self::Cell {
            line,
            column: column.to_string(),
            text: text.chars().take(SHOWN).collect(),
            problem,
        }
    }
}

impl ModuleError for Error {
    fn kind(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "Missing",
            Self::Entry { .. } => "Entry",
            Self::Label { .. } => "Label",
            Self::Impossible { .. } => "Impossible",
            Self::Domain { .. } => "Domain",
            Self::Magnified { .. } => "Magnified",
            Self::Column { .. } => "Column",
            Self::Cells { .. } => "Cells",
            Self::Cell { .. } => "Cell",
            Self::NoExperiment { .. } => "NoExperiment",
            Self::SameName { .. } => "SameName",
            Self::Unobserved { .. } => "Unobserved",
            Self::Twice { .. } => "Twice",
            Self::Masses { .. } => "Masses",
            Self::Blur { .. } => "Blur",
            Self::Blurred { .. } => "Blurred",
            Self::BlurOfMass { .. } => "BlurOfMass",
            Self::CellsOfMass { .. } => "CellsOfMass",
            Self::Unconverged { .. } => "Unconverged",
        }
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        Self::Module(Box::new(error))
    }
}
