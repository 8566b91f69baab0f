//! Sparse matrices on a grid: weighted Laplacians, and the equations of a stationary density.

use faer::Mat;
use faer::sparse::{SparseColMat, SymbolicSparseColMat};

use super::{Face, Grid};
use crate::operator::Operator;

/// A stencil over a cell and its neighbours, by the cells of the lower sides of faces.
struct Stencil {
    /// Own coefficient of every cell.
    centre: Vec<f64>,
    /// For each axis and lower cell: in the row of the upper cell, the coefficient of the lower one.
    above: Vec<Vec<f64>>,
    /// For each axis and lower cell: in the row of the lower cell, the coefficient of the upper one.
    below: Vec<Vec<f64>>,
    /// One number for all entries of the last row, in place of its own.
    last_row: Option<f64>,
}

impl Stencil {
    fn new(grid: &Grid, centre: Vec<f64>) -> Self {
        let couplings = vec![vec![0.0; grid.cells()]; grid.dim()];
        Self {
            centre,
            above: couplings.clone(),
            below: couplings,
            last_row: None,
        }
    }

    /// The matrix, by columns, rows in order.
    fn compress(&self, grid: &Grid) -> SparseColMat<usize, f64> {
        let n = grid.cells();
        let strides: Vec<usize> = (0..grid.dim()).map(|d| grid.stride(d)).collect();
        let size = 2 * n + 2 * grid.faces();
        let (mut pointers, mut rows) = (Vec::with_capacity(n + 1), Vec::with_capacity(size));
        let mut values = Vec::with_capacity(size);
        pointers.push(0);
        for cell in 0..n {
            let index = |d: usize| cell / strides[d] % grid.axes[d].cells;
            let mut push = |row: usize, value: f64| {
                if self.last_row.is_none() || row + 1 < n {
                    rows.push(row);
                    values.push(value);
                }
            };
            for d in (0..strides.len()).filter(|&d| index(d) > 0) {
                let lower = cell - strides[d];
                push(lower, self.below[d][lower]);
            }
            push(cell, self.centre[cell]);
            let has_upper = |d: &usize| index(*d) + 1 < grid.axes[*d].cells;
            for d in (0..strides.len()).rev().filter(has_upper) {
                push(cell + strides[d], self.above[d][cell]);
            }
            if let Some(value) = self.last_row {
                rows.push(n - 1);
                values.push(value);
            }
            pointers.push(rows.len());
        }
        let pattern = SymbolicSparseColMat::new_checked(n, n, pointers, None, rows);
        SparseColMat::new(pattern, values)
    }
}

impl Grid {
    /// −∇·(w ∇·) with no flux through the boundary, plus a diagonal: symmetric.
    ///
    /// `weights` has one entry a face, `diagonal` one a cell.
    pub(crate) fn weighted_laplacian(
        &self,
        weights: &[f64],
        diagonal: &[f64],
    ) -> SparseColMat<usize, f64> {
        let mut stencil = Stencil::new(self, diagonal.to_vec());
        let h = self.spacings();
        let mut faces = weights.iter();
        self.visit_faces(|d, lower, upper| {
            let w = faces.next().map_or(0.0, |w| w / (h[d] * h[d]));
            stencil.above[d][lower] = -w;
            stencil.below[d][lower] = -w;
            stencil.centre[lower] += w;
            stencil.centre[upper] += w;
        });
        stencil.compress(self)
    }

    /// The equations of a stationary density with fluxes linear in ρ.
    ///
    /// The flux through a face, positive from its lower to its upper cell, is `a ρ_lower + b ρ_upper` with
    /// `[a, b] = flux(face)`. Row i is the divergence ∇·J in cell i, except for the last row: what flows out
    /// of one cell flows into another, so one balance is redundant, and ∫ρ dx stands in its place. The
    /// right-hand side that belongs to it is zero but for the mass in the last entry.
    pub fn stationary_matrix(&self, flux: impl Fn(&Face) -> [f64; 2]) -> Operator<'static> {
        let mut stencil = Stencil::new(self, vec![0.0; self.cells()]);
        stencil.last_row = Some(self.volume());
        self.visit_faces(|d, lower, upper| {
            let face = self.face(d, lower, upper);
            let [a, b] = flux(&face).map(|w| w / face.spacing);
            stencil.centre[lower] += a;
            stencil.below[d][lower] = b;
            stencil.above[d][lower] = -a;
            stencil.centre[upper] -= b;
        });
        Operator::sparse(stencil.compress(self))
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
