//! Curvatures to look at.

use std::sync::Arc;

use numpy::{IntoPyArray, PyArray1, PyArray2};
use pullback::Descent;
use pullback::curvature::{
    self as look, Average, Comparison, Condition, Curvature, Diagonal, Extreme, Extremes, Group,
    Kind, Lanczos, Quadrature, Sight, Unit,
};
use pullback::faer::Mat;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{matrix, to_array, vector};
use crate::descend::{Parts, Settings};
use crate::error::{in_python, raise};
use crate::objective::Loss;
use crate::threads;
use crate::watch::{Interruptible, Watch};

/// Problem and point at which its curvature is looked at: model, loss, settings and parameters.
#[derive(FromPyObject)]
pub(crate) struct Place<'py>(
    Bound<'py, PyAny>,
    PyRef<'py, Loss>,
    Settings<'py>,
    Bound<'py, PyAny>,
);

impl<'py> Place<'py> {
    /// Calls a function of the descent and the point, without the interpreter lock.
    fn with<T: Send>(
        self,
        job: impl FnOnce(&Descent<'_>, &Parts, &[f64]) -> pullback::Result<T> + Send,
    ) -> PyResult<T> {
        let Self(model, loss, settings, theta) = self;
        let watch = Arc::new(Watch::new());
        let theta = vector("theta", &theta)?;
        let parts = Parts::new(&model, &loss, settings, &watch)?;
        let found = threads::run(model.py(), &watch, || {
            let backend = Interruptible::new(&watch);
            job(&parts.descent(&backend), &parts, &theta)
        })?;
        watch.conclude(found)
    }

    /// Lends the curvature of this kind.
    fn lend<T: Send>(
        self,
        kind: &str,
        look: impl FnOnce(&dyn Curvature) -> pullback::Result<T> + Send,
    ) -> PyResult<T> {
        let kind = match kind {
            "information" => Kind::Information,
            "gauss_newton" => Kind::GaussNewton,
            "exact" => Kind::Exact,
            other => {
                let text = format!("kind: no '{other}'; choose information, gauss_newton or exact");
                return Err(PyValueError::new_err(text));
            }
        };
        self.with(|descent, _, theta| descent.curvature(theta, kind, look))
    }
}

/// Computes the extreme eigenvalues with a tolerance, a number of steps and a seed.
#[pyfunction]
pub(crate) fn extremes<'py>(
    place: Place<'py>,
    kind: &str,
    options: (f64, usize, u64),
) -> PyResult<Bound<'py, PyDict>> {
    let py = place.0.py();
    let (tolerance, steps, seed) = options;
    let options = Lanczos {
        tolerance,
        steps,
        seed,
    };
    let found = place.lend(kind, |h| Extremes::of(h, &options))?;
    let extreme = |extreme: &Extreme| {
        let one = PyDict::new(py);
        one.set_item("value", extreme.value)?;
        one.set_item("error", extreme.error)?;
        one.set_item("vector", PyArray1::from_slice(py, &extreme.vector))?;
        one.set_item("settled", extreme.settled)?;
        one.set_item("table", extreme.to_string())?;
        Ok::<_, PyErr>(one)
    };
    let all = PyDict::new(py);
    all.set_item("largest", extreme(&found.largest)?)?;
    all.set_item("smallest", extreme(&found.smallest)?)?;
    let (condition, bound) = match found.condition() {
        Condition::Number(number) => (number, false),
        Condition::AtLeast(bound) => (bound, true),
        Condition::Singular => (f64::INFINITY, false),
        Condition::Indefinite => (f64::NAN, false),
    };
    all.set_item("condition", condition)?;
    all.set_item("at_least", bound)?;
    all.set_item("steps", found.steps)?;
    all.set_item("table", found.to_string())?;
    Ok(all)
}

/// Value, standard error, error by few steps, degrees of freedom, and range.
type Numbers = (f64, f64, f64, usize, (f64, f64));

/// Range of a mean that may be any number.
const ANY: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

