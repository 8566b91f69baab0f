//! What the transport metrics share: B = −∇·(√ρ ·) from faces to cells, on staggered faces.

use std::sync::Arc;

use faer::{Mat, MatRef};

use super::{floored, gaps, map_columns};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::Stencil;

/// How the density on a face follows from its two cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaceMean {
    /// (a + b)/2.
    #[default]
    Arithmetic,
    /// (a − b)/(ln a − ln b).
    Logarithmic,
    /// √(ab).
    Geometric,
    /// 2ab/(a + b): the better one across barriers of low density.
    Harmonic,
}

impl FaceMean {
    /// The mean of two positive numbers.
    pub fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Arithmetic => 0.5 * (a + b),
            Self::Geometric => a.sqrt() * b.sqrt(),
            Self::Harmonic => 2.0 * a / (a + b) * b,
            Self::Logarithmic => {
                let (mean, half) = (0.5 * (a + b), 0.5 * (a - b));
                let x = half / mean;
                // ln((1+x)/(1−x)) = 2 artanh x; near x = 0 the quotient needs its series.
                if x.abs() < 1e-4 {
                    mean * (1.0 - x * x / 3.0)
                } else {
                    mean * x / (0.5 * (a / b).ln())
                }
            }
        }
    }
}

/// B at one density.
pub(super) struct Transport<'a> {
    grid: &'a Grid,
    /// The density, raised to its floor.
    pub(super) r: Vec<f64>,
    /// √ρ on the faces.
    roots: Vec<f64>,
}

impl<'a> Transport<'a> {
    pub(super) fn new(grid: &'a Grid, rho: &[f64], floor: f64, mean: FaceMean) -> Result<Self> {
        check::length(
            "the density given to a transport metric",
            rho.len(),
            grid.cells(),
        )?;
        grid.check_faces("a transport metric")?;
        let r = floored(rho, floor)?;
        let mut roots = Vec::with_capacity(grid.faces());
        grid.visit_faces(|_, lower, upper| roots.push(mean.of(r[lower], r[upper]).sqrt()));
        Ok(Self { grid, r, roots })
    }

    /// a B Bᵀ + diag(e). Where its diagonal is no measure of e and of weak couplings, it keeps e for those who solve.
    pub(super) fn laplacian(&self, a: f64, e: Vec<f64>) -> Arc<Stencil> {
        let weights: Vec<f64> = self.roots.iter().map(|s| a * (s * s)).collect();
        let stencil = self.grid.weighted_laplacian(&weights, &e);
        Arc::new(match gaps::divide(&stencil, &e) {
            true => stencil.with_excess(e),
            false => stencil,
        })
    }

    /// s Bᵀφ: from cells to faces, √ρ ∇φ.
    pub(super) fn gradient(&self, s: f64, phi: MatRef<'_, f64>) -> Mat<f64> {
        let h = self.grid.spacings();
        map_columns(phi, self.roots.len(), |phi, y| {
            self.grid.visit_runs(|run| {
                let scale = s / h[run.axis];
                let sides = phi[run.above()].iter().zip(&phi[run.below()]);
                let faces = y[run.faces.clone()].iter_mut().zip(&self.roots[run.faces]);
                for ((y, root), (above, below)) in faces.zip(sides) {
                    *y = scale * root * (above - below);
                }
            });
        })
    }

    /// s B y: from faces to cells, −∇·(√ρ y). Rows of `y` beyond the faces are ignored.
    pub(super) fn divergence(&self, s: f64, y: MatRef<'_, f64>) -> Mat<f64> {
        let h = self.grid.spacings();
        map_columns(y, self.r.len(), |y, out| {
            self.grid.visit_runs(|run| {
                let scale = s / h[run.axis];
                let (below, above) = (run.below().start, run.above().start);
                let faces = y[run.faces.clone()].iter().zip(&self.roots[run.faces]);
                for (i, (y, root)) in faces.enumerate() {
                    let flow = scale * root * y;
                    out[below + i] -= flow;
                    out[above + i] += flow;
                }
            });
        })
    }

    pub(super) fn faces(&self) -> usize {
        self.roots.len()
    }
}
