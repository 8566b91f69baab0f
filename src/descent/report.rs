//! What a descent hands back.

use std::fmt;

use super::Descent;
use super::counts::{Counts, Solvers};
use super::history::Iterate;
use super::outlook::Outlook;
use super::stop::Stop;
use super::stopping::{Ratios, Tolerances};
use crate::error::Result;
use crate::linalg::Solved;
use crate::posterior::Uncertainty;

/// The result of a descent: its best point (where it has converged, the one that it has converged to), the path, why it ended and what it cost.
///
/// `Display` prints every stopping test with its number, and the counts.
#[must_use = "a report says whether the run converged"]
#[derive(Clone, Debug)]
pub struct Report {
    /// The best parameters.
    pub theta: Vec<f64>,
    /// Their state.
    pub rho: Vec<f64>,
    /// Their objective.
    pub loss: f64,
    /// Every iterate, the start first.
    pub history: Vec<Iterate>,
    /// Why the run ended.
    pub stop: Stop,
    /// What it cost.
    pub counts: Counts,
    /// How the linear systems were solved, the method with the most columns first; the random column that every
    /// linearisation adds is one of them.
    pub solvers: Vec<Solved>,
    /// What it was judged by.
    pub tolerances: Tolerances,
    /// Why the last of those trials failed at which the state or the loss could not be computed, if any did.
    pub last_failure: Option<String>,
    /// What the directions had to say: a choice, an iteration that stagnated.
    pub remarks: Vec<Remark>,
    pub(super) purposes: Solvers,
    /// What is left to gain at the last point, where a direction was prepared there.
    pub(super) left: Option<Outlook>,
}

/// A remark of a direction: a choice, an iteration that stagnated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The iterate at which it was first made.
    pub iteration: usize,
    /// Its text.
    pub text: String,
}

impl Report {
    /// Whether the run ended because it was done.
    pub fn converged(&self) -> bool {
        self.stop.converged()
    }

    /// Steps taken.
    pub fn iterations(&self) -> usize {
        self.history.len().saturating_sub(1)
    }
}

impl Report {
    /// The covariance of the parameters at the best point, by one tangent solve a parameter.
    ///
    /// `descent` is the one that made this report. Parameters that a bound holds are left out; transforms change nothing. For
    /// many parameters see [`Descent::posterior`].
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
    /// # Errors
    /// As for [`Descent::run`], and a descent without a metric.
    pub fn covariance(&self, descent: &Descent<'_>) -> Result<Uncertainty> {
        descent.uncertainty(&self.theta)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.stop)?;
        let tolerances = &self.tolerances;
        if let Some(ratios) = Ratios::of(&self.history, self.left.as_ref()) {
            for (what, value, limit) in [
                (
                    "decrease left, of the objective",
                    ratios.decrease,
                    tolerances.decrease,
                ),
                ("step left, of the parameters", ratios.step, tolerances.step),
                (
                    "last decrease, of the objective",
                    ratios.loss,
                    tolerances.loss,
                ),
                (
                    "gradient, of that at the start",
                    ratios.gradient,
                    tolerances.gradient,
                ),
            ] {
                row(f, what, value, limit)?;
            }
        }
        if let Some(target) = tolerances.target {
            row(f, "loss", self.loss, target)?;
        }
        row(
            f,
            "steps",
            self.iterations() as f64,
            tolerances.iterations as f64,
        )?;
        let c = &self.counts;
        write!(
            f,
            "  loss {:.6e}; {} model solves, {} factorisations, {} tangent and {} adjoint solves, {} metric solves",
            self.loss,
            c.model_solves,
            c.factorisations,
            c.tangent_solves,
            c.adjoint_solves,
            c.metric_solves
        )?;
        if let Some(line) = self.purposes.describe() {
            write!(f, "\n  {line}")?;
        }
        for remark in &self.remarks {
            write!(f, "\n  from step {}: {}", remark.iteration + 1, remark.text)?;
        }
        match &self.last_failure {
            Some(failure) if !self.converged() => write!(f, "\n  last failing trial: {failure}"),
            _ => Ok(()),
        }
    }
}

fn row(f: &mut fmt::Formatter<'_>, what: &str, value: f64, limit: f64) -> fmt::Result {
    if value == f64::INFINITY {
        return writeln!(f, "  {what:<34} {:>10}   (not known)", "–");
    }
    if limit == 0.0 {
        return writeln!(f, "  {what:<34} {value:>10.2e}   (no limit)");
    }
    let (value_text, limit_text) = if value.fract() == 0.0 && value.abs() < 1e6 && limit >= 1.0 {
        (format!("{value}"), format!("{limit}"))
    } else {
        (format!("{value:.2e}"), format!("{limit:.2e}"))
    };
    writeln!(f, "  {what:<34} {value_text:>10}   (limit {limit_text})")
}
