//! Fisher-Rao: M = diag(vol/ρ), on tangents that keep the mass or on all.

use faer::{Mat, MatRef};

use super::{
    LocalForm, Metric, Root, check_batch, check_covector, check_lifted, floored, inverse_diagonal,
    map_columns,
};
use crate::backend::Backend;
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::vector::centre;

/// The Fisher-Rao metric, ∫ζ²/ρ dx.
#[derive(Clone, Debug)]
pub struct FisherRao {
    /// The volume of a cell.
    pub volume: f64,
    /// Densities below this fraction of the largest are raised to it.
    pub floor: f64,
    /// Whether tangents are first projected to keep the mass, ζ − ρ Σζ/Σρ.
    pub mass_fixed: bool,
}

impl FisherRao {
    /// Fisher-Rao on a grid, for densities of fixed mass.
    pub fn new(grid: &Grid) -> Self {
        Self {
            volume: grid.volume(),
            floor: 1e-15,
            mass_fixed: true,
        }
    }

    /// The metric on densities whose mass may change.
    #[must_use]
    pub fn with_free_mass(mut self) -> Self {
        self.mass_fixed = false;
        self
    }
}

impl Metric for FisherRao {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        check::positive("the volume of the Fisher-Rao metric", &[self.volume])?;
        let r = floored(rho, self.floor)?;
        Ok(Box::new(FisherRaoRoot {
            weights: r.iter().map(|r| (self.volume / r).sqrt()).collect(),
            total: r.iter().sum(),
            r,
            mass_fixed: self.mass_fixed,
        }))
    }

    fn name(&self) -> &'static str {
        "Fisher-Rao"
    }
}

/// L ζ = √(vol/ρ) · (ζ − ρ Σζ/Σρ).
struct FisherRaoRoot {
    weights: Vec<f64>,
    r: Vec<f64>,
    total: f64,
    mass_fixed: bool,
}

impl Root for FisherRaoRoot {
    fn dim(&self) -> usize {
        self.r.len()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim())?;
        Ok(map_columns(z, z.nrows(), |z, y| {
            let excess = if self.mass_fixed {
                z.iter().sum::<f64>() / self.total
            } else {
                0.0
            };
            for ((y, z), (w, r)) in y.iter_mut().zip(z).zip(self.weights.iter().zip(&self.r)) {
                *y = w * (z - excess * r);
            }
        }))
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_lifted(y, self.dim())?;
        Ok(map_columns(y, y.nrows(), |y, c| {
            for ((c, y), w) in c.iter_mut().zip(y).zip(&self.weights) {
                *c = w * y;
            }
            self.project(c);
        }))
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        let mut c = c.to_vec();
        self.project(&mut c);
        Ok(c.iter().zip(&self.weights).map(|(c, w)| c / w).collect())
    }

    fn local_form(&self) -> Option<LocalForm> {
        inverse_diagonal(self.weights.iter().map(|w| (w * w).recip()).collect())
    }

    fn project(&self, c: &mut [f64]) {
        if self.mass_fixed {
            centre(c, &self.r, self.total);
        }
    }
}