fn numbers(average: &Average) -> Numbers {
    (
        average.value,
        average.standard_error,
        average.truncation,
        average.freedom,
        average.range,
    )
}

fn average((value, standard_error, truncation, freedom, range): Numbers) -> Average {
    Average {
        value,
        standard_error,
        truncation,
        freedom,
        range,
    }
}

/// Returns the text of an average.
#[pyfunction]
pub(crate) fn shown(numbers: Numbers) -> String {
    average(numbers).to_string()
}

/// Returns the intervals of averages.
#[pyfunction]
pub(crate) fn intervals(all: Vec<Numbers>, level: f64) -> PyResult<Vec<(f64, f64)>> {
    let interval = |numbers| average(numbers).interval(level).map_err(raise);
    all.into_iter().map(interval).collect()
}

/// Spectrum of a curvature.
#[pyclass(frozen, module = "pullback._pullback")]
pub(crate) struct Spectrum(look::Spectrum);

#[pymethods]
impl Spectrum {
    /// Computes the spectrum by a number of probes, of steps, and a seed, or all eigenvalues.
    #[new]
    #[pyo3(signature = (place, kind, probes))]
    fn new(place: Place<'_>, kind: &str, probes: Option<(usize, usize, u64)>) -> PyResult<Self> {
        let found = place.lend(kind, |h| match probes {
            None => look::Spectrum::dense(h),
            Some((probes, steps, seed)) => {
                let options = Quadrature {
                    probes,
                    steps,
                    seed,
                };
                look::Spectrum::of(h, &options)
            }
        });
        found.map(Self)
    }

    #[getter]
    fn products(&self) -> usize {
        self.0.products()
    }

    #[getter]
    fn range(&self) -> (f64, f64) {
        self.0.range()
    }

    #[getter]
    fn eigenvalues<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        let all = self.0.eigenvalues();
        all.map(|values| PyArray1::from_slice(py, values))
    }

    fn trace(&self) -> Numbers {
        numbers(&self.0.trace())
    }

    fn effective_dimension(&self, alpha: f64) -> PyResult<Numbers> {
        let found = self.0.effective_dimension(alpha).map_err(raise)?;
        Ok(numbers(&found))
    }

    /// Computes the density of the eigenvalues, or of their logarithms.
    fn density(&self, points: Vec<f64>, width: f64, decades: bool) -> PyResult<Vec<Numbers>> {
        let found = match decades {
            true => self.0.density_of_decades(&points, width),
            false => self.0.density(&points, width),
        };
        Ok(found.map_err(raise)?.iter().map(numbers).collect())
    }

    fn __repr__(&self) -> String {
        self.0.to_string()
    }
}

/// Computes the diagonal exactly, or estimates it by a number of probes and a seed.
#[pyfunction]
#[pyo3(signature = (place, kind, probes))]
pub(crate) fn diagonal(
    place: Place<'_>,
    kind: &str,
    probes: Option<(usize, u64)>,
) -> PyResult<Vec<Numbers>> {
    let found = place.lend(kind, |h| match probes {
        None => Diagonal::exact(h),
        Some((probes, seed)) => Diagonal::estimated(h, probes, seed),
    })?;
    let entries = found.values.iter().zip(&found.standard_errors);
    Ok(entries
        .map(|(x, s)| (*x, *s, 0.0, found.freedom, ANY))
        .collect())
}

/// Computes the blocks of named groups of parameters.
#[pyfunction]
pub(crate) fn blocks<'py>(
    py: Python<'py>,
    place: Place<'py>,
    kind: &str,
    groups: Vec<(String, Vec<usize>)>,
) -> PyResult<Vec<Bound<'py, PyArray2<f64>>>> {
    let group = |(name, members): (String, Vec<usize>)| Group::new(&name, members);
    let groups: Vec<Group> = groups.into_iter().map(group).collect();
    let found = place.lend(kind, |h| look::blocks(h, &groups))?;
    let array = |block: &look::Block| to_array(py, block.matrix.as_ref());
    found.iter().map(array).collect()
}

