//! Sparse matrices on a grid: weighted Laplacians, flux divergences, and the equations of a stationary density.

use faer::Mat;
use faer::sparse::{SparseColMat, SymbolicSparseColMat};

use super::{Face, Grid};
use crate::linalg::{Operator, Stencil};

impl Grid {
    /// Returns the symmetric matrix of φ ↦ −∇·(w ∇φ) without flux through the boundary, plus a diagonal.
    ///
    /// `weights` has one entry per face, `diagonal` one per cell.
    pub(crate) fn weighted_laplacian(&self, weights: &[f64], diagonal: &[f64]) -> Stencil {
        // A face of area vol/h carries the flux w (φᵢ − φⱼ)/h out of cell i. Per volume this is
        // w(φᵢ − φⱼ)/h². Summed over the faces, φᵀAφ = Σ_f w (φᵢ − φⱼ)²/h² + φᵀ diag φ: for positive weights
        // the matrix is semidefinite, and regular if the diagonal added here has a positive entry and no
        // negative one.
        let mut stencil = self.stencil();
        let h = self.spacings();
        self.visit_runs(|run| {
            let square = h[run.axis] * h[run.axis];
            let weights = weights[run.faces].iter().map(|w| w / square);
            stencil.conduct(run.axis, run.lower, weights);
        });
        stencil.add_diagonal(diagonal);
        stencil
    }

    /// Returns the matrix of the divergence ∇·J of fluxes that are linear in ρ. The columns of the matrix sum to zero.
    ///
    /// The flux through a face, positive from its lower to its upper cell, is `a ρ_lower + b ρ_upper` with
    /// `[a, b] = flux(face)`. The flux through the boundary is zero.
    pub fn flux_divergence(&self, flux: impl Fn(&Face) -> [f64; 2]) -> Stencil {
        let mut stencil = self.stencil();
        self.visit_faces(|d, lower, upper| {
            let face = self.face(d, lower, upper);
            // Per volume, the flux J leaves the lower cell and enters the upper cell at the rate J/h. The two rows are
            // thus opposite, and every column sums to zero.
            let [a, b] = flux(&face).map(|w| w / face.spacing);
            stencil.couple(d, lower, [[a, b], [-a, -b]]);
        });
        stencil
    }

    /// Returns a stencil on this grid whose entries are zero.
    fn stencil(&self) -> Stencil {
        let cells: Vec<usize> = self.axes.iter().map(|a| a.cells).collect();
        Stencil::new(&cells)
    }

    /// Returns the matrix of the equations of a stationary density with fluxes linear in ρ.
    ///
    /// All rows but the last are those of [`flux_divergence`](Grid::flux_divergence). Since the balances sum to zero,
    /// one balance is redundant. The last row is ∫ρ dx instead. The matching right-hand side is zero except for the
    /// mass in its last entry.
    pub fn stationary_matrix(&self, flux: impl Fn(&Face) -> [f64; 2]) -> Operator<'static> {
        // Which balance is left out does not matter: each is minus the sum of the others. The dense last row
        // makes the pattern unsymmetric, so that sparse LU has to pivot. A gauge c 11ᵀ on the stencil avoids
        // that (`Stencil::with_gauge`); the row needs no choice of c.
        let (pattern, all) = self.flux_divergence(flux).compress().into_parts();
        // Copies every column without its last row and appends the weight vol of ∫ρ dx, so that rows stay sorted.
        let last = self.cells() - 1;
        let (mut pointers, mut rows, mut values) = (vec![0], Vec::new(), Vec::new());
        for j in 0..=last {
            for k in pattern
                .col_range(j)
                .filter(|&k| pattern.row_idx()[k] < last)
            {
                rows.push(pattern.row_idx()[k]);
                values.push(all[k]);
            }
            rows.push(last);
            values.push(self.volume());
            pointers.push(rows.len());
        }
        let pattern = SymbolicSparseColMat::new_checked(last + 1, last + 1, pointers, None, rows);
        Operator::sparse(SparseColMat::new(pattern, values))
    }

    /// Computes the divergences of `count` fluxes, one column each. `flux(face, out)` writes the fluxes through a face.
    pub fn flux_divergence_columns(
        &self,
        count: usize,
        mut flux: impl FnMut(&Face, &mut [f64]),
    ) -> Mat<f64> {
        let mut columns = Mat::zeros(self.cells(), count);
        let mut fluxes = vec![0.0; count];
        self.visit_faces(|d, lower, upper| {
            let face = self.face(d, lower, upper);
            flux(&face, &mut fluxes);
            for (j, flux) in fluxes.iter().enumerate() {
                columns[(lower, j)] += flux / face.spacing;
                columns[(upper, j)] -= flux / face.spacing;
            }
        });
        columns
    }

    /// Returns the parameter Jacobian of the equations of [`stationary_matrix`](Grid::stationary_matrix).
    ///
    /// The columns of the Jacobian are those of [`flux_divergence_columns`](Grid::flux_divergence_columns), except that
    /// the last row, the mass equation, is zero.
    pub fn stationary_columns(
        &self,
        count: usize,
        flux: impl Fn(&Face, &mut [f64]),
    ) -> Operator<'static> {
        let mut columns = self.flux_divergence_columns(count, flux);
        (0..count).for_each(|j| columns[(self.cells() - 1, j)] = 0.0);
        Operator::dense(columns)
    }
}
