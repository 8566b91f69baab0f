//! Misfit ½‖ρ − q‖² in a Sobolev norm. H⁻¹ penalises misplaced mass by distance rather than by lack of overlap.

use faer::{Mat, MatRef};

use super::{DATA, Loss, PAIRED};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::metric::{Metric, Sobolev};
use crate::vector::dot;

/// Misfit ½ ⟨ρ − q, (I − Δ)^s (ρ − q)⟩ between ρ and a target q. The metric of the misfit is H^s.
pub struct SobolevMisfit {
    norm: Sobolev,
    target: Vec<f64>,
}

impl SobolevMisfit {
    /// Returns the misfit of order s = `order`, −1 for H⁻¹.
    ///
    /// # Errors
    /// Fails if the target has the wrong length or entries that are not finite, or if the order is not finite.
    pub fn new(grid: &Grid, order: f64, target: Vec<f64>) -> Result<Self> {
        check::length("the target data of a loss", target.len(), grid.cells())?;
        check::finite(DATA, &target)?;
        Ok(Self {
            norm: Sobolev::new(grid, order)?,
            target,
        })
    }

    /// Returns ρ − q and M (ρ − q), or None for a state of the wrong length.
    fn difference(&self, rho: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
        if rho.len() != self.target.len() {
            return None;
        }
        let d: Vec<f64> = rho.iter().zip(&self.target).map(|(r, q)| r - q).collect();
        // ½ dᵀM d has the gradient M d, so one product serves value and gradient.
        let product = self
            .norm
            .product(MatRef::from_column_major_slice(&d, d.len(), 1));
        let m = product.col_as_slice(0).to_vec();
        Some((d, m))
    }
}

impl Loss for SobolevMisfit {
    fn value(&self, rho: &[f64]) -> f64 {
        self.difference(rho)
            .map_or(f64::NAN, |(d, m)| 0.5 * dot(&d, &m))
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        match self.difference(rho) {
            Some((_, m)) if m.len() == out.len() => out.copy_from_slice(&m),
            _ => out.fill(f64::NAN),
        }
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        // f is quadratic, with ∇²f = M at every ρ.
        Some(Box::new(&self.norm))
    }

    fn hessian(&self, _: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        check::length("the rows of a batch", v.nrows(), self.target.len())?;
        Ok(Some(self.norm.product(v)))
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        check::length(PAIRED, self.target.len(), rho.len())?;
        check::finite("the state given to a loss", rho)
    }
}
