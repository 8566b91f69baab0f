//! Quadratic forms of tangents on a line in terms of their sums, which live on the edges of the cells.

/// Quadratic form Σ_i (k₀₀ l² + 2 k₀₁ l r + k₁₁ r²) of the values l and r at the lower and upper edge of every cell i.
///
/// The values are the sums C_e = Σ_{i<e} ζᵢ of a tangent ζ. They vanish at both ends for a tangent that conserves mass.
pub(super) struct EdgeForm {
    cells: Vec<[f64; 3]>,
}

impl EdgeForm {
    /// Returns the form with the entries [k₀₀, k₀₁, k₁₁] of every cell.
    pub(super) fn new(cells: Vec<[f64; 3]>) -> Self {
        Self { cells }
    }

    /// Returns the entries of all cells, one after another.
    pub(super) fn entries(&self) -> &[f64] {
        self.cells.as_flattened()
    }

    /// Computes c ← K ζ: the product of the form, pulled back to the cells.
    pub(super) fn apply(&self, zeta: &[f64], c: &mut [f64]) {
        let edges = sums(zeta);
        let mut pushed = vec![0.0; edges.len()];
        for (i, [k00, k01, k11]) in self.cells.iter().enumerate() {
            let (l, r) = (edges[i], edges[i + 1]);
            pushed[i] += k00 * l + k01 * r;
            pushed[i + 1] += k01 * l + k11 * r;
        }
        pull_back(&pushed, c);
    }
}

/// Returns the sums C_e = Σ_{i<e} ζᵢ at the edges, with C = 0 at both ends.
pub(super) fn sums(zeta: &[f64]) -> Vec<f64> {
    let mut edges = Vec::with_capacity(zeta.len() + 1);
    let mut sum = 0.0;
    for z in zeta {
        edges.push(sum);
        sum += z;
    }
    edges.push(0.0);
    edges
}

/// Computes c with ⟨c, ζ⟩ = Σ_e g_e C_e over the interior edges: c_k = Σ_{e>k} g_e.
pub(super) fn pull_back(g: &[f64], c: &mut [f64]) {
    let mut sum = 0.0;
    let interior = &g[1..g.len() - 1];
    let Some((last, others)) = c.split_last_mut() else {
        return;
    };
    *last = 0.0;
    for (c, g) in others.iter_mut().zip(interior).rev() {
        sum += g;
        *c = sum;
    }
}
