//! How the balances of mass depend on the log-permeability.

use std::iter::once;

use faer::sparse::{SparseColMat, SymbolicSparseColMat};

use super::Darcy;
use crate::linalg::Operator;

/// The neighbours of a cell in the order of their numbers, and ∂T_f/∂θ_cell for the faces between.
struct Star {
    neighbours: [(usize, f64); 6],
    /// How many come before the cell, and how many there are.
    below: usize,
    all: usize,
}

impl Star {
    fn push(&mut self, neighbour: usize, slope: f64) {
        self.neighbours[self.all] = (neighbour, slope);
        self.all += 1;
    }
}

impl Darcy {
    /// ∂g/∂θ: column j has ∂T_f/∂θⱼ (uᵢ − uⱼ) for the neighbours i; for j itself what that takes from it, and
    /// T_b (uⱼ − v). In this order nothing needs sorting, and the pattern depends on nothing but the grid.
    pub(super) fn sensitivities(&self, permeability: &[f64], u: &[f64]) -> Operator<'static> {
        let (cells, experiments) = (self.grid.cells(), self.experiments());
        let (fixed, driven) = self.fixed(permeability);
        let size = experiments * (cells + 2 * self.grid.faces());
        let (mut rows, mut values) = (Vec::with_capacity(size), Vec::with_capacity(size));
        let mut pointers = Vec::with_capacity(cells + 1);
        pointers.push(0);
        self.visit_stars(permeability, |j, star| {
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

    /// Calls `f(cell, star)` for all cells.
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
            for d in (0..dim).rev() {
                index[d] = (index[d] + 1) % axes[d].0;
                if index[d] > 0 {
                    break;
                }
            }
        }
    }
}

/// The derivative of the harmonic mean of e^θ and `other` by θ, where e^θ is `own`.
fn mean_slope(own: f64, other: f64) -> f64 {
    let share = other / (own + other);
    2.0 * own * share * share
}
