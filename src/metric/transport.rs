//! Divergence B = −∇·(√ρ ·) from faces to cells of a staggered grid, shared by the transport metrics.

use std::sync::Arc;

use faer::{Mat, MatRef};

use super::{floored, gaps, map_columns};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::Stencil;

/// Mean of the densities of two cells that defines the density on their face.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaceMean {
    /// Arithmetic mean (a + b)/2.
    #[default]
    Arithmetic,
    /// Logarithmic mean (a − b)/(ln a − ln b).
    Logarithmic,
    /// Geometric mean √(ab).
    Geometric,
    /// Harmonic mean 2ab/(a + b), the most accurate mean across barriers of low density.
    Harmonic,
}

impl FaceMean {
    /// Returns the mean of two positive numbers.
    pub fn of(self, a: f64, b: f64) -> f64 {
        // A flux J = ρv through a face costs |J|²/ρ_f: the smaller the mean, the more expensive the face. The
        // means are in the order harmonic ≤ geometric ≤ logarithmic ≤ arithmetic. The formulas avoid the
        // product ab, which underflows for densities below 10⁻¹⁵⁴.
        match self {
            Self::Arithmetic => 0.5 * (a + b),
            Self::Geometric => a.sqrt() * b.sqrt(),
            Self::Harmonic => 2.0 * a / (a + b) * b,
            Self::Logarithmic => {
                let (mean, half) = (0.5 * (a + b), 0.5 * (a - b));
                let x = half / mean;
                // With x = (a − b)/(a + b), ln(a/b) = 2 artanh x and the mean is (a + b)/2 · x/artanh x. For
                // small x this quotient is 0/0, and the series x/artanh x = 1 − x²/3 − … has an error below
                // x⁴. At the threshold that is 10⁻¹⁶. Above it, the rounding of a/b costs no more than
                // 2⁻⁵³/(2x) ≈ 5·10⁻¹³ of ln(a/b) ≈ 2x.
                if x.abs() < 1e-4 {
                    mean * (1.0 - x * x / 3.0)
                } else {
                    mean * x / (0.5 * (a / b).ln())
                }
            }
        }
    }
}

/// Operator B = −∇·(√ρ ·) at one density ρ.
pub(super) struct Transport<'a> {
    grid: &'a Grid,
    /// Density ρ in the cells, raised to its floor.
    pub(super) r: Vec<f64>,
    /// Square roots √ρ of the density on the faces.
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
        // √ρ is defined on faces, where (Bᵀφ)_f = √ρ_f (φ_upper − φ_lower)/h vanishes only for constant φ.
        // Central differences at cell centres would also vanish for checkerboards, and give B Bᵀ more null
        // vectors.
        let mut roots = Vec::with_capacity(grid.faces());
        grid.visit_faces(|_, lower, upper| roots.push(mean.of(r[lower], r[upper]).sqrt()));
        Ok(Self { grid, r, roots })
    }

    /// Returns a B Bᵀ + diag(e). If rounding of the diagonal loses weak couplings, the stencil also stores e for
    /// solvers.
    pub(super) fn laplacian(&self, a: f64, e: Vec<f64>) -> Arc<Stencil> {
        // B Bᵀ = −∇·(ρ∇·), because B = −∇·(√ρ ·) and Bᵀ = √ρ ∇: on staggered faces without flux through the
        // boundary, −∇· is the transpose of ∇. The weights are squares of the rounded roots, so that the
        // matrix is the product of `divergence` and `gradient` up to the rounding of its sums.
        let weights: Vec<f64> = self.roots.iter().map(|s| a * (s * s)).collect();
        let stencil = self.grid.weighted_laplacian(&weights, &e);
        Arc::new(match gaps::has_weakly_grounded_part(&stencil, &e) {
            true => stencil.with_excess(e),
            false => stencil,
        })
    }

    /// Returns s Bᵀφ = s √ρ ∇φ, from cells to faces.
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

    /// Returns s B y = −s ∇·(√ρ y), from faces to cells. Rows of `y` beyond the faces are ignored.
    pub(super) fn divergence(&self, s: f64, y: MatRef<'_, f64>) -> Mat<f64> {
        let h = self.grid.spacings();
        map_columns(y, self.r.len(), |y, out| {
            self.grid.visit_runs(|run| {
                let scale = s / h[run.axis];
                let (below, above) = (run.below().start, run.above().start);
                let faces = y[run.faces.clone()].iter().zip(&self.roots[run.faces]);
                for (i, (y, root)) in faces.enumerate() {
                    // The flow out of one cell is exactly the flow into the other: 1ᵀB = 0, so that images of
                    // B have mass zero up to the rounding of their sums.
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
