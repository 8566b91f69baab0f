//! L²: M = vol · I.

use faer::{Mat, MatRef};

use super::{LocalForm, Metric, Root, check_batch, check_covector, inverse_diagonal, map_columns};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::Backend;

/// L² metric, M = vol · I.
#[derive(Clone, Debug)]
pub struct L2 {
    /// Volume of a cell of the grid, or 1 for states that are not densities on a grid.
    pub volume: f64,
}

impl L2 {
    /// Returns the L² metric on a grid.
    pub fn new(grid: &Grid) -> Self {
        Self {
            volume: grid.volume(),
        }
    }
}

/// The default is the Euclidean metric.
impl Default for L2 {
    fn default() -> Self {
        Self { volume: 1.0 }
    }
}

impl Metric for L2 {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        check::positive("the volume of the L² metric", &[self.volume])?;
        Ok(uniform(rho.len(), self.volume))
    }

    fn name(&self) -> &'static str {
        "L2"
    }
}

/// Returns the root of the metric M = `factor` · I.
pub(super) fn uniform<'a>(dim: usize, factor: f64) -> Box<dyn Root + 'a> {
    let weight = factor.sqrt();
    Box::new(Uniform { dim, weight })
}

/// Root L = √vol · I.
struct Uniform {
    dim: usize,
    weight: f64,
}

impl Root for Uniform {
    fn dim(&self) -> usize {
        self.dim
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim)?;
        Ok(map_columns(z, z.nrows(), |z, y| {
            y.iter_mut().zip(z).for_each(|(y, z)| *y = self.weight * z);
        }))
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.lift(y)
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim)?;
        Ok(c.iter().map(|c| c / self.weight).collect())
    }

    fn local_form(&self) -> Option<LocalForm> {
        inverse_diagonal(vec![(self.weight * self.weight).recip(); self.dim])
    }
}
