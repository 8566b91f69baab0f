//! Sparse matrices on a grid: weighted Laplacians, flux divergences, and linear systems for stationary
//! densities.

use faer::Mat;
use faer::sparse::{SparseColMat, SymbolicSparseColMat};

use super::{Face, Grid};
use crate::linalg::{Operator, Stencil};

impl Grid {
    /// Returns the symmetric matrix of φ ↦ −∇·(w ∇φ) with zero flux through the boundary, plus a diagonal
    /// matrix.
    ///
    /// `weights` has one entry per face, `diagonal` one per cell.
    pub(crate) fn weighted_laplacian(&self, weights: &[f64], diagonal: &[f64]) -> Stencil {
        // A face of area vol/h carries the flux w (φᵢ − φⱼ)/h out of cell i. Divided by the volume of the
        // cell, this is w(φᵢ − φⱼ)/h². Summed over the faces, φᵀAφ = Σ_f w (φᵢ − φⱼ)²/h² + φᵀ diag φ. For
        // positive weights the Laplacian is positive semidefinite, and its sum with a non-negative diagonal
        // is non-singular if at least one diagonal entry is positive.
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
            // Divided by the volume, the flux J leaves the lower cell and enters the upper cell at the rate
            // J/h. The two rows are thus opposite, and every column sums to zero.
            let [a, b] = flux(&face).map(|w| w / face.spacing);
            stencil.couple(d, lower, [[a, b], [-a, -b]]);
        });
        stencil
    }

    /// Returns a stencil matrix on this grid with all entries zero.
    fn stencil(&self) -> Stencil {
        let cells: Vec<usize> = self.axes.iter().map(|a| a.cells).collect();
        Stencil::new(&cells)
    }

    /// Returns the matrix of the linear system for a stationary density whose fluxes are linear in ρ.
    ///
    /// All rows but the last are those of [`flux_divergence`](Grid::flux_divergence), which balance the
    /// fluxes of a cell. Since all balances together sum to zero, one of them is redundant. The last row
    /// therefore computes the mass ∫ρ dx instead. The last entry of the right-hand side must be the mass, and
    /// all other entries zero.
    pub fn stationary_matrix(&self, flux: impl Fn(&Face) -> [f64; 2]) -> Operator<'static> {
        // Any balance could be left out, since each is minus the sum of the others. The dense last row makes
        // the pattern unsymmetric, so that sparse LU has to pivot. Adding a gauge term c 11ᵀ to the stencil
        // (`Stencil::with_gauge`) would avoid pivoting, but requires a choice of c.
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

    /// Computes the divergences of `count` fluxes, one per column. `flux(face, out)` writes all fluxes
    /// through a face.
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

    /// Returns the Jacobian with respect to the parameters of the system of
    /// [`stationary_matrix`](Grid::stationary_matrix).
    ///
    /// The columns are those of [`flux_divergence_columns`](Grid::flux_divergence_columns), except that the
    /// last row, which belongs to the mass equation, is zero.
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
