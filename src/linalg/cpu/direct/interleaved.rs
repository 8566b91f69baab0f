//! Triangular solves with supernodal factors for a batch of right-hand sides in row-major storage.
//!
//! Row-major storage interleaves the columns of the batch: each row that a supernode reads or writes is contiguous in
//! memory.

use faer::dyn_stack::{MemStack, StackReq};
use faer::linalg::matmul::matmul;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, MatMut, MatRef, Par};

/// Number of columns of a panel per matrix product. This is about the number of memory streams that hardware
/// prefetchers follow at the same time.
const STRIP: usize = 16;

/// Set of factor columns that are eliminated together.
#[derive(Clone, Copy)]
pub(crate) struct Supernode<'a> {
    /// First column of the supernode, in elimination order.
    pub(crate) start: usize,
    pub(crate) width: usize,
    /// Rows below the diagonal block of the supernode, in elimination order.
    pub(crate) rows: &'a [usize],
}

/// Batch of right-hand sides, row-major and in elimination order.
pub(crate) struct Interleaved<'a> {
    columns: usize,
    x: &'a mut [f64],
    /// Workspace for the rows below one supernode.
    below: &'a mut [f64],
}

/// Returns the scratch memory that [`solve`] needs. `tallest` is the largest number of rows below any
/// supernode.
pub(crate) fn scratch((rows, tallest): (usize, usize), columns: usize) -> StackReq {
    StackReq::new::<f64>(rows * columns).and(StackReq::new::<f64>(tallest * columns))
}

/// Copies the batch into elimination order, calls `solve` on the copy, and copies the result back.
///
/// `order(k)` is the row of the batch that is eliminated in position k.
pub(crate) fn solve(
    (order, tallest): (impl Fn(usize) -> usize, usize),
    mut batch: MatMut<'_, f64>,
    stack: &mut MemStack,
    solve: impl FnOnce(&mut Interleaved<'_>),
) {
    let (n, columns) = batch.shape();
    if columns == 0 {
        return;
    }
    // The two transpositions cost one pass over the batch each. In return, every supernode reads and writes
    // its rows of the batch contiguously.
    let (mut x, stack) = stack.make_with(n * columns, |_| 0.0);
    let (mut below, _) = stack.make_with(tallest * columns, |_| 0.0);
    for (k, x) in x.chunks_mut(columns).enumerate() {
        let row = batch.rb().row(order(k));
        x.iter_mut().zip(row.iter()).for_each(|(x, b)| *x = *b);
    }
    solve(&mut Interleaved {
        columns,
        x: &mut x,
        below: &mut below,
    });
    for (k, x) in x.chunks(columns).enumerate() {
        let row = batch.rb_mut().row_mut(order(k));
        row.iter_mut().zip(x).for_each(|(b, x)| *b = *x);
    }
}

impl Interleaved<'_> {
    /// Returns x₁, the rows of the batch in which the supernode has its diagonal block.
    pub(crate) fn own(&mut self, node: Supernode<'_>) -> MatMut<'_, f64> {
        let range = node.start * self.columns..(node.start + node.width) * self.columns;
        MatMut::from_row_major_slice_mut(&mut self.x[range], node.width, self.columns)
    }

    /// Applies the forward update x₂ ← x₂ − L₂₁ x₁, where `panel` = L₂₁ is the block below the diagonal
    /// block.
    pub(crate) fn update_below(&mut self, node: Supernode<'_>, panel: MatRef<'_, f64>) {
        let columns = self.columns;
        let below = &mut self.below[..node.rows.len() * columns];
        let (own, above) = self.x[node.start * columns..].split_at_mut(node.width * columns);
        let own = MatRef::from_row_major_slice(own, node.width, columns);
        // Computes L₂₁x₁ in a contiguous buffer, strip by strip, and scatters it to the rows of x₂ at the
        // end. One scatter per supernode reads and writes x₂ once, whereas one per column would do so `width`
        // times.
        let mut product = MatMut::from_row_major_slice_mut(below, node.rows.len(), columns);
        let (mut first, mut accumulate) = (0, Accum::Replace);
        while first < node.width {
            let width = STRIP.min(node.width - first);
            let (strip, own) = (panel.subcols(first, width), own.subrows(first, width));
            matmul(product.rb_mut(), accumulate, strip, own, 1.0, Par::Seq);
            (first, accumulate) = (first + width, Accum::Add);
        }
        let end = node.start + node.width;
        for (row, values) in node.rows.iter().zip(below.chunks(columns)) {
            let target = &mut above[(row - end) * columns..][..columns];
            target.iter_mut().zip(values).for_each(|(x, v)| *x -= v);
        }
    }

    /// Applies the backward update x₁ ← x₁ − L₂₁ᵀ x₂, where `panel` = L₂₁ is the block below the diagonal
    /// block.
    pub(crate) fn update_own(&mut self, node: Supernode<'_>, panel: MatRef<'_, f64>) {
        let columns = self.columns;
        let below = &mut self.below[..node.rows.len() * columns];
        let (own, above) = self.x[node.start * columns..].split_at_mut(node.width * columns);
        let end = node.start + node.width;
        // Gathers x₂ for a single matrix product.
        for (row, values) in node.rows.iter().zip(below.chunks_mut(columns)) {
            values.copy_from_slice(&above[(row - end) * columns..][..columns]);
        }
        let own = MatMut::from_row_major_slice_mut(own, node.width, columns);
        let below = MatRef::from_row_major_slice(below, node.rows.len(), columns);
        matmul(own, Accum::Add, panel.transpose(), below, -1.0, Par::Seq);
    }
}
