//! Probability measures on the centres of cells.

use crate::grid::Grid;

/// Share of the mass of a measure below which a cell counts as empty.
//
// All such cells together move less than 10⁻²⁴ N of the mass, far below the rounding of a sum over N cells. Weights of cells
// deep in the tails of a density would otherwise decide about the range of numbers of the scaling form.
pub(super) const LEAST: f64 = 1e-24;

/// Probability measure with masses at the centres of the cells of a grid, and its first moments.
pub(super) struct Measure {
    /// Masses of the cells, with sum 1. Cells of the share [`LEAST`] or less are empty.
    pub(super) masses: Vec<f64>,
    /// Logarithms of the masses, −∞ in empty cells.
    pub(super) logs: Vec<f64>,
    /// Mean position along every axis.
    pub(super) mean: Vec<f64>,
    /// Standard deviation along every axis.
    pub(super) deviations: Vec<f64>,
    /// Distances of the cell centres from the mean along every axis.
    pub(super) axes: Vec<Vec<f64>>,
}

impl Measure {
    /// Returns the measure of a density divided by its mass.
    pub(super) fn new(grid: &Grid, density: &[f64]) -> Self {
        let masses = shares(density, density.iter().sum());
        let (mut mean, mut deviations, mut axes) = (Vec::new(), Vec::new(), Vec::new());
        for (d, axis) in grid.axes().iter().enumerate() {
            let marginal = marginal(&masses, axis.cells, grid.stride(d));
            let centres = axis.centres();
            let pairs = || centres.iter().zip(&marginal);
            let m = pairs().map(|(x, p)| x * p).sum::<f64>();
            let variance = pairs().map(|(x, p)| (x - m) * (x - m) * p).sum::<f64>();
            axes.push(centres.iter().map(|x| x - m).collect());
            mean.push(m);
            deviations.push(variance.sqrt());
        }
        Self {
            logs: masses.iter().map(|m| m.ln()).collect(),
            masses,
            mean,
            deviations,
            axes,
        }
    }

    /// Returns Σ aᵢ fᵢ over the cells that are not empty.
    pub(super) fn integral(&self, f: impl Fn(usize) -> f64) -> f64 {
        let cells = self.masses.iter().enumerate().filter(|(_, m)| **m > 0.0);
        cells.map(|(i, m)| m * f(i)).sum()
    }
}

/// Returns the densities divided by a total, zero for shares of [`LEAST`] or less.
pub(super) fn shares(density: &[f64], total: f64) -> Vec<f64> {
    let shares = density.iter().map(|r| r / total);
    shares.map(|m| if m > LEAST { m } else { 0.0 }).collect()
}

/// Returns the sums over all axes but one, an axis of n cells that are `stride` apart.
pub(super) fn marginal(masses: &[f64], n: usize, stride: usize) -> Vec<f64> {
    let mut sums = vec![0.0; n];
    for (k, run) in masses.chunks(stride).enumerate() {
        sums[k % n] += run.iter().sum::<f64>();
    }
    sums
}

/// Returns Σ_d g_d(x_d) at every cell, given the values of every g_d along its axis.
pub(super) fn sum_of_axes(values: &[Vec<f64>]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for axis in values {
        let outer = sums.iter().flat_map(|s| axis.iter().map(move |v| s + v));
        sums = outer.collect();
    }
    sums
}
