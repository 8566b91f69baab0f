//! Boxes of cells.

use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::error::raise;

/// Box of equal cells, with one to three axes ``(lower, upper, cells)``.
///
/// Densities and fields on a grid are arrays of the shape ``grid.shape``.
///
/// >>> import pullback as pb
/// >>> grid = pb.Grid([(-6.0, 8.0, 140), (0.0, 1.0, 10)])
/// >>> grid.shape, grid.cells
/// ((140, 10), 1400)
#[pyclass(frozen, module = "pullback")]
pub(crate) struct Grid(pub(crate) pullback::Grid);

impl Grid {
    /// Returns the numbers of cells along the axes.
    pub(crate) fn cells_by_axis(&self) -> Vec<usize> {
        self.0.axes().iter().map(|axis| axis.cells).collect()
    }
}

#[pymethods]
impl Grid {
    #[new]
    fn new(axes: Vec<(f64, f64, usize)>) -> PyResult<Self> {
        pullback::Grid::new(&axes).map(Self).map_err(raise)
    }

    /// Numbers of cells along the axes.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.cells_by_axis())
    }

    /// Number of cells.
    #[getter]
    fn cells(&self) -> usize {
        self.0.cells()
    }

    /// Volume of a cell.
    #[getter]
    fn volume(&self) -> f64 {
        self.0.volume()
    }

    /// Ends and numbers of cells of the axes, as given.
    #[getter]
    fn axes(&self) -> Vec<(f64, f64, usize)> {
        let axes = self.0.axes().iter();
        axes.map(|axis| (axis.lower, axis.upper, axis.cells))
            .collect()
    }

    /// Returns the centres of the cells along an axis.
    fn centres<'py>(&self, py: Python<'py>, axis: usize) -> PyResult<Bound<'py, PyArray1<f64>>> {
        match self.0.axes().get(axis) {
            Some(axis) => Ok(axis.centres().into_pyarray(py)),
            None => Err(PyIndexError::new_err(format!(
                "the grid has no axis {axis}"
            ))),
        }
    }

    /// Returns the arguments from which a pickle makes the grid.
    fn __getnewargs__(&self) -> (Vec<(f64, f64, usize)>,) {
        (self.axes(),)
    }

    fn __repr__(&self) -> String {
        format!("Grid({:?})", self.axes())
    }
}
