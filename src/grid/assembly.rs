//! Sparse matrices on a grid: weighted Laplacians, and the equations of a stationary density.

use faer::Mat;
use faer::sparse::{SparseColMat, SymbolicSparseColMat, Triplet};

use super::{Face, Grid};
use crate::error::{Error, Result};
use crate::operator::Operator;

impl Grid {
    /// −∇·(w ∇·) with no flux through the boundary, plus a diagonal: symmetric, its rows sorted.
    ///
    /// `weights` has one entry a face, `diagonal` one a cell.
    pub(crate) fn weighted_laplacian(
        &self,
        weights: &[f64],
        diagonal: &[f64],
    ) -> SparseColMat<usize, f64> {
        let n = self.cells();
        let mut centre = diagonal.to_vec();
        let mut coupling = vec![vec![0.0; n]; self.dim()];
        let h = self.spacings();
        let mut faces = weights.iter();
        self.visit_faces(|d, lower, upper| {
            let w = faces.next().map_or(0.0, |w| w / (h[d] * h[d]));
            coupling[d][lower] = w;
            centre[lower] += w;
            centre[upper] += w;
        });
        self.compress(&centre, &coupling)
    }

    /// Compressed columns of the symmetric stencil with these couplings to the upper neighbours.
    fn compress(&self, centre: &[f64], coupling: &[Vec<f64>]) -> SparseColMat<usize, f64> {
        let n = self.cells();
        let strides: Vec<usize> = (0..self.dim()).map(|d| self.stride(d)).collect();
        let size = n + 2 * self.faces();
        let (mut pointers, mut rows) = (vec![0], Vec::with_capacity(size));
        let mut values = Vec::with_capacity(size);
        for (cell, diagonal) in centre.iter().enumerate() {
            let index = |d: usize| cell / strides[d] % self.axes[d].cells;
            let mut push = |row: usize, value: f64| {
                rows.push(row);
                values.push(value);
            };
            for d in (0..self.dim()).filter(|&d| index(d) > 0) {
                push(cell - strides[d], -coupling[d][cell - strides[d]]);
            }
            push(cell, *diagonal);
            for d in (0..self.dim())
                .rev()
                .filter(|&d| index(d) + 1 < self.axes[d].cells)
            {
                push(cell + strides[d], -coupling[d][cell]);
            }
            pointers.push(rows.len());
        }
        let pattern = SymbolicSparseColMat::new_checked(n, n, pointers, None, rows);
        SparseColMat::new(pattern, values)
    }

    /// The equations of a stationary density with fluxes linear in ρ.
    ///
    /// The flux through a face, positive from its lower to its upper cell, is `a ρ_lower + b ρ_upper` with
    /// `[a, b] = flux(face)`. Row i is the divergence ∇·J in cell i, except for the last row: what flows out
    /// of one cell flows into another, so one balance is redundant, and ∫ρ dx stands in its place. The
    /// right-hand side that belongs to it is zero but for the mass in the last entry.
    ///
    /// # Errors
    /// Weights that are not finite.
    pub fn stationary_matrix(&self, flux: impl Fn(&Face) -> [f64; 2]) -> Result<Operator<'static>> {
        let (n, volume) = (self.cells(), self.volume());
        let mut entries = Vec::with_capacity(4 * self.faces() + n);
        self.visit_faces(|d, lower, upper| {
            let face = self.face(d, lower, upper);
            let weights = flux(&face).map(|w| w / face.spacing);
            for (row, sign) in [(lower, 1.0), (upper, -1.0)] {
                if row != n - 1 {
                    entries.push(Triplet::new(row, lower, sign * weights[0]));
                    entries.push(Triplet::new(row, upper, sign * weights[1]));
                }
            }
        });
        entries.extend((0..n).map(|cell| Triplet::new(n - 1, cell, volume)));
        SparseColMat::try_new_from_triplets(n, n, &entries)
            .map(Operator::sparse)
            .map_err(|_| Error::OutOfMemory {
                what: "assembly",
                size: n,
            })
    }

    /// Divergences of `count` fluxes, one column each, for the parameter Jacobian of
    /// [`stationary_matrix`](Grid::stationary_matrix): `flux(face, out)` fills the fluxes through a face; the
    /// last row, the mass equation, is zero.
    pub fn stationary_columns(
        &self,
        count: usize,
        flux: impl Fn(&Face, &mut [f64]),
    ) -> Operator<'static> {
        let n = self.cells();
        let mut columns = Mat::zeros(n, count);
        let mut through = vec![0.0; count];
        self.visit_faces(|d, lower, upper| {
            let face = self.face(d, lower, upper);
            flux(&face, &mut through);
            for (j, flux) in through.iter().enumerate() {
                columns[(lower, j)] += flux / face.spacing;
                columns[(upper, j)] -= flux / face.spacing;
            }
        });
        (0..count).for_each(|j| columns[(n - 1, j)] = 0.0);
        Operator::dense(columns)
    }
}
