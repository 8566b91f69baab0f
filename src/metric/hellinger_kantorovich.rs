//! Hellinger-Kantorovich: transport and growth, M⁻¹ = (α B Bᵀ + β diag ρ)/vol.

use std::sync::Arc;

use faer::{Mat, MatRef};

use super::transport::{FaceMean, Transport};
use super::{LocalForm, Metric, Root, check_batch, check_covector, check_lifted, map_columns};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::{Backend, Batch, Factor, Operator, Side, Stencil};

/// Hellinger-Kantorovich (Wasserstein-Fisher-Rao) metric: mass moves at a cost 1/α and changes at a cost 1/β.
///
/// M⁻¹ = SSᵀ with S = (√α B, √β diag √ρ)/√vol, and L = SᵀM. M⁻¹ is non-singular, so that masses may differ.
#[derive(Clone, Debug)]
pub struct HellingerKantorovich {
    /// Grid of the density, with at least two cells along every axis.
    pub grid: Grid,
    /// Weight α of transport.
    pub alpha: f64,
    /// Weight β of growth.
    pub beta: f64,
    /// Fraction of the largest density to which smaller densities are raised.
    pub floor: f64,
    /// Mean that defines densities on faces.
    pub face_mean: FaceMean,
}

impl HellingerKantorovich {
    /// Returns the metric with α = β = 1.
    pub fn new(grid: &Grid) -> Self {
        Self {
            grid: grid.clone(),
            alpha: 1.0,
            beta: 1.0,
            floor: 1e-15,
            face_mean: FaceMean::default(),
        }
    }
}

impl Metric for HellingerKantorovich {
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        check::positive("α of the Hellinger-Kantorovich metric", &[self.alpha])?;
        check::positive("β of the Hellinger-Kantorovich metric", &[self.beta])?;
        let transport = Transport::new(&self.grid, rho, self.floor, self.face_mean)?;
        // M⁻¹ vol = α B Bᵀ + β diag ρ is a stencil with the excess β ρ > 0 on its diagonal.
        // The squared length of ζ is the minimum of ∫ρ(|v|²/α + s²/β) dx over velocities v and growth rates s
        // with ζ = −∇·(ρv) + ρs (Liero, Mielke and Savaré 2018). Let y = √vol (√(ρ/α) v, √(ρ/β) s). The cost
        // is then ‖y‖² and the constraint S y = ζ, since √α √ρ √(ρ/α) v = ρv and √β √ρ √(ρ/β) s = ρs. The
        // minimum is at y = Sᵀ(SSᵀ)⁻¹ζ = SᵀMζ, whence L = SᵀM.
        let growth: Vec<f64> = transport.r.iter().map(|r| self.beta * r).collect();
        let inverse = transport.laplacian(self.alpha, growth.clone());
        let operator = Operator::stencil(Arc::clone(&inverse)).definite_by_construction();
        let factor = backend.factor(operator)?;
        let volume = self.grid.volume();
        Ok(Box::new(HellingerKantorovichRoot {
            face_factor: (self.alpha / volume).sqrt(),
            cell_factors: growth.iter().map(|g| (g / volume).sqrt()).collect(),
            transport,
            inverse,
            factor,
            volume,
        }))
    }

    fn name(&self) -> &'static str {
        "Hellinger-Kantorovich"
    }
}

struct HellingerKantorovichRoot<'a> {
    transport: Transport<'a>,
    /// Matrix α B Bᵀ + β diag ρ = vol M⁻¹.
    inverse: Arc<Stencil>,
    factor: Box<dyn Factor + 'a>,
    face_factor: f64,
    cell_factors: Vec<f64>,
    volume: f64,
}

impl HellingerKantorovichRoot<'_> {
    /// Returns Sᵀφ, the face part above the cell part.
    fn apply_s_transpose(&self, phi: MatRef<'_, f64>) -> Mat<f64> {
        let faces = self.transport.faces();
        let face_part = self.transport.gradient(self.face_factor, phi);
        Mat::from_fn(faces + self.dim(), phi.ncols(), |i, j| {
            if i < faces {
                face_part[(i, j)]
            } else {
                self.cell_factors[i - faces] * phi[(i - faces, j)]
            }
        })
    }

    /// Returns Lᵀy = M S y.
    fn lowered(&self, y: MatRef<'_, f64>) -> Result<Batch> {
        let faces = self.transport.faces();
        check_lifted(y, self.lifted_dim())?;
        // S y is formed on the CPU, because it has one entry per cell. y has one entry per face and per cell,
        // about four times as many in space. M S y = (vol M⁻¹)⁻¹ (vol S y): the factorised matrix is vol M⁻¹,
        // whose entries do not depend on the volume of a cell.
        let mut sy = self.transport.divergence(self.face_factor, y);
        for j in 0..y.ncols() {
            let column = sy.col_as_slice_mut(j).iter_mut().zip(&self.cell_factors);
            for (i, (out, factor)) in column.enumerate() {
                *out += factor * y[(faces + i, j)];
            }
        }
        let mut sy = Batch::Host(sy);
        sy.scale(self.volume)?;
        let (phi, _) = self.factor.solve_batch(Side::Plain, None, sy)?;
        Ok(phi)
    }
}

impl Root for HellingerKantorovichRoot<'_> {
    fn dim(&self) -> usize {
        self.transport.r.len()
    }

    fn lifted_dim(&self) -> usize {
        self.transport.faces() + self.dim()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        // L = SᵀM has LᵀL = M SSᵀM = M.
        Ok(self.apply_s_transpose(self.apply(z)?.as_ref()))
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.lowered(y)?.fetch()
    }

    fn lower_batch(&self, y: Mat<f64>) -> Result<Batch> {
        self.lowered(y.as_ref())
    }

    /// Returns M Z = vol (α B Bᵀ + β diag ρ)⁻¹ Z.
    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        // No projection is needed: the eigenvalues of M⁻¹ are at least β min ρ/vol, so that every change of
        // mass has a finite length.
        check_batch(z, self.dim())?;
        let mut phi = map_columns(z, z.nrows(), |z, out| {
            out.iter_mut()
                .zip(z)
                .for_each(|(o, z)| *o = self.volume * z);
        });
        self.factor.solve(Side::Plain, None, phi.as_mut())?;
        Ok(phi)
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        // y = Sᵀc gives Lᵀy = M SSᵀc = c, without a solve.
        check_covector(c, self.dim())?;
        let c = MatRef::from_column_major_slice(c, c.len(), 1);
        Ok(self.apply_s_transpose(c).col_as_slice(0).to_vec())
    }

    fn local_form(&self) -> Option<LocalForm> {
        let inverse = Operator::stencil(Arc::clone(&self.inverse)).to_sparse()?;
        Some(LocalForm::Inverse(inverse).scaled(self.volume))
    }
}
