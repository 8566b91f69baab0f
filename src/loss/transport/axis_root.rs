//! Square root of Wasserstein-2 on one axis, for densities that are constant in every cell.

use super::edges::pull_back;

/// Fraction of the largest density to which smaller densities are raised.
pub(super) const FLOOR: f64 = 1e-15;

/// Square root L of the metric ∫ (δF)²/ρ dx at one ρ, with two rows per cell. δF is given at the edges of the cells.
//
// Let l and r be the values of δF at the edges of a cell, between which δF is linear, while ρ is constant. The integral of
// (δF)²/ρ over the cell is
//
//     w (l² + l r + r²)/3 = w ((l + r)/2)² + w (r − l)²/12,   w = h/ρ,
//
// so that the rows are √w (l + r)/2 and √(w/12) (r − l), and L needs no solve.
pub(super) struct AxisRoot {
    /// Weights h/ρ of the cells.
    weights: Vec<f64>,
}

impl AxisRoot {
    /// Returns the root at a density, for cells of the given width.
    pub(super) fn new(density: &[f64], width: f64) -> Self {
        let least = FLOOR * density.iter().fold(0.0_f64, |m, r| m.max(*r));
        let weights = density.iter().map(|r| width / r.max(least));
        Self {
            weights: weights.collect(),
        }
    }

    /// Returns the number of rows of L.
    pub(super) fn rows(&self) -> usize {
        2 * self.weights.len()
    }

    /// Writes the rows of L for the values of δF at the edges.
    pub(super) fn lift(&self, edges: &[f64], y: &mut [f64]) {
        let (means, differences) = y.split_at_mut(self.weights.len());
        for (i, w) in self.weights.iter().enumerate() {
            let (l, r) = (edges[i], edges[i + 1]);
            means[i] = w.sqrt() * 0.5 * (l + r);
            differences[i] = (w / 12.0).sqrt() * (r - l);
        }
    }

    /// Computes the covector c of the cells with ⟨c, δF′⟩ = ⟨y, L δF⟩.
    pub(super) fn lower(&self, y: impl Fn(usize) -> f64, c: &mut [f64]) {
        let n = self.weights.len();
        let mut edges = vec![0.0; n + 1];
        for (i, w) in self.weights.iter().enumerate() {
            let mean = 0.5 * w.sqrt() * y(i);
            let difference = (w / 12.0).sqrt() * y(n + i);
            edges[i] += mean - difference;
            edges[i + 1] += mean + difference;
        }
        pull_back(&edges, c);
    }

    /// Writes the y = L z with ⟨y, L δF⟩ = ⟨c, δF′⟩ for all δF that vanish at both ends.
    pub(super) fn dual(&self, c: &[f64], y: &mut [f64]) {
        // Σ_i cᵢ (C_{i+1} − C_i) is Σ_e (c_{e−1} − c_e) C_e over the interior edges.
        let mut edges = vec![0.0; c.len() + 1];
        for (e, pair) in c.windows(2).enumerate() {
            edges[e + 1] = pair[0] - pair[1];
        }
        self.solve(&mut edges);
        self.lift(&edges, y);
    }

    /// Solves Σ_e′ K_ee′ C_e′ = d_e for the values at the interior edges, with the tridiagonal matrix K = LᵀL.
    fn solve(&self, d: &mut [f64]) {
        // K_ee = (w_{e−1} + w_e)/3 is at least twice the sum of its neighbours w_{e−1}/6 and w_e/6, so that elimination
        // needs no pivots. d is zero at both ends.
        let n = self.weights.len();
        let mut ratios = vec![0.0; n + 1];
        for e in 1..n {
            let (below, above) = (self.weights[e - 1] / 6.0, self.weights[e] / 6.0);
            let pivot = 2.0 * (below + above) - below * ratios[e - 1];
            ratios[e] = above / pivot;
            d[e] = (d[e] - below * d[e - 1]) / pivot;
        }
        for e in (1..n).rev() {
            d[e] -= ratios[e] * d[e + 1];
        }
    }
}