/// Computes the product with a matrix, or the curvature itself.
#[pyfunction]
#[pyo3(signature = (place, kind, v))]
pub(crate) fn product<'py>(
    py: Python<'py>,
    place: Place<'py>,
    kind: &str,
    v: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let v = v.map(|v| matrix("v", v)).transpose()?;
    let found = place.lend(kind, |h| match &v {
        Some(v) => h.product(v.as_ref()),
        None => h.product(Mat::identity(h.dim(), h.dim()).as_ref()),
    })?;
    to_array(py, found.as_ref())
}

/// Unit of the changes of the parameters: a word, or numbers.
#[derive(FromPyObject)]
pub(crate) enum Measure {
    Word(String),
    Given(Vec<f64>),
}

impl Measure {
    fn unit(&self) -> PyResult<Unit<'_>> {
        match self {
            Self::Given(units) => Ok(Unit::Given(units)),
            Self::Word(word) => match word.as_str() {
                "sizes" => Ok(Unit::Sizes),
                "prior" => Ok(Unit::Prior),
                other => {
                    let text = format!(
                        "unit: no '{other}'; choose sizes, prior, or one number per parameter"
                    );
                    Err(PyValueError::new_err(text))
                }
            },
        }
    }
}

/// Finds the combinations of the parameters that the data see.
#[pyfunction]
pub(crate) fn combinations<'py>(
    py: Python<'py>,
    place: Place<'py>,
    unit: Measure,
) -> PyResult<Bound<'py, PyDict>> {
    let unit = unit.unit()?;
    let seen = place.with(|descent, parts, theta| {
        let seen = descent.combinations(theta, parts.variance(), unit)?;
        match parts.names() {
            Some(names) => seen.named(names),
            None => Ok(seen),
        }
    })?;
    let all = 0..seen.information().len();
    let sight = |k| match seen.sight(k) {
        Sight::Determined => "determined",
        Sight::Weak => "weak",
        Sight::Unseen => "unseen",
    };
    let found = PyDict::new(py);
    let comparison = match seen.comparison() {
        Comparison::Priors => "priors",
        Comparison::Sizes => "sizes",
        Comparison::Units => "units",
    };
    found.set_item("compared_with", comparison)?;
    found.set_item("names", seen.names())?;
    let information = PyArray1::from_slice(py, seen.information());
    found.set_item("information", information)?;
    found.set_item("errors", seen.errors().into_pyarray(py))?;
    found.set_item("directions", to_array(py, seen.directions().as_ref())?)?;
    found.set_item("covectors", to_array(py, seen.covectors().as_ref())?)?;
    let n = all.len();
    let shares: Vec<Vec<f64>> = all.clone().map(|k| seen.shares(k)).collect();
    let shares = Mat::from_fn(n, n, |j, k| shares[k][j]);
    found.set_item("shares", to_array(py, shares.as_ref())?)?;
    found.set_item("sight", all.clone().map(sight).collect::<Vec<_>>())?;
    found.set_item("words", all.map(|k| seen.words(k)).collect::<Vec<_>>())?;
    found.set_item("table", in_python(&seen.to_string()))?;
    Ok(found)
}

/// Combinations that were found before.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Seen<'py> {
    information: Bound<'py, PyAny>,
    directions: Bound<'py, PyAny>,
    covectors: Bound<'py, PyAny>,
    compared_with: String,
}

impl Seen<'_> {
    /// Returns the combinations, whose names are those of a page.
    pub(crate) fn restored(&self) -> PyResult<look::Combinations> {
        let comparison = match self.compared_with.as_str() {
            "priors" => Comparison::Priors,
            "sizes" => Comparison::Sizes,
            _ => Comparison::Units,
        };
        let directions = matrix("directions", &self.directions)?;
        let vectors = [directions, matrix("covectors", &self.covectors)?];
        let information = vector("information", &self.information)?;
        look::Combinations::restored(information, vectors, comparison).map_err(raise)
    }
}
