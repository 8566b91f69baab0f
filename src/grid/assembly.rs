//! Sparse matrices on a grid: weighted Laplacians, and the equations of a stationary density.

use faer::Mat;
use faer::sparse::{SparseColMat, SymbolicSparseColMat};

use super::{Face, Grid};
use crate::linalg::Operator;
use crate::linalg::Stencil;

impl Grid {
    /// −∇·(w ∇·) with no flux through the boundary, plus a diagonal: symmetric.
    ///
    /// `weights` has one entry a face, `diagonal` one a cell.
    pub(crate) fn weighted_laplacian(&self, weights: &[f64], diagonal: &[f64]) -> Stencil {
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

    /// The divergence ∇·J of fluxes that are linear in ρ, as a matrix; its columns sum to zero.
    ///
    /// The flux through a face, positive from its lower to its upper cell, is `a ρ_lower + b ρ_upper` with
    /// `[a, b] = flux(face)`; nothing flows through the boundary.
    pub fn flux_divergence(&self, flux: impl Fn(&Face) -> [f64; 2]) -> Stencil {
        let mut stencil = self.stencil();
        self.visit_faces(|d, lower, upper| {
            let face = self.face(d, lower, upper);
            let [a, b] = flux(&face).map(|w| w / face.spacing);
            stencil.couple(d, lower, [[a, b], [-a, -b]]);
        });
        stencil
    }

    /// A stencil without entries.
    fn stencil(&self) -> Stencil {
        let cells: Vec<usize> = self.axes.iter().map(|a| a.cells).collect();
        Stencil::new(&cells)
    }

    /// The equations of a stationary density with fluxes linear in ρ.
    ///
    /// They are those of [`flux_divergence`](Grid::flux_divergence) but for the last row: what flows out of one cell
    /// flows into another, so one balance is redundant, and ∫ρ dx stands in its place. The right-hand side that
    /// belongs to it is zero but for the mass in the last entry.
    pub fn stationary_matrix(&self, flux: impl Fn(&Face) -> [f64; 2]) -> Operator<'static> {
        let (pattern, all) = self.flux_divergence(flux).compress().into_parts();
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

    /// Divergences of `count` fluxes, one column each: `flux(face, out)` fills the fluxes through a face.
    pub fn flux_divergence_columns(
        &self,
        count: usize,
        mut flux: impl FnMut(&Face, &mut [f64]),
    ) -> Mat<f64> {
        let mut columns = Mat::zeros(self.cells(), count);
        let mut through = vec![0.0; count];
        self.visit_faces(|d, lower, upper| {
            let face = self.face(d, lower, upper);
            flux(&face, &mut through);
            for (j, flux) in through.iter().enumerate() {
                columns[(lower, j)] += flux / face.spacing;
                columns[(upper, j)] -= flux / face.spacing;
            }
        });
        columns
    }

    /// [`flux_divergence_columns`](Grid::flux_divergence_columns) for the parameter Jacobian of
    /// [`stationary_matrix`](Grid::stationary_matrix): the last row, the mass equation, is zero.
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
