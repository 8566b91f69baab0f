//! The problem that solvers of stencils are measured with: the invariant measure of the Lorenz equations.

use pullback::faer::Mat;
use pullback::linalg::{SolveStats, Stencil};
use pullback::models::flow::{Flow, Lorenz};
use pullback::{Backend, Grid, Operator, Result, Side, random};

/// Teleportation ε every Δt, as a rate.
const ALPHA: f64 = 1e-6 / (1.0 - 1e-6) / 5e-4;

/// Smallest weight of the Laplacian, relative to the largest.
const FLOOR: f64 = 1e-8;

pub(crate) struct Problem {
    pub(crate) grid: Grid,
    /// αI − K + 11ᵀ/N, with fluxes upwind at the centres of faces.
    pub(crate) generator: Stencil,
}

impl Problem {
    /// With n cells along every axis.
    pub(crate) fn new(n: usize) -> Result<Self> {
        let grid = Grid::new(&Lorenz::BOX.map(|(lower, upper)| (lower, upper, n)))?;
        let mut generator = grid.flux_divergence(|face| {
            let v = Lorenz.velocity(&face.centre, &Lorenz::CLASSIC)[face.axis];
            [v.max(0.0), -(-v).max(0.0)]
        });
        generator.add_diagonal(&vec![ALPHA; grid.cells()]);
        let generator = generator.with_gauge(1.0 / grid.cells() as f64);
        Ok(Self { grid, generator })
    }

    /// The stationary density, of sum 1, and what the solve took.
    pub(crate) fn stationary(&self, backend: &dyn Backend) -> Result<(Vec<f64>, SolveStats)> {
        let n = self.grid.cells();
        let mut rho = Mat::from_fn(n, 1, |_, _| (1.0 + ALPHA) / n as f64);
        let factor = backend.factor(Operator::stencil(self.generator.clone()))?;
        let stats = factor.solve(Side::Plain, None, rho.as_mut())?;
        Ok((rho.col_as_slice(0).to_vec(), stats))
    }

    /// Right-hand sides of adjoints: random, orthogonal to ρ.
    pub(crate) fn adjoint_sides(&self, rho: &[f64], columns: usize) -> Mat<f64> {
        let mut b = random::normal_matrix(rho.len(), columns, 3);
        let square: f64 = rho.iter().map(|r| r * r).sum();
        for j in 0..columns {
            let along: f64 = b.col_as_slice(j).iter().zip(rho).map(|(b, r)| b * r).sum();
            let b = b.col_as_slice_mut(j).iter_mut().zip(rho);
            b.for_each(|(b, r)| *b -= along / square * r);
        }
        b
    }

    /// −∇·(ρ∇·) with ρ over eight decades, pinned in the densest cell.
    pub(crate) fn laplacian(&self, rho: &[f64]) -> Stencil {
        let top = rho.iter().copied().fold(0.0, f64::max);
        let r: Vec<f64> = rho.iter().map(|r| r.max(FLOOR * top)).collect();
        // With the flux w(ρ_lower − ρ_upper)/h the divergence is the Laplacian of weights w.
        let mut laplacian = self.grid.flux_divergence(|face| {
            let w = 0.5 * (r[face.lower] + r[face.upper]) / face.spacing;
            [w, -w]
        });
        let mut pin = vec![0.0; r.len()];
        let densest = (0..r.len()).fold(0, |best, i| if r[i] > r[best] { i } else { best });
        let square: f64 = self.grid.axes().iter().map(|a| a.spacing().powi(-2)).sum();
        pin[densest] = r[densest] * square;
        laplacian.add_diagonal(&pin);
        laplacian
    }

    /// Right-hand sides of the Laplacian: random, and of sum 0, which is taken off where ρ is.
    pub(crate) fn potential_sides(&self, rho: &[f64], columns: usize) -> Mat<f64> {
        let mut b = random::normal_matrix(rho.len(), columns, 5);
        let mass: f64 = rho.iter().sum();
        for j in 0..columns {
            let sum: f64 = b.col_as_slice(j).iter().sum();
            let b = b.col_as_slice_mut(j).iter_mut().zip(rho);
            b.for_each(|(b, r)| *b -= sum / mass * r);
        }
        b
    }
}
