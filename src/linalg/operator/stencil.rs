//! Stencil matrices: couplings of every cell of a grid with its neighbours along the axes.

use faer::sparse::{SparseColMat, SymbolicSparseColMat};
use serde::{Deserialize, Serialize};

use super::Side;
use super::blocks::each_block;
use super::rows::Rows;

/// Stencil matrix A with 3, 5 or 7 points on a box of cells, or A + c 11ᵀ with a gauge c.
///
/// Cells are numbered with the last axis fastest. The gauge makes the matrix of a conservation law
/// non-singular: if the columns of A sum to zero, A has a null vector, and c 11ᵀ fixes the sum of the
/// solution without filling the matrix.
///
/// ```
/// use pullback::{linalg::Stencil, Operator, Side};
/// let mut chain = Stencil::new(&[3]); // the Neumann Laplacian of three cells
/// for lower in 0..2 {
///     chain.couple(0, lower, [[1.0, -1.0], [-1.0, 1.0]]);
/// }
/// let a = Operator::stencil(chain.with_gauge(2.0));
/// assert_eq!(a.apply_to(Side::Plain, &[1.0, 0.0, 0.0])?, [3.0, 1.0, 2.0]);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stencil {
    /// Number of axes of the box.
    dim: usize,
    /// Number of cells along each axis, slowest axis first, padded with ones in front.
    pub(crate) shape: [usize; 3],
    pub(crate) centre: Vec<f64>,
    /// Entries `up[axis][i]` of A in row j and column i, where cell j follows cell i along the axis.
    pub(crate) up: [Vec<f64>; 3],
    /// Entries `down[axis][i]` of A in row i and column j, where cell j follows cell i along the axis.
    pub(crate) down: [Vec<f64>; 3],
    gauge: f64,
    /// Row sums of the matrix, if they are lost to rounding errors in the diagonal.
    excess: Option<Vec<f64>>,
}

impl Stencil {
    /// Creates a stencil with all entries zero on a box of one to three axes.
    ///
    /// # Panics
    /// Panics if there is no axis or more than three, or if an axis has no cells.
    pub fn new(cells: &[usize]) -> Self {
        assert!(
            (1..=3).contains(&cells.len()) && !cells.contains(&0),
            "a stencil needs one to three axes with cells, not {cells:?}"
        );
        let mut shape = [1; 3];
        shape[3 - cells.len()..].copy_from_slice(cells);
        let size = shape.iter().product();
        // Kernels are compiled for two and for four neighbouring lines. A chain therefore stores couplings
        // along all axes, of which those to missing lines are zero.
        let chain = shape.iter().filter(|&&n| n > 1).count() < 2;
        let couplings = shape.map(|n| vec![0.0; if n > 1 || chain { size } else { 0 }]);
        Self {
            dim: cells.len(),
            shape,
            centre: vec![0.0; size],
            up: couplings.clone(),
            down: couplings,
            gauge: 0.0,
            excess: None,
        }
    }

    /// Creates a stencil whose columns sum to zero, without a gauge.
    ///
    /// `[a, b] = coupling(axis, lower)` are what the block [[a, b], [−a, −b]] adds for a cell and the next one along an axis.
    pub(crate) fn balanced(
        cells: &[usize],
        coupling: impl Fn(usize, usize) -> [f64; 2] + Sync,
    ) -> Self {
        let mut stencil = Self::new(cells);
        let all = 0..stencil.cells();
        for axis in 0..cells.len() {
            let padded = axis + 3 - stencil.dim;
            let (stride, count) = (stencil.stride(padded), stencil.shape[padded]);
            if count < 2 {
                continue;
            }
            let pairs = (&mut stencil.down[padded][..], &mut stencil.up[padded][..]);
            each_block((all.clone(), pairs), &|(block, (down, up))| {
                let below = block.zip(down.iter_mut().zip(up));
                for (cell, (down, up)) in below.filter(|(i, _)| i / stride % count + 1 < count) {
                    let [a, b] = coupling(axis, cell);
                    (*down, *up) = (b, 0.0 - a);
                }
            });
        }
        stencil.balance();
        stencil
    }

