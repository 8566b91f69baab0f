//! Errors of the library as Python exceptions.

use pullback::descent::SaveError;
use pullback::model::SingularJacobian;
use pullback::{Error, evolution};
use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyMemoryError, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

create_exception!(
    _pullback,
    ModelError,
    PyRuntimeError,
    "The model could not be evaluated or solved. An exception of the model's own code is the cause.\n\n\
>>> import pullback as pb\n\
>>> try:\n\
...     pb.minimize(lambda theta: {}[0], [1.0], [1.0])\n\
... except pb.ModelError as error:\n\
...     print(repr(error.__cause__))\n\
KeyError(0)"
);

/// Returns the exception of an error: `ValueError` for invalid input, `ModelError` for a model that fails, `OSError` for files,
/// `MemoryError`, and otherwise `RuntimeError`.
pub(crate) fn raise(error: Error) -> PyErr {
    let text = error.to_string();
    if is_of_model(&error) {
        return ModelError::new_err(text);
    }
    if matches!(error.of(), Some(SaveError::File { .. })) {
        return PyOSError::new_err(text);
    }
    match error {
        Error::OutOfMemory { .. } => PyMemoryError::new_err(text),
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

/// Returns whether the model fails at its parameters, though the arguments are sound.
fn is_of_model(error: &Error) -> bool {
    use evolution::Error as Course;
    let misused = |course: &Course| {
        matches!(
            course,
            Course::Implicit { .. }
                | Course::Entry { .. }
                | Course::Unused { .. }
                | Course::Times { .. }
        )
    };
    let plain = matches!(
        error,
        Error::Newton { .. } | Error::Model(_) | Error::Singular { .. }
    );
    let course = error.of::<Course>().is_some_and(|course| !misused(course));
    plain || course || error.of::<SingularJacobian>().is_some()
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
