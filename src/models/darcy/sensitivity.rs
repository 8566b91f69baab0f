//! Derivative ∂g/∂θ of the mass balances with respect to the log-permeability.

use std::iter::once;

use faer::sparse::{SparseColMat, SymbolicSparseColMat};

use super::Darcy;
use crate::linalg::Operator;

/// Neighbours of a cell in increasing order, each with the derivative ∂T_f/∂θ_cell of the face between the two.
struct Star {
    neighbours: [(usize, f64); 6],
    /// Number of neighbours with a smaller index than the cell.
    below: usize,
    /// Number of neighbours of the cell.
    all: usize,
}

impl Star {
    fn push(&mut self, neighbour: usize, slope: f64) {
        self.neighbours[self.all] = (neighbour, slope);
        self.all += 1;
    }
}

impl Darcy {
    /// Returns ∂g/∂θ. The pattern depends on the grid alone.
    ///
    /// Column j has the entry ∂T_f/∂θⱼ (uᵢ − uⱼ) in the row of every neighbour i. The diagonal entry is minus the
    /// sum of these entries plus T_b (uⱼ − v), since ∂T_b/∂θⱼ = T_b.
    pub(super) fn sensitivities(&self, permeability: &[f64], u: &[f64]) -> Operator<'static> {
        self.derivative(permeability, u, &self.fixed(permeability))
    }

    /// Returns ∂(K u)/∂θ, which is ∂g/∂θ with all fixed pressures v = 0.
    pub(super) fn product_slopes(&self, permeability: &[f64], u: &[f64]) -> Operator<'static> {
        let (fixed, driven) = self.fixed(permeability);
        self.derivative(permeability, u, &(fixed, vec![0.0; driven.len()]))
    }

    /// Returns ∂g/∂θ, given Σ T_b and Σ T_b v for every cell.
    fn derivative(
        &self,
        permeability: &[f64],
        u: &[f64],
        (fixed, driven): &(Vec<f64>, Vec<f64>),
    ) -> Operator<'static> {
        let (cells, experiments) = (self.grid.cells(), self.experiments());
        // Each experiment has one diagonal entry per cell and two entries per face: the column of either cell
        // has one in the row of the other.
        let size = experiments * (cells + 2 * self.grid.faces());
        let (mut rows, mut values) = (Vec::with_capacity(size), Vec::with_capacity(size));
        let mut pointers = Vec::with_capacity(cells + 1);
        pointers.push(0);
        self.visit_stars(permeability, |j, star| {
            // Rows in the order smaller neighbours, diagonal, larger neighbours are sorted already.
            let (below, above) = star.neighbours[..star.all].split_at(star.below);
            for (experiment, u) in u.chunks_exact(cells).enumerate() {
                let entry = |&(i, slope): &(usize, f64)| (i, slope * (u[i] - u[j]));
                let around = below.iter().chain(above).map(entry);
                let own = fixed[j] * u[j] - driven[j] - around.map(|(_, v)| v).sum::<f64>();
                let column = below.iter().map(entry).chain(once((j, own)));
                for (i, value) in column.chain(above.iter().map(entry)) {
                    rows.push(experiment * cells + i);
                    values.push(value);
                }
            }
            pointers.push(rows.len());
        });
        let nrows = experiments * cells;
        let pattern = SymbolicSparseColMat::new_checked(nrows, cells, pointers, None, rows);
        Operator::sparse(SparseColMat::new(pattern, values))
    }

    /// Calls `f(cell, star)` for every cell.
    fn visit_stars(&self, permeability: &[f64], mut f: impl FnMut(usize, &Star)) {
        let (dim, volume) = (self.grid.dim(), self.grid.volume());
        let axes = self.grid.axes().iter().enumerate();
        let axes: Vec<_> = axes
            .map(|(d, a)| (a.cells, self.grid.stride(d), volume / a.spacing().powi(2)))
            .collect();
        let mut index = [0; 3];
        for (cell, &own) in permeability.iter().enumerate() {
            let slope = |other: usize, scale: f64| scale * mean_slope(own, permeability[other]);
            let mut star = Star {
                neighbours: [(0, 0.0); 6],
                below: 0,
                all: 0,
            };
            // The stride decreases with the axis. Smaller neighbours are therefore visited with d increasing, larger
            // ones with d decreasing.
            for d in (0..dim).filter(|&d| index[d] > 0) {
                let (_, stride, scale) = axes[d];
                star.push(cell - stride, slope(cell - stride, scale));
            }
            star.below = star.all;
            for d in (0..dim).rev().filter(|&d| index[d] + 1 < axes[d].0) {
                let (_, stride, scale) = axes[d];
                star.push(cell + stride, slope(cell + stride, scale));
            }
            f(cell, &star);
            // Advances the multi-index like an odometer, with the last axis fastest.
            for d in (0..dim).rev() {
                index[d] = (index[d] + 1) % axes[d].0;
                if index[d] > 0 {
                    break;
                }
            }
        }
    }
}

/// Returns the derivative with respect to θ of the harmonic mean of `own` = e^θ and `other`.
fn mean_slope(own: f64, other: f64) -> f64 {
    // m = 2ab/(a + b) has ∂m/∂a = 2b²/(a + b)², and ∂a/∂θ = a. The slopes with respect to both sides add up
    // to m, since m is homogeneous of degree one in (a, b). Between a low and a high permeability, the low
    // one has nearly all of the slope.
    let share = other / (own + other);
    2.0 * own * share * share
}