    /// Sets the diagonal so that columns sum to zero.
    fn balance(&mut self) {
        let strides = [0, 1, 2].map(|axis| self.stride(axis));
        let (up, down) = (&self.up, &self.down);
        let cells = (0..self.centre.len(), &mut self.centre[..]);
        each_block(cells, &|(block, centre)| {
            for (cell, centre) in block.zip(centre) {
                for axis in 0..3 {
                    // The entry of the last cell along an axis is zero. It stands before the first cell of the next line.
                    let below = cell.checked_sub(strides[axis]);
                    *centre -= below.and_then(|i| down[axis].get(i)).unwrap_or(&0.0);
                    *centre -= up[axis].get(cell).unwrap_or(&0.0);
                }
            }
        });
    }

    /// Adds a 2×2 block that couples a cell with the next one along `axis`.
    ///
    /// Rows and columns of the block are ordered (lower, upper).
    ///
    /// # Panics
    /// Panics if the cell has no upper neighbour along the axis.
    pub fn couple(&mut self, axis: usize, lower: usize, [[a, b], [c, d]]: [[f64; 2]; 2]) {
        let axis = axis + 3 - self.dim;
        let upper = lower + self.stride(axis);
        assert!(
            lower / self.stride(axis) % self.shape[axis] + 1 < self.shape[axis],
            "cell {lower} has no neighbour above along axis {axis}"
        );
        self.centre[lower] += a;
        self.down[axis][lower] += b;
        self.up[axis][lower] += c;
        self.centre[upper] += d;
    }

    /// Couples cells `first`, `first` + 1, … with their upper neighbours along `axis` by w (xᵢ − xⱼ), with
    /// one weight w per pair.
    ///
    /// This is equivalent to [`couple`](Stencil::couple) with [[w, −w], [−w, w]] for every pair. All
    /// neighbours must exist.
    pub(crate) fn conduct(
        &mut self,
        axis: usize,
        first: usize,
        weights: impl Iterator<Item = f64>,
    ) {
        let axis = axis + 3 - self.dim;
        let stride = self.stride(axis);
        for (lower, w) in (first..).zip(weights) {
            // Row i gains w (xᵢ − xⱼ), and row j the opposite. The term is symmetric, has zero row and column
            // sums, and is positive semidefinite for w ≥ 0. Sums of such terms keep all these properties.
            self.centre[lower] += w;
            self.down[axis][lower] -= w;
            self.up[axis][lower] -= w;
            self.centre[lower + stride] += w;
        }
    }

    /// Adds one value per cell to the diagonal.
    ///
    /// # Panics
    /// Panics if the length of `diagonal` is not the number of cells.
    pub fn add_diagonal(&mut self, diagonal: &[f64]) {
        assert_eq!(
            diagonal.len(),
            self.cells(),
            "one number per cell is needed"
        );
        for (centre, d) in self.centre.iter_mut().zip(diagonal) {
            *centre += d;
        }
    }

    /// Sets the gauge c, which adds c 11ᵀ to the matrix.
    #[must_use]
    pub fn with_gauge(mut self, c: f64) -> Self {
        self.gauge = c;
        self
    }

    /// Returns the gauge c of the rank-one term c 11ᵀ.
    pub fn gauge(&self) -> f64 {
        self.gauge
    }

    /// Stores the row sums of a symmetric M-matrix. No entries may be added afterwards.
    ///
    /// A diagonal entry is its row sum plus the absolute values of its couplings. If the couplings are large,
    /// rounding may erase all digits of the row sum.
    #[must_use]
    pub(crate) fn with_excess(mut self, excess: Vec<f64>) -> Self {
        self.excess = Some(excess);
        self
    }

    /// Returns the row sums of the matrix if the diagonal does not determine them.
    pub(crate) fn excess(&self) -> Option<&[f64]> {
        self.excess.as_deref()
    }

    /// Returns the number of cells of the box.
    pub fn cells(&self) -> usize {
        self.centre.len()
    }

    /// Returns the number of axes of the box.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Returns the diagonal of the matrix, without the gauge.
    pub fn diagonal(&self) -> &[f64] {
        &self.centre
    }

