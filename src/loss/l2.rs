//! Least-squares misfit ½‖ρ − q‖² in L².

use faer::{Mat, MatRef};

use super::{DATA, Loss, PAIRED};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::metric::{L2, Metric};

/// Misfit ½ vol Σ(ρ − q)² between ρ and a target q. The metric of the misfit is L².
#[derive(Clone, Debug)]
pub struct L2Misfit {
    volume: f64,
    target: Vec<f64>,
}

impl L2Misfit {
    /// Returns the misfit to `target` on a grid.
    ///
    /// # Errors
    /// Fails if the target has the wrong length, or entries that are not finite.
    pub fn new(grid: &Grid, target: Vec<f64>) -> Result<Self> {
        check::length("the target data of a loss", target.len(), grid.cells())?;
        check::finite(DATA, &target)?;
        Ok(Self {
            volume: grid.volume(),
            target,
        })
    }
}

impl L2Misfit {
    /// Returns the misfit ½ Σ(ρ − q)² for states that are not densities on a grid.
    ///
    /// # Errors
    /// Fails if the target has entries that are not finite.
    pub fn euclidean(target: Vec<f64>) -> Result<Self> {
        check::finite(DATA, &target)?;
        Ok(Self {
            volume: 1.0,
            target,
        })
    }
}

impl Loss for L2Misfit {
    fn value(&self, rho: &[f64]) -> f64 {
        if rho.len() != self.target.len() {
            return f64::NAN;
        }
        let squares = rho.iter().zip(&self.target).map(|(r, q)| (r - q) * (r - q));
        0.5 * self.volume * squares.sum::<f64>()
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        for (out, (r, q)) in out.iter_mut().zip(rho.iter().zip(&self.target)) {
            *out = self.volume * (r - q);
        }
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        // f is quadratic, with ∇²f = vol I at every ρ. Gauss-Newton then neglects only the curvature of
        // θ ↦ ρ(θ).
        Some(Box::new(L2 {
            volume: self.volume,
        }))
    }

    fn hessian(&self, _: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        check::length("the rows of a batch", v.nrows(), self.target.len())?;
        Ok(Some(self.volume * v))
    }

    fn data(&self) -> Option<usize> {
        Some(self.target.len())
    }

    /// Returns √vol (ρ − q), of which the loss is half the sum of squares.
    fn residuals(&self, rho: &[f64]) -> Result<Option<Vec<f64>>> {
        check::length(PAIRED, self.target.len(), rho.len())?;
        let root = self.volume.sqrt();
        let pairs = rho.iter().zip(&self.target);
        Ok(Some(pairs.map(|(r, q)| root * (r - q)).collect()))
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        check::length(PAIRED, self.target.len(), rho.len())?;
        check::finite("the state given to a loss", rho)
    }
}
