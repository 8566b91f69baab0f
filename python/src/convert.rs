//! Arrays and matrices from Python.

use std::sync::Arc;

use numpy::{PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pullback::faer::prelude::ReborrowMut;
use pullback::faer::sparse::{SparseColMat, SymbolicSparseColMat};
use pullback::faer::{Mat, MatMut, MatRef};
use pullback::{Operator, Side};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::error::of_model;
use crate::watch::Watch;

/// Name of what returned a value, for messages.
pub(crate) type Source<'a> = &'a str;

/// Converts to a float64 array of NumPy, unless it is one.
fn as_float<'py>(from: Source<'_>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let numpy = value.py().import("numpy")?;
    if numpy.call_method1("iscomplexobj", (value,))?.extract()? {
        let text = format!("{from} must be real, but is complex");
        return Err(PyTypeError::new_err(text));
    }
    let converted = numpy.call_method1("asarray", (value, "float64"));
    converted.map_err(|cause| {
        let kind = value.get_type();
        let error = PyTypeError::new_err(format!("{from} must be an array of numbers, not {kind}"));
        error.set_cause(value.py(), Some(cause));
        error
    })
}

/// Copies a vector to `out`.
pub(crate) fn vector_into(
    from: Source<'_>,
    value: &Bound<'_, PyAny>,
    out: &mut [f64],
) -> PyResult<()> {
    let mut copy = |array: PyReadonlyArray1<'_, f64>| {
        if array.len() != out.len() {
            let (found, needed) = (array.len(), out.len());
            let text = format!("{from} has {found} entries, but {needed} are needed");
            return Err(PyValueError::new_err(text));
        }
        let entries = out.iter_mut().zip(array.as_array());
        entries.for_each(|(out, x)| *out = *x);
        Ok(())
    };
    if let Ok(array) = value.extract() {
        return copy(array);
    }
    let flat = as_float(from, value)?.call_method1("reshape", (-1,))?;
    copy(flat.extract()?)
}

/// Returns a vector of any length.
pub(crate) fn vector(from: Source<'_>, value: &Bound<'_, PyAny>) -> PyResult<Vec<f64>> {
    let flat = as_float(from, value)?.call_method1("reshape", (-1,))?;
    let array: PyReadonlyArray1<'_, f64> = flat.extract()?;
    Ok(array.as_array().to_vec())
}

/// Returns a matrix of any shape.
pub(crate) fn matrix(from: Source<'_>, value: &Bound<'_, PyAny>) -> PyResult<Mat<f64>> {
    let array = as_float(from, value)?;
    let array = array.extract::<PyReadonlyArray2<'_, f64>>();
    let array = array.map_err(|_| PyValueError::new_err(format!("{from} must have two axes")))?;
    let a = array.as_array();
    Ok(Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)]))
}

/// Factor, and shape, of an operator from Python.
pub(crate) struct Form {
    pub(crate) shape: (usize, usize),
    pub(crate) factor: f64,
}

impl Form {
    fn check(&self, from: Source<'_>, found: (usize, usize)) -> PyResult<()> {
        if found == self.shape {
            return Ok(());
        }
        let (rows, columns) = self.shape;
        let (found_rows, found_columns) = found;
        Err(PyValueError::new_err(format!(
            "{from} is {found_rows} × {found_columns}, but must be {rows} × {columns}"
        )))
    }

