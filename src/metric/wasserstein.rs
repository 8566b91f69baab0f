//! Wasserstein-2: M = vol (B Bᵀ)⁺ on tangents that conserve mass.

use std::sync::Arc;

use faer::{Mat, MatRef};

use super::transport::{FaceMean, Transport};
use super::{LocalForm, Metric, Root, check_batch, check_covector, check_lifted, map_columns};
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::{Backend, Batch, Factor, Operator, Side, Stencil};
use crate::vector::centre;

/// Wasserstein-2 metric, the minimum of ∫ρ|v|² dx over velocities v with −∇·(ρv) = ζ (Benamou and Brenier
/// 2000).
///
/// The discretisation uses staggered faces, B = −∇·(√ρ ·), without flux through the boundary: L = √vol B⁺Π.
/// Tangents are projected along ρ, Π ζ = ζ − ρ Σζ/Σρ. A uniform correction would put mass where the density
/// nearly vanishes, at a cost of order 1/ρ that no residual reveals.
#[derive(Clone, Debug)]
pub struct Wasserstein2 {
    /// Grid of the density, with at least two cells along every axis.
    pub grid: Grid,
    /// Fraction of the largest density to which smaller densities are raised. With a floor below 10⁻⁶, a
    /// density of several parts separated by gaps may need a factorisation.
    pub floor: f64,
    /// Mean that defines densities on faces.
    pub face_mean: FaceMean,
}

impl Wasserstein2 {
    /// Returns W₂ with arithmetic face means and a floor of 10⁻¹⁵ times the largest density.
    pub fn new(grid: &Grid) -> Self {
        Self {
            grid: grid.clone(),
            floor: 1e-15,
            face_mean: FaceMean::default(),
        }
    }
}

impl Metric for Wasserstein2 {
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        let transport = Transport::new(&self.grid, rho, self.floor, self.face_mean)?;
        let laplacian = transport.laplacian(1.0, pinned_diagonal(&self.grid, &transport.r));
        let operator = Operator::stencil(Arc::clone(&laplacian)).definite_by_construction();
        let factor = backend.factor(operator)?;
        Ok(Box::new(Wasserstein2Root {
            total: transport.r.iter().sum(),
            transport,
            laplacian,
            factor,
            volume: self.grid.volume(),
        }))
    }

    fn name(&self) -> &'static str {
        "W2"
    }
}

/// Returns a diagonal with one entry, which fixes the free constant of the Neumann problem.
///
/// For right-hand sides of mass zero the entry makes φ = 0 in its cell and has no other effect. The densest cell gives
/// the least rounding.
fn pinned_diagonal(grid: &Grid, r: &[f64]) -> Vec<f64> {
    let mut diagonal = vec![0.0; r.len()];
    // Summing all rows of (B Bᵀ + d eᵢeᵢᵀ)φ = ζ with 1ᵀB = 0 and 1ᵀζ = 0 gives d φᵢ = 0. If rounding leaves a
    // mass δ in ζ, the sum gives d φᵢ = δ, and B Bᵀφ = ζ − δeᵢ: the error is taken out of the pinned cell,
    // where it is the smallest fraction of the density. The entry d has the size of a diagonal entry of B Bᵀ,
    // Σ ρ/h², which keeps the matrix well scaled.
    let densest = (0..r.len()).fold(0, |best, i| if r[i] > r[best] { i } else { best });
    let stiffness: f64 = grid.axes().iter().map(|a| a.spacing().powi(-2)).sum();
    diagonal[densest] = r[densest] * stiffness;
    diagonal
}

/// Square root L of the Wasserstein-2 metric at one ρ.
struct Wasserstein2Root<'a> {
    transport: Transport<'a>,
    /// Matrix B Bᵀ, pinned in one cell.
    laplacian: Arc<Stencil>,
    factor: Box<dyn Factor + 'a>,
    total: f64,
    volume: f64,
}

impl Wasserstein2Root<'_> {
    /// Solves (B Bᵀ) Φ = Π Z for the potentials Φ.
    fn potentials(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim())?;
        let mut phi = map_columns(z, z.nrows(), |z, out| {
            // Π removes the change of mass in proportion to ρ, so that B Bᵀφ = Πζ is solvable (its kernel is the
            // constants).
            let excess = z.iter().sum::<f64>() / self.total;
            for ((out, z), r) in out.iter_mut().zip(z).zip(&self.transport.r) {
                *out = z - excess * r;
            }
        });
        self.factor.solve(Side::Plain, None, phi.as_mut())?;
        Ok(phi)
    }

    /// Returns √vol Πᵀ (B Bᵀ)⁺ B Y. The divergence is computed on the CPU, because cells are fewer than faces.
    fn lowered(&self, y: MatRef<'_, f64>) -> Result<Batch> {
        check_lifted(y, self.lifted_dim())?;
        let b = Batch::Host(self.transport.divergence(1.0, y));
        let (phi, _) = self.factor.solve_batch(Side::Plain, None, b)?;
        self.scaled_projection(phi, self.volume.sqrt())
    }

    /// Returns s Πᵀ C.
    fn scaled_projection(&self, mut c: Batch, s: f64) -> Result<Batch> {
        // Πᵀc = c − (ρ·c/Σρ) 1.
        c.scale(s)?;
        c.centre(&self.transport.r)?;
        Ok(c)
    }
}

impl Root for Wasserstein2Root<'_> {
    fn dim(&self) -> usize {
        self.transport.r.len()
    }

    fn lifted_dim(&self) -> usize {
        self.transport.faces()
    }

    /// Returns Y = √vol BᵀΦ.
    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        // The length of ζ is the minimum of ∫ρ|v|² dx over v with −∇·(ρv) = ζ.
        // With ζ = B y, y = √ρ v, the smallest y is B⁺ζ = Bᵀ(B Bᵀ)⁺ζ = BᵀΦ.
        let phi = self.potentials(z)?;
        Ok(self.transport.gradient(self.volume.sqrt(), phi.as_ref()))
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.lowered(y)?.fetch()
    }

    fn lower_batch(&self, y: Mat<f64>) -> Result<Batch> {
        self.lowered(y.as_ref())
    }

    /// Returns vol Πᵀ (B Bᵀ)⁺ Π Z by one solve, whereas `lower` after `lift` takes two.
    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        // LᵀL = vol Πᵀ(B Bᵀ)⁺ B Bᵀ (B Bᵀ)⁺Π = vol Πᵀ(B Bᵀ)⁺Π. The outer Πᵀ removes the constant in Φ that
        // depends on the pinned cell: Πᵀ1 = 0.
        self.scaled_projection(self.potentials(z)?.into(), self.volume)?
            .fetch()
    }

    /// Returns y = Bᵀc/√vol, for which Lᵀy = Πᵀ(B Bᵀ)⁺B Bᵀc = Πᵀc without a solve.
    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        let c = MatRef::from_column_major_slice(c, c.len(), 1);
        let y = self.transport.gradient(self.volume.sqrt().recip(), c);
        Ok(y.col_as_slice(0).to_vec())
    }

    /// Returns M⁻¹ = B Bᵀ/vol, pinned in one cell as for the potentials.
    fn local_form(&self) -> Option<LocalForm> {
        let inverse = Operator::stencil(Arc::clone(&self.laplacian)).to_sparse()?;
        Some(LocalForm::Inverse(inverse).scaled(self.volume))
    }

    fn project(&self, c: &mut [f64]) {
        centre(c, &self.transport.r, self.total);
    }
}
