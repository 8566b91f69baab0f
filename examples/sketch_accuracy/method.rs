//! Estimators from random probes.

use pullback::faer::Mat;
use pullback::faer::linalg::solvers::Solve;
use pullback::sketch::{Hutchinson, Length, Sketch};

use crate::measure::Result;
use crate::problem::{View, column};

/// Sketches from equally many probes: random ones, and ones that span the Jacobian of the previous step.
pub struct Sketches<'a> {
    pub plain: Sketch<'a>,
    /// None if the probes are too few to include a random one.
    pub spanning: Option<Sketch<'a>>,
}

/// Estimator of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    SolveExplained,
    Solve,
    Raw,
    Natural,
    Literal,
    Corrected,
    SpanningSolve,
    SpanningNatural,
}

impl Method {
    pub const ALL: [Self; 8] = [
        Self::SolveExplained,
        Self::Solve,
        Self::Raw,
        Self::Natural,
        Self::Literal,
        Self::Corrected,
        Self::SpanningSolve,
        Self::SpanningNatural,
    ];

    /// Name in the JSON output.
    pub fn name(self) -> &'static str {
        match self {
            Self::SolveExplained => "solve_explained",
            Self::Solve => "solve",
            Self::Raw => "raw",
            Self::Natural => "natural",
            Self::Literal => "literal",
            Self::Corrected => "corrected",
            Self::SpanningSolve => "spanning_solve",
            Self::SpanningNatural => "spanning_natural",
        }
    }

    /// Name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::SolveExplained => "sketch and solve, exact data",
            Self::Solve => "sketch and solve",
            Self::Raw => "exact gradient, biased inverse",
            Self::Natural => "exact gradient, unbiased",
            Self::Literal => "published, as printed",
            Self::Corrected => "published, corrected",
            Self::SpanningSolve => "spanning, sketch and solve",
            Self::SpanningNatural => "spanning, exact gradient",
        }
    }

    /// Whether m probes are enough for p parameters.
    fn defined(self, m: usize, p: usize) -> bool {
        match self {
            Self::SolveExplained | Self::Solve | Self::Literal | Self::Corrected => true,
            Self::Raw | Self::SpanningSolve => m > p,
            Self::Natural | Self::SpanningNatural => m > p + 1,
        }
    }

    /// Whether a mean length exists. The inverse of a random m × p matrix has infinite variance for m ≤ p + 1, and fewer
    /// probes than parameters do not determine a direction.
    pub fn has_length(self, m: usize, p: usize) -> bool {
        match self {
            Self::SolveExplained => m >= p,
            Self::SpanningSolve | Self::SpanningNatural => true,
            _ => m > p + 1,
        }
    }

    /// Estimates η; None if the probes are too few.
    pub fn direction(self, view: &View, sketches: &Sketches<'_>) -> Result<Option<Vec<f64>>> {
        let plain = &sketches.plain;
        if !self.defined(plain.probes().count(), view.params()) {
            return Ok(None);
        }
        let spanning = sketches.spanning.as_ref().unwrap_or(plain);
        let published = Hutchinson::new(plain);
        let estimate = match self {
            Self::SolveExplained => plain.solve(&view.explained)?,
            Self::Solve => plain.solve(&view.data)?,
            Self::Raw => {
                let information = plain.information().value;
                let eta = information.full_piv_lu().solve(column(&view.gradient));
                return Ok(Some(eta.col_as_slice(0).iter().map(|x| -x).collect()));
            }
            Self::Natural => plain.natural(&view.gradient)?,
            Self::Literal => published.direction(&view.data, Length::Literal)?,
            Self::Corrected => published.direction(&view.data, Length::Corrected)?,
            Self::SpanningSolve => spanning.solve(&view.data)?,
            Self::SpanningNatural => spanning.natural(&view.gradient)?,
        };
        Ok(Some(estimate.value))
    }
}

/// Estimator of the information matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    Plain,
    Spanning,
    PublishedSquare,
}

impl Matrix {
    pub const ALL: [Self; 3] = [Self::Plain, Self::Spanning, Self::PublishedSquare];

    /// Name in the JSON output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Spanning => "spanning",
            Self::PublishedSquare => "published_square",
        }
    }

    /// Name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Plain => "random probes",
            Self::Spanning => "spanning",
            Self::PublishedSquare => "square of the published matrix",
        }
    }

    /// Estimates G; None if the probes are too few.
    pub fn value(self, sketches: &Sketches<'_>) -> Option<Mat<f64>> {
        match self {
            Self::Plain => Some(sketches.plain.information().value),
            Self::Spanning => Some(sketches.spanning.as_ref()?.information().value),
            Self::PublishedSquare => {
                let y = Hutchinson::new(&sketches.plain).matrix().value;
                Some(y.transpose() * &y)
            }
        }
    }
}
