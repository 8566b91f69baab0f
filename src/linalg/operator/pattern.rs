//! Assembly of sparse matrices from values in any order, by counting.

use std::borrow::Borrow;
use std::sync::Arc;

use faer::sparse::SymbolicSparseColMat;

use super::Operator;
use crate::check;
use crate::error::{Error, Result};

/// The row and the column of a value. Half as wide as indices are elsewhere: what takes time is to move them.
type Place = (u32, u32);

/// Rows, columns and values that there may be.
pub(super) const MOST: usize = u32::MAX as usize;

/// The places of a sparse matrix whose values are made again and again, as those of finite elements are.
///
/// The places are sorted once. Every matrix then costs one pass over its values, and all matrices share one
/// structure, which backends recognise without reading it.
///
/// ```
/// use pullback::{linalg::Pattern, Operator, Side};
/// // Two triangles with linear elements on the unit square.
/// let corners: [[f64; 2]; 4] = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
/// let triangles = [[0, 1, 2], [3, 2, 1]];
/// let pairs = [0, 1, 2].map(|i| [0, 1, 2].map(|j| (i, j))).concat();
///
/// // Once: the places of all element matrices, one after another.
/// let places = triangles.iter().flat_map(|t| pairs.iter().map(|&(i, j)| (t[i], t[j])));
/// let pattern = Pattern::new(4, 4, places)?;
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
    /// The compressed entry that each value is added to.
    targets: Arc<Vec<u32>>,
}

impl Pattern {
    /// Sorts the `(row, column)` of every value of an `nrows`×`ncols` matrix; places may repeat.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when a row or column is outside the shape; its index counts the places. Shapes and numbers of
    /// values must be below 2³².
    pub fn new(
        nrows: usize,
        ncols: usize,
        places: impl IntoIterator<Item = (usize, usize)>,
    ) -> Result<Self> {
        let places = places.into_iter();
        let mut inside = Vec::with_capacity(places.size_hint().0);
        for size in [nrows, ncols] {
            within("the size of a sparse matrix", (0, size), MOST + 1)?;
        }
        for (index, (row, column)) in places.enumerate() {
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

    /// The matrix with these values, in the order of the places; values at equal places add up.
    ///
    /// # Errors
    /// [`Error::Dimension`] unless there is one value a place.
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

    /// The matrix with these values, of which there is one a place.
    pub(super) fn sum(&self, values: impl IntoIterator<Item: Borrow<f64>>) -> Operator<'static> {
        let mut sums = vec![0.0; self.structure.row_idx().len()];
        for (&target, value) in self.targets.iter().zip(values) {
            sums[target as usize] += value.borrow();
        }
        Operator::compressed(Arc::clone(&self.structure), sums)
    }

    /// Number of values, repeated places included.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is no place.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Sorts places within the shape, of both no more than [`MOST`].
    pub(super) fn sorted((nrows, ncols): (usize, usize), places: &[Place]) -> Self {
        let (ends, order) = by_column(ncols, places);
        let mut targets = vec![0; places.len()];
        let mut pointers = Vec::with_capacity(ncols + 1);
        // Room that is not used is given back.
        let mut rows = Vec::with_capacity(places.len());
        pointers.push(0);
        // One more than where the entry of each row stands in the last column that has one: past all entries of
        // columns before.
        let (mut seen, mut start) = (vec![0; nrows], 0);
        for end in ends {
            let column = &order[start as usize..end as usize];
            let first = rows.len();
            for &(row, _) in column {
                let row = row as usize;
                if seen[row] <= first {
                    rows.push(row);
                    seen[row] = rows.len();
                }
            }
            // Few, as those that repeat are left out.
            rows[first..].sort_unstable();
            for (place, &row) in (first..).zip(&rows[first..]) {
                seen[row] = place + 1;
            }
            for &(row, k) in column {
                targets[k as usize] = (seen[row as usize] - 1) as u32;
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

/// Row and index of all places, one column after another, and where each column ends.
fn by_column(ncols: usize, places: &[Place]) -> (Vec<u32>, Vec<(u32, u32)>) {
    // Where the next place of each column goes, which at last is where the column ends.
    let mut next = vec![0; ncols + 1];
    places
        .iter()
        .for_each(|place| next[place.1 as usize + 1] += 1);
    for j in 0..ncols {
        next[j + 1] += next[j];
    }
    next.truncate(ncols);
    let mut order = vec![(0, 0); places.len()];
    for (k, &(row, column)) in (0..).zip(places) {
        let next = &mut next[column as usize];
        order[*next as usize] = (row, k);
        *next += 1;
    }
    (next, order)
}
