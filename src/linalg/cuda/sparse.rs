//! Sparse matrices on a device with a DILU preconditioner.
//!
//! DILU is M = (D + L) D⁻¹ (D + U) with the strict triangles L and U of A, and D such that diag M = diag A.
//! The factors have no fill (Pommerell 1992). The triangular solves proceed by fronts (level scheduling): the
//! rows of a front do not depend on one another and are processed in parallel. The fronts are determined by
//! the pattern and the order of the unknowns.

use std::sync::Arc;

use faer::sparse::SparseColMatRef;

use super::args::{Arg, Compressed, Pointer};
use super::device::{Buffer, Device};
use super::equations::{Equations, Form, Operand, Vectors};
use super::passes::{Passes, Width};
use crate::error::Result;
use crate::linalg::operator::Side;

/// Name of the stored arrays in error messages.
const WHAT: &str = "incomplete factorisation on the device";

/// Smallest number of rows of a matrix that is solved on the device. The CPU factorises a smaller matrix in
/// less time than the kernel launches of an iteration take.
const MIN_ROWS: usize = 10_000;

/// Largest number of fronts, each of which takes one kernel launch. With more fronts a factorisation on the
/// CPU is faster.
// A step of BiCGSTAB applies the preconditioner twice, with two sweeps each. At 1.5 µs per launch, the
// launches for 4096 fronts take 25 ms per step. A chain of n rows has n fronts of one row. A grid of n×n
// cells in its natural order has 2n − 1 fronts of up to n rows.
const MAX_FRONTS: usize = 4096;

/// Fraction of the diagonal entry up to which a pivot counts as zero up to rounding errors.
// dᵢ is a difference of values of the size |aᵢᵢ|, with errors of a few ε |aᵢᵢ|.
const ZERO_PIVOT: f64 = 1e-12;

