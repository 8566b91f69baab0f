//! Errors of the library as Python exceptions.

use pullback::Error;
use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyMemoryError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

create_exception!(
    _pullback,
    ModelError,
    PyRuntimeError,
    "The model could not be evaluated or solved. An exception of the model's own code is the cause."
);

/// Returns the exception of an error: `ValueError` for invalid input, `ModelError` for a model that fails, `MemoryError`, and
/// otherwise `RuntimeError`.
pub(crate) fn raise(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::OutOfMemory { .. } => PyMemoryError::new_err(text),
        Error::Newton { .. } | Error::Model(_) | Error::Singular { .. } => {
            ModelError::new_err(text)
        }
        Error::Dimension { .. }
        | Error::NotFinite { .. }
        | Error::NotPositive { .. }
        | Error::Negative { .. }
        | Error::NoMass { .. }
        | Error::NotNormalised { .. }
        | Error::OutOfRange { .. }
        | Error::Bounds { .. }
        | Error::GridAxes { .. }
        | Error::GridTooCoarse { .. }
        | Error::NotPositiveDefinite { .. }
        | Error::NotSymmetric { .. }
        | Error::NoMetric
        | Error::PriorLacks { .. }
        | Error::Option { .. }
        | Error::InfiniteStart { .. }
        | Error::Module(_) => PyValueError::new_err(text),
        _ => PyRuntimeError::new_err(text),
    }
}

/// Returns the exception of a failure in a method of a model. An `Exception` becomes the cause of a `ModelError`; others, such
/// as `KeyboardInterrupt`, stay as they are.
pub(crate) fn of_model(py: Python<'_>, method: &str, cause: PyErr) -> PyErr {
    if !cause.is_instance_of::<PyException>(py) || cause.is_instance_of::<ModelError>(py) {
        return cause;
    }
    let error = ModelError::new_err(format!("{method} raised {cause}"));
    error.set_cause(py, Some(cause));
    error
}
