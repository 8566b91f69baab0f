//! Boxes of equal cells in one, two or three dimensions, and what finite volumes need of them.

mod assembly;
mod cosine;
mod dct;
mod faces;
mod interpolation;
mod marginal;

pub(crate) use self::cosine::CosineTransform;
pub use self::faces::Face;

use ndarray::{ArrayViewD, IxDyn};

use crate::check;
use crate::error::{Error, Result};

/// A box cut into equal cells; cells are numbered with the last axis fastest.
///
/// A density on it is a vector of values at cell centres (per volume), so that masses are
/// [`volume`](Grid::volume) times density.
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

/// One side of the box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// Number of cells.
    pub cells: usize,
}

impl Axis {
    /// The width of a cell.
    pub fn spacing(&self) -> f64 {
        (self.upper - self.lower) / self.cells as f64
    }

    /// The cell centres, in order.
    pub fn centres(&self) -> Vec<f64> {
        (0..self.cells).map(|i| self.centre(i)).collect()
    }

    fn centre(&self, i: usize) -> f64 {
        self.lower + (i as f64 + 0.5) * self.spacing()
    }
}

impl Grid {
    /// A grid from `(lower, upper, cells)` for each axis.
    ///
    /// # Errors
    /// No axis or more than three, an axis without cells, bounds that are not finite and increasing, or so near each
    /// other that numbers cannot tell the centres of cells apart.
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

    /// Fails where the width or volume of a cell or the number of cells leaves what numbers can hold.
    fn check_size(&self) -> Result<()> {
        for axis in &self.axes {
            // Centres are rounded as sums of a bound and a distance from it.
            let rounding = f64::EPSILON * axis.lower.abs().max(axis.upper.abs());
            check::option(
                "the width of a cell of the grid",
                axis.spacing(),
                axis.spacing() >= 4.0 * rounding,
                "use fewer cells, a wider box, or coordinates from nearer to the box: centres of cells coincide",
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

    /// The axes, slowest first.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Number of dimensions.
    pub fn dim(&self) -> usize {
        self.axes.len()
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.axes.iter().map(|a| a.cells).product()
    }

    /// Volume of one cell.
    pub fn volume(&self) -> f64 {
        self.axes.iter().map(Axis::spacing).product()
    }

    /// How far apart the neighbours along this axis are numbered.
    pub(crate) fn stride(&self, axis: usize) -> usize {
        self.axes[axis + 1..].iter().map(|a| a.cells).product()
    }

    /// The centre of a cell; the first [`dim`](Grid::dim) entries count.
    pub fn centre(&self, cell: usize) -> [f64; 3] {
        let mut x = [0.0; 3];
        for (d, axis) in self.axes.iter().enumerate() {
            x[d] = axis.centre(cell / self.stride(d) % axis.cells);
        }
        x
    }

    /// The values of a function at all cell centres.
    pub fn sample(&self, f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        (0..self.cells())
            .map(|cell| f(&self.centre(cell)[..self.dim()]))
            .collect()
    }

    /// ∫ρ dx by the midpoint rule.
    ///
    /// # Errors
    /// [`Error::Dimension`] when the length is not the number of cells.
    pub fn integrate(&self, rho: &[f64]) -> Result<f64> {
        check::length("a density on the grid", rho.len(), self.cells())?;
        Ok(self.volume() * rho.iter().sum::<f64>())
    }

    /// A vector of cell values as an array with one index an axis.
    ///
    /// # Errors
    /// [`Error::Dimension`] when the length is not the number of cells.
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

    /// Fails unless every axis has at least two cells, as whatever moves mass between cells needs.
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
