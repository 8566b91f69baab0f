//! Trajectories of a [`Flow`](crate::models::flow::Flow): simulation, files, histograms, and a first estimate of θ.

mod csv;
mod delay;
mod file;
mod histogram;
mod monomials;
mod npy;
mod orbit;
mod sampling;
mod weak;

pub use self::delay::Delay;
pub use self::histogram::{Histogram, OUTSIDE, Occupation, perplexity};
pub use self::sampling::Sampling;
pub use self::weak::weak_start;

use crate::check;
use crate::error::Result;
use crate::grid::Grid;

/// Points along a trajectory, in the order of time.
///
/// [`read_csv`](Trajectory::read_csv) and [`read_npy`](Trajectory::read_npy) read a trajectory from a file.
/// [`Sampling::run`] simulates a trajectory.
///
/// ```
/// use pullback::{models::flow::{Flow, Lorenz}, models::trajectory::{Sampling, perplexity}, Grid};
///
/// let grid = Grid::new(&Lorenz::BOX.map(|(lower, upper)| (lower, upper, 16)))?;
/// let sampling = Sampling { duration: 100.0, ..Sampling::default() };
/// let trajectory = sampling.run(&Lorenz, &Lorenz::CLASSIC, |_| ())?;
/// let occupation = trajectory.histogram(&grid, Lorenz.symmetry())?;
/// assert!((grid.integrate(&occupation.density)? - 1.0).abs() < 1e-12);
/// assert!(perplexity(&occupation.density, grid.volume()) > 100.0, "chaotic");
///
/// let theta = trajectory.weak_start(&Lorenz)?;
/// assert!((theta[1] - 28.0).abs() < 0.01);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trajectory {
    /// Points of the trajectory. In the plane the third entry of a point is 0.
    pub points: Vec<[f64; 3]>,
    /// Dimension of the space of the points: 2 or 3.
    pub dim: usize,
    /// Time between consecutive points, or None if it is unknown or varies.
    pub interval: Option<f64>,
}

impl Trajectory {
    /// Returns the fraction of time spent in each cell as a density, symmetrised by the signs `symmetry` if given.
    ///
    /// # Errors
    /// Fails if the grid has another dimension, if there are no points, if a point is not finite, or if a fraction of
    /// more than [`OUTSIDE`] of the points lies outside the grid.
    pub fn histogram(&self, grid: &Grid, symmetry: Option<[f64; 3]>) -> Result<Occupation> {
        check_grid(grid, self.dim)?;
        let mut histogram = Histogram::new(grid, symmetry);
        self.points.iter().for_each(|x| histogram.add(x));
        histogram.finish()
    }
}

/// Checks that the dimension is 2 or 3.
fn check_dim(dim: usize) -> Result<()> {
    check::option(
        "the dimension of the space",
        dim as f64,
        dim == 2 || dim == 3,
        "flows and trajectories need two or three dimensions",
    )
}

/// Checks that the grid has dimension `dim`.
fn check_grid(grid: &Grid, dim: usize) -> Result<()> {
    check_dim(dim)?;
    check::length("the list of axes of the grid", grid.dim(), dim)
}
