//! Pages about results.

use numpy::PyReadonlyArray1;
use pullback::page::{Accuracy, Page, Step, Summary};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::matrix;
use crate::curvature::Seen;
use crate::error::raise;

type Vector<'py> = PyReadonlyArray1<'py, f64>;

/// Parts of a result.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Parts<'py> {
    outcome: String,
    converged: bool,
    theta: Vector<'py>,
    loss: f64,
    /// Parameters of every iterate.
    rows: Vec<Vector<'py>>,
    columns: Columns<'py>,
    tests: Vec<[String; 3]>,
    counts: Vec<(String, usize)>,
    solvers: Vec<String>,
    remarks: Vec<String>,
    accuracy: Option<Errors<'py>>,
    no_accuracy: String,
    residuals: Option<Vector<'py>>,
    combinations: Option<Seen<'py>>,
}

/// Numbers of the iterates.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Columns<'py> {
    loss: Vector<'py>,
    gradient: Vector<'py>,
    step: Vector<'py>,
    damping: Vector<'py>,
    trials: Vector<'py>,
    seconds: Vector<'py>,
}

/// Uncertainty of the parameters.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Errors<'py> {
    errors: Vector<'py>,
    intervals: Vec<(f64, f64)>,
    covariance: Bound<'py, PyAny>,
    null_space: Bound<'py, PyAny>,
    held: Vec<usize>,
    variance: f64,
    notes: Vec<String>,
    level: f64,
}

/// What the user says of the page.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Choices {
    title: Option<String>,
    names: Option<Vec<String>>,
    shape: Vec<usize>,
    pictures: Vec<(String, String)>,
    settings: Vec<(String, String)>,
    short: bool,
}

fn slice<'a>(array: &'a Vector<'_>) -> PyResult<&'a [f64]> {
    let text = |_| PyValueError::new_err("an array of the result is not contiguous");
    array.as_slice().map_err(text)
}

impl Errors<'_> {
    fn accuracy(&self) -> PyResult<Accuracy> {
        Ok(Accuracy {
            errors: slice(&self.errors)?.to_vec(),
            intervals: self.intervals.clone(),
            level: self.level,
            covariance: matrix("cov", &self.covariance)?,
            null_space: matrix("null_space", &self.null_space)?,
            held: self.held.clone(),
            variance: self.variance,
            notes: self.notes.clone(),
        })
    }
}

impl Parts<'_> {
    fn iterates(&self) -> PyResult<Vec<Step<'_>>> {
        let c = &self.columns;
        let columns = [
            &c.loss,
            &c.gradient,
            &c.step,
            &c.damping,
            &c.trials,
            &c.seconds,
        ];
        let columns = columns.map(slice);
        let at = |column: usize, k: usize| -> PyResult<f64> {
            let values = columns[column].as_ref();
            let values = values.map_err(|e| PyValueError::new_err(e.to_string()))?;
            let value = values.get(k).copied();
            value
                .ok_or_else(|| PyValueError::new_err("the columns of the history differ in length"))
        };
        let iterate = |(k, row)| {
            Ok(Step {
                theta: slice(row)?,
                loss: at(0, k)?,
                gradient: at(1, k)?,
                step: at(2, k)?,
                damping: at(3, k)?,
                trials: at(4, k)?,
                seconds: at(5, k)?,
            })
        };
        self.rows.iter().enumerate().map(iterate).collect()
    }

    fn page(&self, choices: Choices) -> PyResult<Page<'_>> {
        let mut page = Page::new(Summary {
            outcome: self.outcome.clone(),
            converged: self.converged,
            theta: slice(&self.theta)?,
            loss: self.loss,
            iterates: self.iterates()?,
            tests: self.tests.clone(),
            counts: self.counts.clone(),
            solvers: self.solvers.clone(),
            remarks: self.remarks.clone(),
        });
        page = page.accuracy(match &self.accuracy {
            Some(errors) => Ok(errors.accuracy()?),
            None => Err(self.no_accuracy.clone()),
        });
        if let Some(residuals) = &self.residuals {
            page = page.residuals(slice(residuals)?.to_vec());
        }
        if let Some(seen) = &self.combinations {
            page = page.combinations(&seen.restored()?);
        }
        if let Some(title) = &choices.title {
            page = page.title(title);
        }
        if let Some(names) = &choices.names {
            page = page.names(names).map_err(raise)?;
        }
        for (title, svg) in &choices.pictures {
            page = page.picture(title, svg);
        }
        for (name, value) in &choices.settings {
            page = page.setting(name, value);
        }
        Ok(page.field(&choices.shape).environment())
    }
}

/// Returns the page about a result, or writes it to a file.
#[pyfunction]
#[pyo3(signature = (found, settings, path))]
pub(crate) fn page(
    found: Parts<'_>,
    settings: Choices,
    path: Option<std::path::PathBuf>,
) -> PyResult<Option<String>> {
    let short = settings.short;
    let page = found.page(settings)?;
    match path {
        Some(path) => match page.write(&path) {
            Ok(()) => Ok(None),
            Err(error) => Err(match error.of::<pullback::page::PageError>() {
                Some(_) => pyo3::exceptions::PyOSError::new_err(error.to_string()),
                None => raise(error),
            }),
        },
        None if short => page.short().map(Some).map_err(raise),
        None => page.html().map(Some).map_err(raise),
    }
}