    /// Returns the coefficients of A or Aᵀ for the kernels.
    pub(crate) fn rows(&self, side: Side) -> Rows<'_, f64> {
        let mut axes = [0, 1, 2];
        // The sort is stable, so that axes of more than one cell keep their order. Cells keep their indices,
        // because strides along axes of one cell are never used.
        axes.sort_by_key(|&d| self.shape[d] > 1);
        let shape = axes.map(|d| self.shape[d]);
        let [up, down] = [&self.up, &self.down].map(|arrays| axes.map(|d| &arrays[d][..]));
        let (lower, upper) = match side {
            Side::Plain => (up, down),
            Side::Transpose => (down, up),
        };
        Rows {
            shape,
            centre: &self.centre,
            lower,
            upper,
        }
    }

    /// Returns the difference of the indices of neighbours along a padded axis.
    pub(crate) fn stride(&self, axis: usize) -> usize {
        self.shape[axis + 1..].iter().product()
    }

    /// Returns the first entry that is NaN or infinite, and the cell with whose coefficients it is stored.
    pub(crate) fn broken_entry(&self) -> Option<(usize, f64)> {
        let arrays = self.up.iter().chain(&self.down).chain([&self.centre]);
        let broken = |a: &Vec<f64>| a.iter().position(|v| !v.is_finite()).map(|i| (i, a[i]));
        let gauge = (!self.gauge.is_finite()).then_some((0, self.gauge));
        gauge.or_else(|| arrays.filter_map(broken).next())
    }

    /// Returns the matrix without the gauge in compressed column format, with sorted rows.
    pub(crate) fn compress(&self) -> SparseColMat<usize, f64> {
        let n = self.cells();
        let axes: Vec<usize> = (0..3).filter(|&d| self.shape[d] > 1).collect();
        let size = (2 * axes.len() + 1) * n;
        let (mut pointers, mut rows) = (Vec::with_capacity(n + 1), Vec::with_capacity(size));
        let mut values = Vec::with_capacity(size);
        pointers.push(0);
        // Rows are in increasing order: the lower neighbours with the largest stride first, then the cell
        // itself, then the upper neighbours with the smallest stride first.
        for cell in 0..n {
            let index = |d: usize| cell / self.stride(d) % self.shape[d];
            let mut push = |row: usize, value: f64| {
                rows.push(row);
                values.push(value);
            };
            for &d in axes.iter().filter(|&&d| index(d) > 0) {
                let lower = cell - self.stride(d);
                push(lower, self.down[d][lower]);
            }
            push(cell, self.centre[cell]);
            let has_upper = |d: &&usize| index(**d) + 1 < self.shape[**d];
            for &d in axes.iter().rev().filter(has_upper) {
                push(cell + self.stride(d), self.up[d][cell]);
            }
            pointers.push(rows.len());
        }
        let pattern = SymbolicSparseColMat::new_checked(n, n, pointers, None, rows);
        SparseColMat::new(pattern, values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries that are the same cell by cell and axis by axis, whatever the boxes that threads take.
    #[test]
    fn balanced_stencils_are_those_of_their_couplings() {
        let coupling = |axis: usize, lower: usize| {
            let number = (7 * lower + axis) as f64;
            [1.0 + number.sin(), number.cos() - 1.5]
        };
        let shapes: [&[usize]; 7] = [
            &[1],
            &[5000],
            &[100, 100, 1],
            &[1, 100, 100],
            &[70, 1, 70],
            &[90, 70],
            &[20, 21, 22],
        ];
        for shape in shapes {
            let mut expected = Stencil::new(shape);
            for axis in 0..shape.len() {
                let stride: usize = shape[axis + 1..].iter().product();
                for lower in 0..expected.cells() {
                    if lower / stride % shape[axis] + 1 < shape[axis] {
                        let [a, b] = coupling(axis, lower);
                        expected.couple(axis, lower, [[a, b], [-a, -b]]);
                    }
                }
            }
            assert_eq!(Stencil::balanced(shape, coupling), expected, "{shape:?}");
        }
    }
}
