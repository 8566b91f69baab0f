//! Content of a page, from which its sections are written.

use super::summary::{Accuracy, Summary};
use crate::check;
use crate::curvature::Combinations;
use crate::error::Result;
use crate::posterior::numbered;

/// Everything that a page shows.
#[derive(Clone, Debug)]
pub(super) struct Content<'a> {
    pub(super) title: String,
    pub(super) summary: Summary<'a>,
    pub(super) names: Vec<String>,
    /// Uncertainty, or why there is none.
    pub(super) accuracy: std::result::Result<Accuracy, String>,
    /// Combinations of the parameters that the data see.
    pub(super) combinations: Option<Combinations>,
    /// Residuals in units of the noise in the loss.
    pub(super) residuals: Option<Vec<f64>>,
    /// What the residuals are drawn against, with its label.
    pub(super) abscissa: Option<(String, Vec<f64>)>,
    /// Numbers of cells of the grid whose field the parameters are.
    pub(super) shape: Vec<usize>,
    /// Titles and SVG texts.
    pub(super) pictures: Vec<(String, String)>,
    pub(super) settings: Vec<(String, String)>,
}

impl<'a> Content<'a> {
    pub(super) fn new(summary: Summary<'a>) -> Self {
        Self {
            title: "Report of a descent".to_string(),
            names: numbered(summary.theta.len()),
            summary,
            accuracy: Err("none was computed".to_string()),
            combinations: None,
            residuals: None,
            abscissa: None,
            shape: Vec::new(),
            pictures: Vec::new(),
            settings: Vec::new(),
        }
    }

    /// Fails if parts have different numbers of parameters or data.
    pub(super) fn check(&self) -> Result<()> {
        let p = self.summary.theta.len();
        check::length("the names of the parameters", self.names.len(), p)?;
        for iterate in &self.summary.iterates {
            check::length("the parameters of an iterate", iterate.theta.len(), p)?;
        }
        if let Ok(accuracy) = &self.accuracy {
            check::length("the standard errors", accuracy.errors.len(), p)?;
            check::length("the intervals", accuracy.intervals.len(), p)?;
            check::length("the rows of the covariance", accuracy.covariance.nrows(), p)?;
            check::length(
                "the columns of the covariance",
                accuracy.covariance.ncols(),
                p,
            )?;
            let held = accuracy.held.iter().filter(|held| **held < p).count();
            check::length("the parameters that are held", held, accuracy.held.len())?;
            if accuracy.null_space.ncols() > 0 {
                check::length("the null space", accuracy.null_space.nrows(), p)?;
            }
        }
        if let Some(seen) = &self.combinations {
            let count = seen.information().len();
            check::length("the combinations of the parameters", count, p)?;
        }
        if !self.shape.is_empty() {
            let cells = self.shape.iter().product();
            check::length("the parameters of a field, one per cell", p, cells)?;
        }
        if let (Some(residuals), Some((_, places))) = (&self.residuals, &self.abscissa) {
            check::length("the places of the residuals", places.len(), residuals.len())?;
        }
        Ok(())
    }

    /// Returns the standard error of a parameter, if there is a finite positive one.
    pub(super) fn error(&self, i: usize) -> Option<f64> {
        let accuracy = self.accuracy.as_ref().ok()?;
        Some(accuracy.errors[i]).filter(|error| *error > 0.0 && error.is_finite())
    }
}
