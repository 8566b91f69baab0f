//! Sparse matrices on a grid: weighted Laplacians, flux divergences, and linear systems for stationary
//! densities.

use faer::Mat;
use faer::sparse::{SparseColMat, SymbolicSparseColMat};
use rayon::prelude::*;

use super::{Face, Grid};
use crate::linalg::{BLOCK, Operator, Stencil};

/// Least number of layers of cells that a thread takes. The faces between two slabs are visited twice.
const SLAB: usize = 8;

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
    /// `[a, b] = flux(face)`. The flux through the boundary is zero. Threads share the faces.
    pub fn flux_divergence(&self, flux: impl Fn(&Face) -> [f64; 2] + Sync) -> Stencil {
        Stencil::balanced(&self.shape(), |axis, lower| {
            let face = self.face(axis, lower, lower + self.stride(axis));
            // Divided by the volume, the flux J leaves the lower cell and enters the upper cell at the rate
            // J/h. The two rows are thus opposite, and every column sums to zero.
            flux(&face).map(|w| w / face.spacing)
        })
    }

    /// Returns a stencil matrix on this grid with all entries zero.
    fn stencil(&self) -> Stencil {
        Stencil::new(&self.shape())
    }

    /// Returns the number of cells along every axis.
    fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(|a| a.cells).collect()
    }

    /// Returns the matrix of the linear system for a stationary density whose fluxes are linear in ρ.
    ///
    /// All rows but the last are those of [`flux_divergence`](Grid::flux_divergence), which balance the
    /// fluxes of a cell. Since all balances together sum to zero, one of them is redundant. The last row
    /// therefore computes the mass ∫ρ dx instead. The last entry of the right-hand side must be the mass, and
    /// all other entries zero.
    pub fn stationary_matrix(&self, flux: impl Fn(&Face) -> [f64; 2] + Sync) -> Operator<'static> {
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
    /// through a face. Threads share the faces, so that `flux` may be called twice for a face between two slabs of cells.
    pub fn flux_divergence_columns(
        &self,
        count: usize,
        flux: impl Fn(&Face, &mut [f64]) + Sync,
    ) -> Mat<f64> {
        let fluxes = |(): &mut (), face: &Face, out: &mut [f64]| flux(face, out);
        self.divergences_and_sums([count, 0], || (), fluxes).0
    }

    /// Computes the divergences of fluxes, one per column, and sums over all faces.
    ///
    /// `flux(buffer, face, out)` writes the `columns` fluxes through a face and then its terms of the `sums` sums. Every slab
    /// of cells has its own `buffer()`.
    pub(crate) fn divergences_and_sums<B>(
        &self,
        [columns, sums]: [usize; 2],
        buffer: impl Fn() -> B + Sync,
        flux: impl Fn(&mut B, &Face, &mut [f64]) + Sync,
    ) -> (Mat<f64>, Vec<f64>) {
        let mut divergences = Mat::zeros(self.cells(), columns);
        // Fluxes between two slabs are computed twice, once for each. The divergence of a cell is the same sum for slabs of
        // any size.
        let layer = self.stride(0);
        let size = layer * SLAB.max(BLOCK / layer);
        let slabs = divergences.par_row_chunks_mut(size).enumerate();
        let parts = slabs.map(|(slab, mut out)| {
            let first = slab * size;
            let slab = first..first + out.nrows();
            let (mut buffer, mut values) = (buffer(), vec![0.0; columns + sums]);
            let mut totals = vec![0.0; sums];
            self.visit_faces_of(slab.clone(), |axis, lower, upper| {
                let face = self.face(axis, lower, upper);
                flux(&mut buffer, &face, &mut values);
                let (fluxes, terms) = values.split_at(columns);
                for (j, flux) in fluxes.iter().enumerate() {
                    if slab.contains(&lower) {
                        out[(lower - first, j)] += flux / face.spacing;
                    }
                    if slab.contains(&upper) {
                        out[(upper - first, j)] -= flux / face.spacing;
                    }
                }
                if slab.contains(&lower) {
                    totals
                        .iter_mut()
                        .zip(terms)
                        .for_each(|(t, term)| *t += term);
                }
            });
            totals
        });
        let parts: Vec<Vec<f64>> = parts.collect();
        let total = |k: usize| parts.iter().map(|part| part[k]).sum();
        (divergences, (0..sums).map(total).collect())
    }

    /// Returns the Jacobian with respect to the parameters of the system of
    /// [`stationary_matrix`](Grid::stationary_matrix).
    ///
    /// The columns are those of [`flux_divergence_columns`](Grid::flux_divergence_columns), except that the
    /// last row, which belongs to the mass equation, is zero.
    pub fn stationary_columns(
        &self,
        count: usize,
        flux: impl Fn(&Face, &mut [f64]) + Sync,
    ) -> Operator<'static> {
        let mut columns = self.flux_divergence_columns(count, flux);
        (0..count).for_each(|j| columns[(self.cells() - 1, j)] = 0.0);
        Operator::dense(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Boxes of one slab and of several, with axes of one cell.
    const BOXES: [&[usize]; 6] = [
        &[5],
        &[9000],
        &[3, 1, 4],
        &[200, 50],
        &[20, 23, 29],
        &[1, 80, 90],
    ];

    fn boxed(cells: &[usize]) -> Grid {
        let axes: Vec<_> = cells.iter().map(|&n| (0.0, 1.0 + n as f64, n)).collect();
        Grid::new(&axes).unwrap()
    }

    #[test]
    fn divergences_by_slabs_are_those_of_all_faces_in_turn() {
        for cells in BOXES {
            let grid = boxed(cells);
            let flux = |face: &Face| (face.lower as f64 + 0.3 * face.centre[0]).sin();
            let mut expected = vec![0.0; grid.cells()];
            let mut faces = 0;
            grid.visit_faces(|axis, lower, upper| {
                let face = grid.face(axis, lower, upper);
                expected[lower] += flux(&face) / face.spacing;
                expected[upper] -= flux(&face) / face.spacing;
                faces += 1;
            });
            let write = |(): &mut (), face: &Face, out: &mut [f64]| {
                out.copy_from_slice(&[flux(face), 1.0]);
            };
            let (divergence, sums) = grid.divergences_and_sums([1, 1], || (), write);
            assert_eq!(divergence.col_as_slice(0), expected, "{cells:?}");
            assert_eq!(sums, [f64::from(faces)], "{cells:?}");
        }
    }
}
