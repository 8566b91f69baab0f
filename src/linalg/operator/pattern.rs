//! Assembly of sparse matrices from triplets in any order, by counting sort.

use std::borrow::Borrow;
use std::sync::Arc;

use faer::sparse::SymbolicSparseColMat;

use super::Operator;
use crate::check;
use crate::error::{Error, Result};

/// Row and column of a value.
///
/// Both indices have 32 bits instead of 64, because sorting is limited by memory bandwidth.
type Position = (u32, u32);

/// Largest number of rows, columns or values of a pattern.
pub(super) const MOST: usize = u32::MAX as usize;

/// Sparsity pattern of matrices whose values are assembled repeatedly, such as those of finite elements.
///
/// The positions are sorted once. Every matrix then costs one pass over its values. All matrices share one
/// structure, which backends recognise without comparing its entries.
///
/// ```
/// use pullback::{linalg::Pattern, Operator, Side};
/// // Two triangles with linear elements on the unit square.
/// let corners: [[f64; 2]; 4] = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
/// let triangles = [[0, 1, 2], [3, 2, 1]];
/// let pairs = [0, 1, 2].map(|i| [0, 1, 2].map(|j| (i, j))).concat();
///
/// // Once: the positions of all element matrices, one after another.
/// let positions = triangles.iter().flat_map(|t| pairs.iter().map(|&(i, j)| (t[i], t[j])));
/// let pattern = Pattern::new(4, 4, positions)?;
///
/// // For every conductivity s: ∫ s ∇φᵢ·∇φⱼ = s (eᵢ·eⱼ) / 4|T|, where eᵢ is the edge opposite to corner i.
/// let stiffness = |s: f64| -> pullback::Result<Operator> {
///     let element = |t: &[usize; 3]| {
///         let edge = |i: usize| {
///             let (p, q) = (corners[t[(i + 1) % 3]], corners[t[(i + 2) % 3]]);
///             [q[0] - p[0], q[1] - p[1]]
///         };
///         let (a, b) = (edge(0), edge(1));
///         let area = 0.5 * (a[0] * b[1] - a[1] * b[0]).abs();
///         let value = |&(i, j): &(usize, usize)| {
///             let (e, f) = (edge(i), edge(j));
///             s * (e[0] * f[0] + e[1] * f[1]) / (4.0 * area)
///         };
///         pairs.iter().map(value).collect::<Vec<_>>()
///     };
///     pattern.with_values(triangles.iter().flat_map(element))
/// };
/// let x = [0.0, 1.0, 0.0, 1.0]; // the first coordinate, with gradient (1, 0)
/// assert_eq!(stiffness(2.0)?.apply_to(Side::Plain, &x)?, [-1.0, 1.0, -1.0, 1.0]);
/// assert_eq!(stiffness(6.0)?.apply_to(Side::Plain, &x)?, [-3.0, 3.0, -3.0, 3.0]);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pattern {
    structure: Arc<SymbolicSparseColMat<usize>>,
    /// Index of the compressed entry to which each value is added.
    targets: Arc<Vec<u32>>,
}

impl Pattern {
    /// Sorts the positions `(row, column)` of all values of an `nrows`×`ncols` matrix. Positions may repeat.
    ///
    /// # Errors
    /// Fails with [`Error::OutOfRange`] if a row or column is outside the shape; the index in the error is
    /// that of the position. Fails with the same error if there are 2³² or more rows, columns or values.
    pub fn new(
        nrows: usize,
        ncols: usize,
        positions: impl IntoIterator<Item = (usize, usize)>,
    ) -> Result<Self> {
        let positions = positions.into_iter();
        let mut inside = Vec::with_capacity(positions.size_hint().0);
        for size in [nrows, ncols] {
            within("the size of a sparse matrix", (0, size), MOST + 1)?;
        }
        for (index, (row, column)) in positions.enumerate() {
            within("a row of a sparse matrix", (index, row), nrows)?;
            within("a column of a sparse matrix", (index, column), ncols)?;
            inside.push((row as u32, column as u32));
        }
        within(
            "the number of values of a sparse matrix",
            (0, inside.len()),
            MOST + 1,
        )?;
        Ok(Self::sorted((nrows, ncols), &inside))
    }

