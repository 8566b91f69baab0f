//! Hellinger-Kantorovich: transport and growth together, M⁻¹ = (α B Bᵀ + β diag ρ)/vol.

use std::sync::Arc;

use faer::{Mat, MatRef};

use super::transport::{FaceMean, Transport};
use super::{LocalForm, Metric, Root, check_batch, check_covector, check_lifted, map_columns};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::{Backend, Batch, Factor, Operator, Side, Stencil};

/// The Hellinger-Kantorovich (Wasserstein-Fisher-Rao) metric: mass may move, at a cost 1/α, and change, at 1/β.
///
/// M⁻¹ = SSᵀ with S = (√α B, √β diag √ρ)/√vol, and L = SᵀM. No constant is left free, so masses may differ.
#[derive(Clone, Debug)]
pub struct HellingerKantorovich {
    /// Where the density lives; at least two cells along every axis.
    pub grid: Grid,
    /// Ease of transport.
    pub alpha: f64,
    /// Ease of growth.
    pub beta: f64,
    /// Densities below this fraction of the largest are raised to it.
    pub floor: f64,
    /// How densities on faces follow from cells.
    pub face_mean: FaceMean,
}

impl HellingerKantorovich {
    /// The metric with α = β = 1.
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
        let growth: Vec<f64> = transport.r.iter().map(|r| self.beta * r).collect();
        let inverse = transport.laplacian(self.alpha, growth.clone());
        let operator = Operator::stencil(Arc::clone(&inverse)).definite_by_construction();
        let factor = backend.factor(operator)?;
        let volume = self.grid.volume();
        Ok(Box::new(HellingerKantorovichRoot {
            moving: (self.alpha / volume).sqrt(),
            growing: growth.iter().map(|g| (g / volume).sqrt()).collect(),
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
    /// α B Bᵀ + β diag ρ.
    inverse: Arc<Stencil>,
    factor: Box<dyn Factor + 'a>,
    moving: f64,
    growing: Vec<f64>,
    volume: f64,
}

impl HellingerKantorovichRoot<'_> {
    /// Sᵀφ: the face part above the cell part.
    fn split(&self, phi: MatRef<'_, f64>) -> Mat<f64> {
        let faces = self.transport.faces();
        let moved = self.transport.gradient(self.moving, phi);
        Mat::from_fn(faces + self.dim(), phi.ncols(), |i, j| {
            if i < faces {
                moved[(i, j)]
            } else {
                self.growing[i - faces] * phi[(i - faces, j)]
            }
        })
    }

    /// Lᵀy = M S y.
    fn lowered(&self, y: MatRef<'_, f64>) -> Result<Batch> {
        let faces = self.transport.faces();
        check_lifted(y, self.lifted_dim())?;
        let mut joined = self.transport.divergence(self.moving, y);
        for j in 0..y.ncols() {
            let column = joined.col_as_slice_mut(j).iter_mut().zip(&self.growing);
            for (i, (out, growing)) in column.enumerate() {
                *out += growing * y[(faces + i, j)];
            }
        }
        let mut joined = Batch::Here(joined);
        joined.scale(self.volume)?;
        let (phi, _) = self.factor.solve_batch(Side::Plain, None, joined)?;
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
        Ok(self.split(self.apply(z)?.as_ref()))
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.lowered(y)?.fetch()
    }

    fn lower_batch(&self, y: Mat<f64>) -> Result<Batch> {
        self.lowered(y.as_ref())
    }

    /// M Z = vol (α B Bᵀ + β diag ρ)⁻¹ Z.
    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
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
        check_covector(c, self.dim())?;
        let c = MatRef::from_column_major_slice(c, c.len(), 1);
        Ok(self.split(c).col_as_slice(0).to_vec())
    }
    fn local_form(&self) -> Option<LocalForm> {
        let inverse = Operator::stencil(Arc::clone(&self.inverse)).to_sparse()?;
        Some(LocalForm::Inverse(inverse).scaled(self.volume))
    }
}
