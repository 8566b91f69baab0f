//! Error of a Jacobian ∂g/∂ρ that is singular at an iterate of Newton's method.

use std::fmt;

use faer::Mat;

use crate::error::{Error, ModuleError, number};
use crate::linalg::{Operator, Side};

/// Jacobian ∂g/∂ρ that is singular at an iterate of Newton's method.
///
/// Functions return this error wrapped in the library's error. [`Error::of`] unwraps it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("∂g/∂ρ is singular at {}: {flaw}", place(*iterations, rho))]
pub struct SingularJacobian {
    /// Number of Newton steps that led to the iterate, 0 for the initial guess.
    pub iterations: usize,
    /// Iterate ρ.
    pub rho: Vec<f64>,
    /// Visible reason for which ∂g/∂ρ is singular.
    pub flaw: Flaw,
}

/// Visible reason for which a Jacobian ∂g/∂ρ is singular.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// An equation that no unknown changes.
    Row(usize),
    /// An unknown that changes no equation.
    Column(usize),
    /// Columns that sum to zero: the sum of the equations does not depend on the unknowns, as for a conservation law.
    Total,
    /// Rows that sum to zero: a constant added to all unknowns changes no equation.
    Shift,
    /// None of the others. Some equations depend on each other.
    Dependent,
}

/// Sum of the entries of a row, relative to the sum of their magnitudes, that rounding explains.
const ROUNDING: f64 = 1e-12;

impl Flaw {
    /// Looks for the reason in the entries of A, if they are known.
    pub(super) fn of(a: &Operator<'_>) -> Self {
        if !a.knows_entries() {
            return Self::Dependent;
        }
        let [rows, columns] = [Side::Plain, Side::Transpose].map(|side| Lines::of(a, side));
        if let Some(row) = rows.zero() {
            return Self::Row(row);
        }
        if let Some(column) = columns.zero() {
            return Self::Column(column);
        }
        match (columns.cancel(), rows.cancel()) {
            (true, _) => Self::Total,
            (false, true) => Self::Shift,
            (false, false) => Self::Dependent,
        }
    }
}

/// Rows of A or Aᵀ: the sums of their entries, and of the magnitudes of their entries.
struct Lines {
    sums: Mat<f64>,
    sizes: Mat<f64>,
}

impl Lines {
    fn of(a: &Operator<'_>, side: Side) -> Self {
        let (rows, columns) = a.shape_of(side);
        let ones = Mat::full(columns, 1, 1.0);
        let (mut sums, mut sizes) = (Mat::zeros(rows, 1), Mat::zeros(rows, 1));
        a.apply_into(side, ones.as_ref(), sums.as_mut());
        a.magnitude_into(side, ones.as_ref(), sizes.as_mut());
        Self { sums, sizes }
    }

    /// Returns the first line without entries other than zero.
    fn zero(&self) -> Option<usize> {
        (0..self.sizes.nrows()).find(|&i| self.sizes[(i, 0)] == 0.0)
    }

    /// Returns whether every line sums to zero.
    fn cancel(&self) -> bool {
        let cancels = |i| self.sums[(i, 0)].abs() <= ROUNDING * self.sizes[(i, 0)];
        (0..self.sums.nrows()).all(cancels)
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(i) => write!(f, "no unknown changes equation {i} there")?,
            Self::Column(j) => write!(f, "ρ[{j}] changes no equation there")?,
            Self::Dependent => write!(f, "its rows depend on each other there")?,
            Self::Total => {
                return write!(
                    f,
                    "its columns sum to zero, so that the sum of the equations does not depend on ρ, as for a conservation \
                     law; replace one equation by the total mass (for densities on a grid see `Grid::stationary_matrix`)"
                );
            }
            Self::Shift => {
                return write!(
                    f,
                    "its rows sum to zero, so that a constant added to ρ changes no equation; replace one equation by the \
                     mean or by one value of ρ"
                );
            }
        }
        write!(
            f,
            "; start elsewhere with a `guess` (the default is 0), and check that the equations are independent, have a \
             solution at these parameters, and, with Jacobians written by hand, pass `verify::model`"
        )
    }
}

/// Number of entries of a state that a message shows.
const SHOWN: usize = 4;

/// Describes the iterate and how it was reached.
fn place(iterations: usize, rho: &[f64]) -> String {
    let mut entries: Vec<String> = rho.iter().take(SHOWN).map(|r| number(*r)).collect();
    if rho.len() > SHOWN {
        entries.push("…".into());
    }
    let state = format!("ρ = [{}]", entries.join(", "));
    match iterations {
        0 => format!("the guess {state}"),
        1 => format!("{state}, after 1 Newton step"),
        _ => format!("{state}, after {iterations} Newton steps"),
    }
}

impl ModuleError for SingularJacobian {
    fn kind(&self) -> &'static str {
        "SingularJacobian"
    }
}

impl From<SingularJacobian> for Error {
    fn from(error: SingularJacobian) -> Self {
        Self::Module(Box::new(error))
    }
}
