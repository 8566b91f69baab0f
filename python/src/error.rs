//! Errors of the library as Python exceptions.

use pullback::descent::SaveError;
use pullback::model::SingularJacobian;
use pullback::{Error, evolution};
use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyMemoryError, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

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
    let text = in_python(&error.to_string());
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

/// Names of the library in its messages, and those that users of Python know. Longer phrases come before their parts.
const WORDS: [(&str, &str); 41] = [
    (
        "take `Fixed` or `Decaying`",
        "take step=('fixed', rate) or ('decaying', rate)",
    ),
    (
        "allow more steps (`Tolerances::iterations`)",
        "allow more steps (`maxiter`)",
    ),
    (
        "give the noise to the loss and use `Variance::Known`, or implement `Loss::data`",
        "give the noise (`sigma`)",
    ),
    (
        "give the noise to the loss and use `Variance::Known`",
        "give the noise (`sigma`)",
    ),
    ("the descent has", "the run has"),
    (
        "resume with the descent that saved it",
        "resume with the options that it was saved with",
    ),
    (
        ", or begin a new run from its parameters (`Saved::theta`)",
        ", or begin a new run",
    ),
    (
        "implement `Model::second_derivative` (or `Sensitivity::curvature`), write the model with `automatic`",
        "write the model as `Dynamics`, `Equations` or `Formula`",
    ),
    (
        "a Gauss-Newton direction such as `LeastSquares` or `ConjugateGradient`",
        "a Gauss-Newton direction such as \"least_squares\" or \"conjugate_gradient\"",
    ),
    (
        "implement `Loss::hessian` or `Misfit::hessian`, or use",
        "take another loss, or use",
    ),
    (
        "set one with `Descent::metric`, or use `Gradient`",
        "give `metric`, or use another direction",
    ),
    (
        "add one with `Descent::prior`; without, see `Report::covariance`",
        "give `prior`; without, see `cov` of the result",
    ),
    (
        "fix the mass as `Grid::stationary_matrix` does",
        "replace one of them by the total mass",
    ),
    (
        " (for densities on a grid see `Grid::stationary_matrix`)",
        "",
    ),
    (
        "give independent noise by `Noise::uniform` or `Noise::deviations`",
        "give `sigma` as one standard deviation or one per datum",
    ),
    (
        "`StencilSolver::Direct`, a coarser grid, or a higher limit `Cpu::memory`",
        "by a coarser grid",
    ),
    (", solve a stencil with `StencilSolver::Direct`", ""),
    (
        " or an iterative solver (`StencilSolver::Multigrid` for stencils), or raise the limit `Cpu::memory`",
        "",
    ),
    (
        "implement `Prior::draw`, or give the root by `Quadratic::squares`",
        "take another prior",
    ),
    (
        "see `Smoothness::with_range`",
        "give `range` to `smoothness`",
    ),
    (
        "leave missing data out, or drop them by `Likelihood::present`",
        "leave missing data out",
    ),
    (
        "or allow more by `most_steps`",
        "or allow more by `max_steps`",
    ),
    (
        "use `Flux::FaceAveraged`, which lets no cell absorb mass around a fixed point, or add",
        "add",
    ),
    (
        "or compare them by `UnbalancedTransport` or a `Divergence`",
        "or compare them by the loss \"unbalanced_transport\" or \"kullback_leibler\"",
    ),
    (
        "unless `Unit::Given` or `Unit::Prior` gives another",
        "unless `unit` gives another",
    ),
    (
        "add one with `Descent::prior`, or take `Unit::Sizes` or `Unit::Given`",
        "give `prior`, or take unit=\"sizes\" or one number per parameter",
    ),
    (
        "whose errors are those of `Report::estimates`; take `loss::Observations` without the outliers",
        "whose errors are `cov` of the result; take the loss \"l2\" without the outliers",
    ),
    (
        "or draw them by `Draws::raw`",
        "or leave them as they are by whitened=False",
    ),
    ("`Scheme::EulerMaruyama`", "scheme=\"euler_maruyama\""),
    (
        "or larger displacements of a regression",
        "or a larger `displacement`",
    ),
    (
        "take batches of all items, or `Adam`, `Momentum` or `Kfac`",
        "take batches of all items, or the direction \"adam\", \"momentum\" or \"kfac\"",
    ),
    (
        "such as `models::Network`, whose parameters have no transforms; use `ConjugateGradient` or `LeastSquares`",
        "such as `Network`, whose parameters have no transforms; use \"conjugate_gradient\" or \"least_squares\"",
    ),
    ("the observer ended the run", "the callback ended the run"),
    ("stopped by the observer", "stopped by the callback"),
    ("`Method::Implicit`", "`method=\"implicit\"`"),
    ("`Transform::Logit`", "the transform \"logit\""),
    ("`Transform::Log`", "the transform \"log\""),
    ("`Condition::experiment`", "`Experiment(name=…)`"),
    ("`Experiment::named`", "`Experiment(name=…)`"),
    ("`verify::gradient`", "`verify`"),
    ("`Flow::velocity`", "the flow"),
];

/// Returns a message of the library in the words of the Python package.
pub(crate) fn in_python(text: &str) -> String {
    let replaced = |text: String, (ours, theirs): &(&str, &str)| text.replace(ours, theirs);
    WORDS.iter().fold(text.to_string(), replaced)
}

/// Puts the messages of an outcome into the words of the Python package.
pub(crate) fn in_python_words(found: &Bound<'_, PyDict>) -> PyResult<()> {
    for name in ["message", "report"] {
        if let Some(text) = found.get_item(name)? {
            found.set_item(name, in_python(&text.extract::<String>()?))?;
        }
    }
    if let Some(remarks) = found.get_item("remarks")? {
        let remarks: Vec<String> = remarks.extract()?;
        let remarks: Vec<String> = remarks.iter().map(|text| in_python(text)).collect();
        found.set_item("remarks", remarks)?;
    }
    Ok(())
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
