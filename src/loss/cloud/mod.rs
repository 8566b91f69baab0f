//! Losses that compare two samples: the particles of the state, and points that are not paired with them.

mod discrepancy;
mod distances;
mod energy_metric;
mod kernel;
mod line;
mod matched;
mod pairs;
mod ridge;
mod sliced;
mod sliced_metric;
mod snapshots;

pub use self::discrepancy::KernelDiscrepancy;
pub use self::kernel::Kernel;
pub use self::matched::Matched;
pub use self::sliced::SlicedTransport;
pub use self::snapshots::Snapshots;

use super::Misfit;
use crate::check;
use crate::error::Result;
use crate::linalg::Backend;
use crate::metric::count;

/// Points of a sample in ℝᵈ, one after the other.
struct Sample {
    space: usize,
    points: Vec<f64>,
}

impl Sample {
    /// # Errors
    /// Fails if d = 0, or if the points are none, not a whole number of points, or not finite.
    fn new(space: usize, points: Vec<f64>) -> Result<Self> {
        check::option(
            "the dimension of the space of a sample",
            space as f64,
            space > 0,
            "give at least 1",
        )?;
        let number = points.len() / space;
        check::option(
            "the number of points of a sample",
            number as f64,
            number > 0,
            "give at least one point, d numbers each",
        )?;
        let what = "the coordinates of a sample, d for each point";
        check::length(what, points.len(), number * space)?;
        check::finite("a coordinate of a sample", &points)?;
        Ok(Self { space, points })
    }

    fn len(&self) -> usize {
        self.points.len() / self.space
    }

    fn points(&self) -> std::slice::ChunksExact<'_, f64> {
        self.points.chunks_exact(self.space)
    }
}

/// Checks that a state holds the positions of particles in ℝᵈ.
fn check_state(space: usize, rho: &[f64]) -> Result<()> {
    count(space, rho).map(drop)
}

/// Value and covector of a loss on clouds at one state.
struct Compared {
    value: f64,
    covector: Vec<f64>,
    /// Rounding of the means, which nearly cancel close to a match, and what a descent cannot resolve.
    rounding: f64,
}

impl Misfit for Compared {
    fn value(&self) -> f64 {
        self.value
    }

    fn covector(&self, _: &dyn Backend) -> Result<Vec<f64>> {
        Ok(self.covector.clone())
    }

    fn rounding(&self) -> f64 {
        self.rounding
    }
}
