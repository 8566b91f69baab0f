//! Wasserstein-2: M = vol (B Bᵀ)⁺ on tangents that keep the mass.

use std::sync::Arc;

use faer::{Mat, MatRef};

use super::transport::{FaceMean, Transport};
use super::{LocalForm, Metric, Root, check_batch, check_covector, check_lifted, map_columns};
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::{Backend, Batch, Factor, Operator, Side, Stencil};
use crate::vector::centre;

/// The Wasserstein-2 metric, ∫ρ|v|² dx with the least v that moves the mass: −∇·(ρv) = ζ.
///
/// Discretised on staggered faces, B = −∇·(√ρ ·), with no flux through the boundary: L = √vol B⁺Π. Tangents
/// are projected along ρ, Π ζ = ζ − ρ Σζ/Σρ; a uniform correction would put mass where there is next to none,
/// at a cost like 1/ρ that no residual shows.
#[derive(Clone, Debug)]
pub struct Wasserstein2 {
    /// Where the density lives; at least two cells along every axis.
    pub grid: Grid,
    /// Densities below this fraction of the largest are raised to it. With one below 10⁻⁶ a density in parts, with gaps
    /// between them, may need a factorisation.
    pub floor: f64,
    /// How densities on faces follow from cells.
    pub face_mean: FaceMean,
}

impl Wasserstein2 {
    /// W₂ with arithmetic face means and a floor of 10⁻¹⁵ times the largest density.
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
        let laplacian = transport.laplacian(1.0, pin(&self.grid, &transport.r));
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

/// A diagonal with one entry that fixes the free constant of the Neumann problem. For right-hand sides of
/// mass zero it makes φ = 0 there and changes nothing else; the densest cell keeps rounding smallest.
fn pin(grid: &Grid, r: &[f64]) -> Vec<f64> {
    let mut diagonal = vec![0.0; r.len()];
    let densest = (0..r.len()).fold(0, |best, i| if r[i] > r[best] { i } else { best });
    let stiffness: f64 = grid.axes().iter().map(|a| a.spacing().powi(-2)).sum();
    diagonal[densest] = r[densest] * stiffness;
    diagonal
}

struct Wasserstein2Root<'a> {
    transport: Transport<'a>,
    /// B Bᵀ, pinned.
    laplacian: Arc<Stencil>,
    factor: Box<dyn Factor + 'a>,
    total: f64,
    volume: f64,
}

impl Wasserstein2Root<'_> {
    /// Φ with (B Bᵀ) Φ = Π Z.
    fn potentials(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim())?;
        let mut phi = map_columns(z, z.nrows(), |z, out| {
            let excess = z.iter().sum::<f64>() / self.total;
            for ((out, z), r) in out.iter_mut().zip(z).zip(&self.transport.r) {
                *out = z - excess * r;
            }
        });
        self.factor.solve(Side::Plain, None, phi.as_mut())?;
        Ok(phi)
    }

    /// √vol Πᵀ (B Bᵀ)⁺ B Y. The divergence is taken on the processor, for cells are fewer than faces.
    fn lowered(&self, y: MatRef<'_, f64>) -> Result<Batch> {
        check_lifted(y, self.lifted_dim())?;
        let b = Batch::Here(self.transport.divergence(1.0, y));
        let (phi, _) = self.factor.solve_batch(Side::Plain, None, b)?;
        self.centred(phi, self.volume.sqrt())
    }

    /// s Πᵀ C.
    fn centred(&self, mut c: Batch, s: f64) -> Result<Batch> {
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

    /// Y = √vol BᵀΦ.
    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let phi = self.potentials(z)?;
        Ok(self.transport.gradient(self.volume.sqrt(), phi.as_ref()))
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.lowered(y)?.fetch()
    }

    fn lower_batch(&self, y: Mat<f64>) -> Result<Batch> {
        self.lowered(y.as_ref())
    }

    /// vol Πᵀ (B Bᵀ)⁺ Π Z: one solve where lower ∘ lift has two.
    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.centred(self.potentials(z)?.into(), self.volume)?
            .fetch()
    }

    /// Bᵀu/√vol.
    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        let c = MatRef::from_column_major_slice(c, c.len(), 1);
        let y = self.transport.gradient(self.volume.sqrt().recip(), c);
        Ok(y.col_as_slice(0).to_vec())
    }

    /// M⁻¹ = B Bᵀ/vol, pinned in one cell as for the potentials.
    fn local_form(&self) -> Option<LocalForm> {
        let inverse = Operator::stencil(Arc::clone(&self.laplacian)).to_sparse()?;
        Some(LocalForm::Inverse(inverse).scaled(self.volume))
    }

    fn project(&self, c: &mut [f64]) {
        centre(c, &self.transport.r, self.total);
    }
}