/// Matrix in compressed row storage (CSR), with increasing column indices in every row.
pub(super) struct ByRows {
    starts: Vec<u32>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl ByRows {
    /// Returns the transpose of a matrix in compressed column storage: the same arrays, with sorted entries.
    pub(super) fn transposed(a: SparseColMatRef<'_, usize, f64>) -> Self {
        let mut by_rows = Self {
            starts: vec![0],
            columns: Vec::new(),
            values: Vec::new(),
        };
        for column in 0..a.ncols() {
            let entries = a.row_idx_of_col(column).zip(a.val_of_col(column));
            let mut entries: Vec<(usize, f64)> = entries.map(|(i, v)| (i, *v)).collect();
            entries.sort_by_key(|entry| entry.0);
            by_rows.columns.extend(entries.iter().map(|e| e.0 as u32));
            by_rows.values.extend(entries.iter().map(|e| e.1));
            by_rows.starts.push(by_rows.columns.len() as u32);
        }
        by_rows
    }

    /// Returns the transpose, with a counting sort of the entries by column.
    fn transpose(&self) -> Self {
        let mut starts = vec![0; self.starts.len()];
        self.columns
            .iter()
            .for_each(|&j| starts[j as usize + 1] += 1);
        for j in 1..starts.len() {
            starts[j] += starts[j - 1];
        }
        let mut next = starts.clone();
        let (mut columns, mut values) = (vec![0; self.columns.len()], vec![0.0; self.values.len()]);
        for i in 0..self.rows() {
            for (j, value) in self.row(i) {
                let at = next[j] as usize;
                (columns[at], values[at]) = (i as u32, value);
                next[j] += 1;
            }
        }
        Self {
            starts,
            columns,
            values,
        }
    }

    fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    fn row(&self, i: usize) -> impl DoubleEndedIterator<Item = (usize, f64)> {
        let range = self.starts[i] as usize..self.starts[i + 1] as usize;
        let columns = self.columns[range.clone()].iter().map(|&j| j as usize);
        columns.zip(self.values[range].iter().copied())
    }

    /// Returns the entry aᵢⱼ, or 0 outside the pattern.
    fn entry(&self, i: usize, j: usize) -> f64 {
        let range = self.starts[i] as usize..self.starts[i + 1] as usize;
        let found = self.columns[range.clone()].binary_search(&(j as u32));
        found.map_or(0.0, |at| self.values[range.start + at])
    }

    /// Returns the reciprocals of D, dᵢ = aᵢᵢ − Σ_{j<i} aᵢⱼ aⱼᵢ / dⱼ, where aᵢᵢ replaces a vanishing dᵢ.
    fn pivots(&self) -> Vec<f64> {
        // (D + L) D⁻¹ (D + U) has the diagonal entries dᵢ + Σ_{j<i} aᵢⱼ aⱼᵢ / dⱼ, which must equal aᵢᵢ. If
        // aᵢᵢ vanishes as well, dᵢ = 1 keeps the preconditioner non-singular.
        let mut inverse: Vec<f64> = Vec::with_capacity(self.rows());
        for i in 0..self.rows() {
            let diagonal = self.entry(i, i);
            let before = self.row(i).take_while(|&(j, _)| j < i);
            // The entries of row i are sorted by column. The mirrored entry is found by bisection, which
            // costs O(nnz log nnz) in all.
            let update: f64 = before.map(|(j, v)| v * self.entry(j, i) * inverse[j]).sum();
            let is_nonzero = |d: &f64| d.is_normal() && d.abs() > ZERO_PIVOT * diagonal.abs();
            let pivot = [diagonal - update, diagonal].into_iter().find(is_nonzero);
            inverse.push(pivot.map_or(1.0, f64::recip));
        }
        inverse
    }

    /// Sorts the rows into the fronts of a forward or backward sweep. No row depends on another row of its
    /// front.
    fn fronts(&self, forward: bool) -> Vec<Vec<u32>> {
        let n = self.rows();
        // A row depends on its neighbours that precede it in the sweep. The index of its front is the length
        // of the longest chain of such dependences.
        let mut depth = vec![0_usize; n];
        let mut fronts: Vec<Vec<u32>> = Vec::new();
        for step in 0..n {
            let i = if forward { step } else { n - 1 - step };
            let needed = self.row(i).filter(|&(j, _)| j != i && (j < i) == forward);
            // All rows that i needs have smaller depths, hence belong to earlier fronts. The number of fronts
            // is minimal, since the rows of a chain must follow one another. One pass suffices, because every
            // j that i needs precedes i in the sweep.
            depth[i] = needed.map(|(j, _)| depth[j] + 1).max().unwrap_or(0);
            if fronts.len() <= depth[i] {
                fronts.push(Vec::new());
            }
            fronts[depth[i]].push(i as u32);
        }
        fronts
    }
}

/// Returns the transpose of a matrix with its fronts, or `None` if the matrix is too small or has too many
/// fronts for a device. A matrix has as many fronts as its transpose.
pub(super) fn prepare(a: SparseColMatRef<'_, usize, f64>) -> Option<Swept> {
    let countable = |n: usize| u32::try_from(n).is_ok();
    if a.nrows() < MIN_ROWS || !countable(a.nrows()) || !countable(a.compute_nnz()) {
        return None;
    }
    let swept = Swept::new(ByRows::transposed(a));
    let parallel = swept.fronts.iter().all(|f| f.len() <= MAX_FRONTS);
    parallel.then_some(swept)
}

/// Matrix in CSR, with the fronts of its forward and backward sweeps.
pub(super) struct Swept {
    rows: ByRows,
    fronts: [Vec<Vec<u32>>; 2],
}

impl Swept {
    pub(super) fn new(rows: ByRows) -> Self {
        let fronts = [true, false].map(|forward| rows.fronts(forward));
        Self { rows, fronts }
    }
}

/// Fronts on the device: the rows of all fronts in one array, and the start of each front.
struct Fronts {
    order: Buffer,
    starts: Vec<usize>,
}

impl Fronts {
    fn new(device: &Arc<Device>, fronts: &[Vec<u32>]) -> Result<Self> {
        let mut starts = vec![0];
        let ends = fronts.iter().scan(0, |end, front| {
            *end += front.len();
            Some(*end)
        });
        starts.extend(ends);
        let order = fronts.concat();
        Ok(Self {
            order: device.store(&order, (WHAT, order.len()))?,
            starts,
        })
    }

