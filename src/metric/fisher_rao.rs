//! Fisher-Rao: M = diag(vol/ρ), on tangents that conserve mass or on all tangents.

use faer::{Mat, MatRef};

use super::{
    LocalForm, Metric, Root, check_batch, check_covector, check_lifted, floored, inverse_diagonal,
    map_columns,
};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::Backend;
use crate::vector::{centre, largest};

/// Fisher-Rao metric, ∫ζ²/ρ dx.
#[derive(Clone, Debug)]
pub struct FisherRao {
    /// Volume of a cell of the grid.
    pub volume: f64,
    /// Fraction of the largest density to which smaller densities are raised.
    pub floor: f64,
    /// Whether tangents are first projected to conserve mass, ζ − ρ Σζ/Σρ.
    pub mass_fixed: bool,
}

impl FisherRao {
    /// Returns the Fisher-Rao metric on a grid, for densities of fixed mass.
    pub fn new(grid: &Grid) -> Self {
        Self {
            volume: grid.volume(),
            floor: 1e-15,
            mass_fixed: true,
        }
    }

    /// Returns the metric on densities of variable mass.
    #[must_use]
    pub fn with_free_mass(mut self) -> Self {
        self.mass_fixed = false;
        self
    }
}

impl Metric for FisherRao {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        check::positive("the volume of the Fisher-Rao metric", &[self.volume])?;
        // Below, ρ always denotes the raised density r. Π and the weights must belong to one density: only
        // then is Π the orthogonal projection of M = diag(vol/r).
        let r = floored(rho, self.floor)?;
        // √vol/√ρ rather than √(vol/ρ): the quotient may overflow.
        let root = |r: &f64| self.volume.sqrt() / r.sqrt();
        let weights = r.iter().map(root).collect();
        let scaled_density = scaled_density(r);
        Ok(Box::new(FisherRaoRoot {
            weights,
            total: scaled_density.iter().sum(),
            scaled_density,
            mass_fixed: self.mass_fixed,
        }))
    }

    fn name(&self) -> &'static str {
        "Fisher-Rao"
    }
}

/// Returns the density times a power of two that brings its maximum near 1.
///
/// Products with the scaled density neither over- nor underflow, and a power of two is exact.
fn scaled_density(mut r: Vec<f64>) -> Vec<f64> {
    let exponent = largest(&r).log2().floor().clamp(-1022.0, 1022.0);
    let factor = (-exponent).exp2();
    r.iter_mut().for_each(|r| *r *= factor);
    r
}

/// Root L ζ = √(vol/ρ) · Π ζ, with Π ζ = ζ − ρ Σζ/Σρ.
struct FisherRaoRoot {
    weights: Vec<f64>,
    /// Density up to a constant factor, which cancels in Π.
    scaled_density: Vec<f64>,
    total: f64,
    mass_fixed: bool,
}

impl Root for FisherRaoRoot {
    fn dim(&self) -> usize {
        self.scaled_density.len()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim())?;
        Ok(map_columns(z, z.nrows(), |z, y| {
            // Π ζ = ζ − ρ Σζ/Σρ has Σ Πζ = 0. ρ is the normal of the tangents of mass zero: ⟨ρ, ζ⟩_M = Σ vol
            // ρᵢζᵢ/ρᵢ = vol Σζ. So Π is the M-orthogonal projection, MΠ = ΠᵀM, and ‖ζ‖² = ‖Πζ‖² + vol
            // (Σζ)²/Σρ. Subtracting the mean removes the same mass, but some of it from cells of vanishing
            // density, at a cost of order 1/ρ.
            let excess = if self.mass_fixed {
                z.iter().sum::<f64>() / self.total
            } else {
                0.0
            };
            for ((y, z), (w, r)) in y
                .iter_mut()
                .zip(z)
                .zip(self.weights.iter().zip(&self.scaled_density))
            {
                *y = w * (z - excess * r);
            }
        }))
    }

    // Lᵀ = ΠᵀW with W = diag √(vol/ρ).
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
        // y = W⁻¹Πᵀc gives Lᵀy = ΠᵀΠᵀc = Πᵀc.
        let mut c = c.to_vec();
        self.project(&mut c);
        Ok(c.iter().zip(&self.weights).map(|(c, w)| c / w).collect())
    }

    fn local_form(&self) -> Option<LocalForm> {
        // M⁻¹ = diag(ρ/vol) has bounded entries. Those of M = diag(vol/ρ) span fifteen decades at the default
        // floor.
        inverse_diagonal(self.weights.iter().map(|w| w.recip().powi(2)).collect())
    }

    fn project(&self, c: &mut [f64]) {
        if self.mass_fixed {
            centre(c, &self.scaled_density, self.total);
        }
    }
}
