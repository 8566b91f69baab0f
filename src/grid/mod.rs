//! Uniform Cartesian grids in one, two or three dimensions, with finite-volume operators.

mod assembly;
mod cosine;
mod faces;
mod interpolation;
mod marginal;

pub use self::faces::Face;

use ndarray::{ArrayViewD, IxDyn};

use crate::check;
use crate::error::{Error, Result};

/// Box divided into equal cells, numbered with the last axis fastest.
///
/// A density on the grid is a vector with one value per cell, in units of mass per volume. The mass in a cell
/// is its density times [`volume`](Grid::volume).
///
/// ```
/// use pullback::Grid;
/// let grid = Grid::new(&[(0.0, 1.0, 4), (-1.0, 1.0, 10)])?;
/// assert_eq!(grid.cells(), 40);
/// assert!((grid.integrate(&grid.sample(|x| x[0]))? - 1.0).abs() < 1e-14);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    axes: Vec<Axis>,
}

/// Axis of a grid: an interval that is divided into equal cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// Lower end of the axis.
    pub lower: f64,
    /// Upper end of the axis.
    pub upper: f64,
    /// Number of cells along the axis.
    pub cells: usize,
}

impl Axis {
    /// Returns the width of a cell along the axis.
    pub fn spacing(&self) -> f64 {
        (self.upper - self.lower) / self.cells as f64
    }

    /// Returns the cell centres, in order.
    pub fn centres(&self) -> Vec<f64> {
        (0..self.cells).map(|i| self.centre(i)).collect()
    }

    /// Returns the centre of cell `i` of the axis.
    fn centre(&self, i: usize) -> f64 {
        // One product instead of a running sum, so that rounding does not accumulate along the axis.
        self.lower + (i as f64 + 0.5) * self.spacing()
    }
}

impl Grid {
    /// Creates a grid from `(lower, upper, cells)` for each axis.
    ///
    /// # Errors
    /// Fails if there is no axis or more than three, if an axis has no cells, or if its bounds are not finite and
    /// increasing. Fails if the cells are so narrow that rounding makes their centres coincide, if the volume of a cell
    /// underflows or overflows, or if the number of cells overflows.
    pub fn new(axes: &[(f64, f64, usize)]) -> Result<Self> {
        if axes.is_empty() || axes.len() > 3 {
            return Err(Error::GridAxes { axes: axes.len() });
        }
        for (axis, &(lower, upper, cells)) in axes.iter().enumerate() {
            check::finite("a bound of the grid", &[lower, upper])?;
            if lower >= upper {
                return Err(Error::Bounds {
                    what: "an axis of the grid",
                    index: axis,
                    lower,
                    upper,
                });
            }
            if cells == 0 {
                return Err(Error::GridTooCoarse {
                    what: "a grid",
                    axis,
                    cells,
                    needed: 1,
                });
            }
        }
        let axes = axes.iter().map(|&(lower, upper, cells)| Axis {
            lower,
            upper,
            cells,
        });
        let grid = Self {
            axes: axes.collect(),
        };
        grid.check_size()?;
        Ok(grid)
    }

    /// Checks that the width and volume of a cell and the number of cells are representable.
    fn check_size(&self) -> Result<()> {
        for axis in &self.axes {
            // A centre is the sum of a bound and a distance, with an error of up to ε·max(|lower|, |upper|).
            // If the cells are at least four such errors wide, rounded centres of neighbouring cells are
            // distinct.
            let rounding = f64::EPSILON * axis.lower.abs().max(axis.upper.abs());
            check::option(
                "the width of a cell of the grid",
                axis.spacing(),
                axis.spacing() >= 4.0 * rounding,
                "use fewer cells, a wider box, or coordinates whose origin is closer to the box, since cell centres \
                 coincide",
            )?;
        }
        check::positive("the volume of a cell of the grid", &[self.volume()])?;
        let cells = self.axes.iter().map(|a| a.cells);
        let count = cells.clone().try_fold(1_usize, usize::checked_mul);
        check::option(
            "the number of cells of the grid",
            cells.map(|n| n as f64).product(),
            count.is_some(),
            "use fewer cells along each axis",
        )
    }

    /// Returns the axes, slowest first.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Returns the number of axes of the grid.
    pub fn dim(&self) -> usize {
        self.axes.len()
    }

    /// Returns the number of cells of the grid.
    pub fn cells(&self) -> usize {
        self.axes.iter().map(|a| a.cells).product()
    }

    /// Returns the volume of one cell.
    pub fn volume(&self) -> f64 {
        self.axes.iter().map(Axis::spacing).product()
    }

    /// Returns the difference between the indices of neighbouring cells along an axis.
    pub(crate) fn stride(&self, axis: usize) -> usize {
        self.axes[axis + 1..].iter().map(|a| a.cells).product()
    }

    /// Returns the centre of a cell. Only the first [`dim`](Grid::dim) entries are used. The other entries are 0.
    pub fn centre(&self, cell: usize) -> [f64; 3] {
        let mut x = [0.0; 3];
        for (d, axis) in self.axes.iter().enumerate() {
            x[d] = axis.centre(cell / self.stride(d) % axis.cells);
        }
        x
    }

    /// Evaluates a function at all cell centres.
    pub fn sample(&self, f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        (0..self.cells())
            .map(|cell| f(&self.centre(cell)[..self.dim()]))
            .collect()
    }

    /// Computes ∫ρ dx by the midpoint rule.
    ///
    /// # Errors
    /// Fails with [`Error::Dimension`] if the length is not the number of cells.
    pub fn integrate(&self, rho: &[f64]) -> Result<f64> {
        check::length("a density on the grid", rho.len(), self.cells())?;
        // The sum is exact if the values are cell averages, as in histograms and finite-volume methods.
        Ok(self.volume() * rho.iter().sum::<f64>())
    }

    /// Views a vector of cell values as an array with one index per axis.
    ///
    /// # Errors
    /// Fails with [`Error::Dimension`] if the length is not the number of cells.
    pub fn field<'a>(&self, values: &'a [f64]) -> Result<ArrayViewD<'a, f64>> {
        check::length("a field on the grid", values.len(), self.cells())?;
        let shape: Vec<usize> = self.axes.iter().map(|a| a.cells).collect();
        let wrong = || Error::Dimension {
            what: "a field on the grid",
            expected: self.cells(),
            found: values.len(),
        };
        ArrayViewD::from_shape(IxDyn(&shape), values).map_err(|_| wrong())
    }

    /// Checks that every axis has at least two cells, so that mass can move along it.
    pub(crate) fn check_faces(&self, what: &'static str) -> Result<()> {
        for (axis, a) in self.axes.iter().enumerate() {
            if a.cells < 2 {
                return Err(Error::GridTooCoarse {
                    what,
                    axis,
                    cells: a.cells,
                    needed: 2,
                });
            }
        }
        Ok(())
    }
}