    /// Iterates over the fronts. An item is the address of the row indices of a front, and their number.
    fn each(&self) -> impl Iterator<Item = (Pointer, u32)> {
        self.starts.windows(2).map(|w| {
            let offset = (w[0] * size_of::<u32>()) as u64;
            (self.order.address + offset, (w[1] - w[0]) as u32)
        })
    }
}

/// Matrix in CSR in the memory of a device.
pub(super) struct StoredRows {
    /// Owners of the memory that `view` points to.
    _arrays: [Buffer; 3],
    pub(super) view: Compressed,
}

impl ByRows {
    /// Copies the matrix to a device. In error messages, `purpose` describes the matrix.
    pub(super) fn store(
        &self,
        device: &Arc<Device>,
        purpose: (&'static str, usize),
    ) -> Result<StoredRows> {
        let arrays = [
            device.store(&self.starts, purpose)?,
            device.store(&self.columns, purpose)?,
            device.store(&self.values, purpose)?,
        ];
        let [starts, columns, values] = arrays.each_ref().map(|array| array.address);
        Ok(StoredRows {
            view: Compressed {
                starts,
                columns,
                values,
                rows: self.rows() as u32,
                padding: 0,
            },
            _arrays: arrays,
        })
    }
}

/// Matrix A or Aᵀ on a device, with the fronts of its sweeps.
struct Stored {
    rows: StoredRows,
    forward: Fronts,
    backward: Fronts,
}

impl Stored {
    fn new(device: &Arc<Device>, swept: &Swept) -> Result<Self> {
        let [forward, backward] = &swept.fronts;
        Ok(Self {
            rows: swept.rows.store(device, (WHAT, swept.rows.rows()))?,
            forward: Fronts::new(device, forward)?,
            backward: Fronts::new(device, backward)?,
        })
    }
}

/// Matrices A and Aᵀ on a device, with the reciprocals of D. The recurrence for D is symmetric in aᵢⱼ and
/// aⱼᵢ, so that one D serves both matrices.
pub(super) struct Sparse {
    plain: Stored,
    transpose: Stored,
    inverse: Buffer,
}

impl Sparse {
    /// Copies a matrix, which is given by its transpose, to a device.
    pub(super) fn new(device: &Arc<Device>, transpose: &Swept) -> Result<Self> {
        let plain = Swept::new(transpose.rows.transpose());
        let inverse = plain.rows.pivots();
        Ok(Self {
            plain: Stored::new(device, &plain)?,
            transpose: Stored::new(device, transpose)?,
            inverse: device.store(&inverse, (WHAT, inverse.len()))?,
        })
    }

    fn side(&self, side: Side) -> &Stored {
        match side {
            Side::Plain => &self.plain,
            Side::Transpose => &self.transpose,
        }
    }
}

impl Equations for Sparse {
    fn cells(&self) -> usize {
        self.plain.rows.view.rows as usize
    }

    fn width(&self) -> Width {
        Width::Double
    }

    fn image(
        &self,
        passes: &Passes,
        side: Side,
        x: Operand,
        [with, out]: [Pointer; 2],
    ) -> Result<()> {
        let args = [
            Arg::Compressed(self.side(side).rows.view),
            Arg::Pointer(x.address),
            Arg::Pointer(out),
            Arg::Pointer(with),
            Arg::Pointer(passes.scalars),
            Arg::Pointer(passes.partial),
            Arg::Count(x.scaled.into()),
            Arg::Count(passes.shift),
        ];
        passes.sums("sparse_image", &args, 2)
    }

    fn residual(
        &self,
        passes: &Passes,
        side: Side,
        x: Pointer,
        [b, out]: [Pointer; 2],
    ) -> Result<()> {
        let args = [
            Arg::Compressed(self.side(side).rows.view),
            Arg::Pointer(x),
            Arg::Pointer(out),
            Arg::Pointer(b),
            Arg::Pointer(passes.partial),
            Arg::Count(passes.shift),
        ];
        passes.sums("sparse_residual", &args, 1)
    }

    fn magnitude(&self, passes: &Passes, side: Side, x: Pointer) -> Result<()> {
        let args = [
            Arg::Compressed(self.side(side).rows.view),
            Arg::Pointer(x),
            Arg::Pointer(passes.partial),
            Arg::Count(passes.shift),
        ];
        passes.sums("sparse_magnitude", &args, 1)
    }

    fn precondition(&self, passes: &Passes, form: Form, v: Vectors<'_>) -> Result<()> {
        // M x = b in two steps, front by front: (D + L) y = b gives yᵢ = (bᵢ − Σ_{j<i} aᵢⱼ yⱼ)/dᵢ, and
        // (I + D⁻¹U) x = y gives xᵢ = yᵢ − (Σ_{j>i} aᵢⱼ xⱼ)/dᵢ, which overwrites y.
        let stored = self.side(form.side);
        let front = |(order, count): (Pointer, u32)| {
            [
                Arg::Compressed(stored.rows.view),
                Arg::Pointer(self.inverse.address),
                Arg::Pointer(order),
                Arg::Count(count),
            ]
        };
        let (b, x, shift) = (
            Arg::Pointer(v.b),
            Arg::Pointer(v.x),
            Arg::Count(passes.shift),
        );
        for rows in stored.forward.each() {
            let args = [&front(rows)[..], &[b, x, shift]].concat();
            passes.over("sparse_forward", rows.1, &args)?;
        }
        for rows in stored.backward.each() {
            let args = [&front(rows)[..], &[x, shift]].concat();
            passes.over("sparse_backward", rows.1, &args)?;
        }
        Ok(())
    }

    fn workspace_lengths(&self) -> Vec<usize> {
        Vec::new()
    }
}