    /// Reads None (the identity), an array with two axes, one with a single axis (a diagonal), a matrix of `scipy.sparse`, or
    /// an object with `matmat` and `rmatmat`, such as SciPy's `LinearOperator`.
    pub(crate) fn read(
        &self,
        from: Source<'_>,
        value: &Bound<'_, PyAny>,
        watch: &Arc<Watch>,
    ) -> PyResult<Operator<'static>> {
        let (rows, columns) = self.shape;
        if value.is_none() && self.factor == 1.0 {
            self.check(from, (rows, rows))?;
            return Ok(Operator::identity(rows));
        }
        if let Ok(array) = value.extract::<PyReadonlyArray2<'_, f64>>() {
            return self.dense(from, &array);
        }
        if value.hasattr("tocsc")? {
            return self.sparse(from, value);
        }
        if value.hasattr("matmat")? && value.hasattr("rmatmat")? {
            self.check(from, value.getattr("shape")?.extract()?)?;
            return Ok(self.products(from, value, watch));
        }
        let array = as_float(from, value)?;
        if let Ok(array) = array.extract::<PyReadonlyArray2<'_, f64>>() {
            return self.dense(from, &array);
        }
        match array.extract::<PyReadonlyArray1<'_, f64>>() {
            Ok(diagonal) if rows == columns => {
                self.check(from, (diagonal.len(), diagonal.len()))?;
                let entries = diagonal.as_array();
                let scaled: Vec<f64> = entries.iter().map(|x| self.factor * x).collect();
                Ok(Operator::diagonal(scaled))
            }
            _ => Err(PyTypeError::new_err(format!(
                "{from} must be an array, a scipy.sparse matrix or an object with matmat and rmatmat, {rows} × {columns}"
            ))),
        }
    }

    fn dense(
        &self,
        from: Source<'_>,
        array: &PyReadonlyArray2<'_, f64>,
    ) -> PyResult<Operator<'static>> {
        let a = array.as_array();
        self.check(from, a.dim())?;
        let (rows, columns) = self.shape;
        let matrix = Mat::from_fn(rows, columns, |i, j| self.factor * a[(i, j)]);
        Ok(Operator::dense(matrix))
    }

    fn sparse(&self, from: Source<'_>, value: &Bound<'_, PyAny>) -> PyResult<Operator<'static>> {
        self.check(from, value.getattr("shape")?.extract()?)?;
        let mut csc = value.call_method0("tocsc")?;
        if !csc.getattr("has_canonical_format")?.extract()? {
            csc = csc.call_method0("copy")?;
            csc.call_method0("sum_duplicates")?;
        }
        let mut values = vector(from, &csc.getattr("data")?)?;
        values.iter_mut().for_each(|x| *x *= self.factor);
        let (starts, rows) = (indices(&csc, "indptr")?, indices(&csc, "indices")?);
        let structure =
            SymbolicSparseColMat::new_checked(self.shape.0, self.shape.1, starts, None, rows);
        Ok(Operator::sparse(SparseColMat::new(structure, values)))
    }

    /// Returns products by methods of the object. An exception is kept by the watch, and fills the product with NaN.
    fn products(
        &self,
        from: Source<'_>,
        value: &Bound<'_, PyAny>,
        watch: &Arc<Watch>,
    ) -> Operator<'static> {
        let watch = Arc::clone(watch);
        let products = Products {
            object: value.clone().unbind(),
            factor: self.factor,
            from: format!("a product by {from}"),
        };
        let product = move |side: Side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>| {
            if !watch.raised() {
                let done = Python::attach(|py| products.multiply(py, side, x, out.rb_mut()));
                match done {
                    Ok(()) => return,
                    Err(error) => watch.keep(error),
                }
            }
            out.fill(f64::NAN);
        };
        let (rows, columns) = self.shape;
        Operator::free(rows, columns, Box::new(product))
    }
}

/// Object that multiplies by a matrix and its transpose, `matmat` and `rmatmat`.
struct Products {
    object: Py<PyAny>,
    factor: f64,
    from: String,
}

impl Products {
    /// Computes out ← A X or Aᵀ X.
    fn multiply(
        &self,
        py: Python<'_>,
        side: Side,
        x: MatRef<'_, f64>,
        mut out: MatMut<'_, f64>,
    ) -> PyResult<()> {
        let name = match side {
            Side::Plain => "matmat",
            Side::Transpose => "rmatmat",
        };
        let product = self.object.bind(py).call_method1(name, (to_array(py, x)?,));
        let product = product.map_err(|cause| of_model(py, &self.from, cause))?;
        let product = matrix(&self.from, &product)?;
        let form = Form {
            shape: out.shape(),
            factor: self.factor,
        };
        form.check(&self.from, product.shape())?;
        out.copy_from(form.factor * &product);
        Ok(())
    }
}

/// Returns an array of indices of a sparse matrix.
fn indices(matrix: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<usize>> {
    let array = matrix.getattr(name)?.call_method1("astype", ("int64",))?;
    let array: PyReadonlyArray1<'_, i64> = array.extract()?;
    Ok(array.as_array().iter().map(|&i| i as usize).collect())
}

/// Returns a matrix as an array with two axes.
pub(crate) fn to_array<'py>(
    py: Python<'py>,
    a: MatRef<'_, f64>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let rows = (0..a.nrows()).flat_map(|i| (0..a.ncols()).map(move |j| a[(i, j)]));
    let flat = numpy::PyArray1::from_vec(py, rows.collect());
    flat.reshape([a.nrows(), a.ncols()])
}

/// Returns an operator that no solver accepts.
pub(crate) fn broken(rows: usize, columns: usize) -> Operator<'static> {
    let entries = [(0, 0, f64::NAN)];
    let some = rows > 0 && columns > 0;
    Operator::triplets(rows, columns, entries.into_iter().filter(|_| some))
}