    /// Assembles the matrix with one value per position, in the order of the positions. Values of equal positions are
    /// summed.
    ///
    /// # Errors
    /// Fails with [`Error::Dimension`] if the number of values is not the number of positions.
    pub fn with_values(
        &self,
        values: impl IntoIterator<Item: Borrow<f64>>,
    ) -> Result<Operator<'static>> {
        let mut values = values.into_iter();
        let mut found = 0;
        let counted = values.by_ref().inspect(|_| found += 1);
        let operator = self.sum(counted);
        found += values.count();
        check::length("the values of a sparse matrix", found, self.targets.len())?;
        Ok(operator)
    }

    /// Assembles the matrix from one value per position.
    pub(super) fn sum(&self, values: impl IntoIterator<Item: Borrow<f64>>) -> Operator<'static> {
        let mut sums = vec![0.0; self.structure.row_idx().len()];
        for (&target, value) in self.targets.iter().zip(values) {
            // Values of repeated positions are added in the order in which they were given, so that rounding
            // errors are those of an assembly element by element.
            sums[target as usize] += value.borrow();
        }
        Operator::compressed(Arc::clone(&self.structure), sums)
    }

    /// Returns the number of values of the pattern, including those of repeated positions.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Returns whether the pattern has no positions.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Sorts positions, which must lie inside the shape. Rows, columns and positions must not exceed [`MOST`]
    /// in number.
    pub(super) fn sorted((nrows, ncols): (usize, usize), positions: &[Position]) -> Self {
        // A counting sort by column takes O(n + ncols) operations for n positions. Within a column, only the
        // rows are sorted by comparison, each row once.
        let (ends, order) = by_column(ncols, positions);
        let mut targets = vec![0; positions.len()];
        let mut pointers = Vec::with_capacity(ncols + 1);
        // Reserve memory for distinct positions, and shrink it at the end.
        let mut rows = Vec::with_capacity(positions.len());
        pointers.push(0);
        // For every row: one plus the index of its entry in the latest column that contains it. The row has an entry in
        // the current column, which begins at index `first`, if and only if this number exceeds `first`.
        let (mut after, mut start) = (vec![0; nrows], 0);
        for end in ends {
            let column = &order[start as usize..end as usize];
            let first = rows.len();
            for &(row, _) in column {
                let row = row as usize;
                if after[row] <= first {
                    rows.push(row);
                    after[row] = rows.len();
                }
            }
            rows[first..].sort_unstable();
            for (index, &row) in (first..).zip(&rows[first..]) {
                after[row] = index + 1;
            }
            for &(row, k) in column {
                targets[k as usize] = (after[row as usize] - 1) as u32;
            }
            pointers.push(rows.len());
            start = end;
        }
        rows.shrink_to_fit();
        let structure = SymbolicSparseColMat::new_checked(nrows, ncols, pointers, None, rows);
        Self {
            structure: Arc::new(structure),
            targets: Arc::new(targets),
        }
    }
}

/// Checks that an index is less than `size`.
fn within(what: &'static str, (index, found): (usize, usize), size: usize) -> Result<()> {
    if found < size {
        return Ok(());
    }
    Err(Error::OutOfRange {
        what,
        index,
        value: found as f64,
        lower: 0.0,
        upper: size as f64 - 1.0,
    })
}

/// Sorts positions by column. Returns the end of every column, and the row and index of every sorted
/// position.
fn by_column(ncols: usize, positions: &[Position]) -> (Vec<u32>, Vec<(u32, u32)>) {
    // Cumulative counts give the start of every column. Each placed position advances the start of its
    // column, which has become the end of the column when all positions are placed.
    let mut next = vec![0; ncols + 1];
    for &(_, column) in positions {
        next[column as usize + 1] += 1;
    }
    for j in 0..ncols {
        next[j + 1] += next[j];
    }
    next.truncate(ncols);
    let mut order = vec![(0, 0); positions.len()];
    for (k, &(row, column)) in (0..).zip(positions) {
        let next = &mut next[column as usize];
        order[*next as usize] = (row, k);
        *next += 1;
    }
    (next, order)
}
