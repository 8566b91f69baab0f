//! Triangular solves with supernodal factors for a batch of right-hand sides in row-major storage.
//!
//! Row-major storage interleaves the columns of the batch: each row that a supernode reads or writes is contiguous in
//! memory.

use faer::linalg::matmul::matmul;
use faer::prelude::ReborrowMut;
use faer::{Accum, MatMut, MatRef, Par};

/// Number of columns of a panel per matrix product. This is about the number of memory streams that hardware
/// prefetchers follow at the same time.
const STRIP: usize = 16;

/// Set of factor columns that are eliminated together. Rows are indices within the batch.
#[derive(Clone, Copy)]
pub(crate) struct Supernode<'a> {
    /// First row of the diagonal block.
    pub(crate) start: usize,
    pub(crate) width: usize,
    /// Rows below the diagonal block, in ascending order.
    pub(crate) rows: &'a [u32],
}

impl Supernode<'_> {
    /// Returns whether the rows below the diagonal block follow it without a gap.
    fn is_contiguous(&self) -> bool {
        let end = self.start + self.width + self.rows.len();
        self.rows
            .last()
            .is_none_or(|&last| last as usize + 1 == end)
    }
}

/// Batch of right-hand sides, row-major.
pub(crate) struct Interleaved<'a> {
    pub(crate) columns: usize,
    pub(crate) x: &'a mut [f64],
    /// Workspace for the rows below one supernode.
    pub(crate) below: &'a mut [f64],
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
        let (own, above) = self.x[node.start * columns..].split_at_mut(node.width * columns);
        let own = MatRef::from_row_major_slice(own, node.width, columns);
        // Computes −L₂₁x₁ in a contiguous buffer, strip by strip, and scatters it to the rows of x₂ at the
        // end. One scatter per supernode reads and writes x₂ once, whereas one per column would do so `width`
        // times. If x₂ is contiguous itself, it needs no buffer.
        let (contiguous, len) = (node.is_contiguous(), node.rows.len() * columns);
        let (target, mut accumulate) = match contiguous {
            true => (&mut above[..len], Accum::Add),
            false => (&mut self.below[..len], Accum::Replace),
        };
        let mut product = MatMut::from_row_major_slice_mut(target, node.rows.len(), columns);
        for first in (0..node.width).step_by(STRIP) {
            let width = STRIP.min(node.width - first);
            let (strip, own) = (panel.subcols(first, width), own.subrows(first, width));
            matmul(product.rb_mut(), accumulate, strip, own, -1.0, Par::Seq);
            accumulate = Accum::Add;
        }
        if contiguous {
            return;
        }
        let end = node.start + node.width;
        for (&row, values) in node.rows.iter().zip(self.below.chunks(columns)) {
            let target = &mut above[(row as usize - end) * columns..][..columns];
            target.iter_mut().zip(values).for_each(|(x, v)| *x += v);
        }
    }

    /// Applies the backward update x₁ ← x₁ − L₂₁ᵀ x₂, where `panel` = L₂₁ is the block below the diagonal
    /// block.
    pub(crate) fn update_own(&mut self, node: Supernode<'_>, panel: MatRef<'_, f64>) {
        let columns = self.columns;
        let (own, above) = self.x[node.start * columns..].split_at_mut(node.width * columns);
        let end = node.start + node.width;
        // Gathers x₂ for a single matrix product, unless it is contiguous.
        let len = node.rows.len() * columns;
        let rows = match node.is_contiguous() {
            true => &above[..len],
            false => {
                let below = &mut self.below[..len];
                for (&row, values) in node.rows.iter().zip(below.chunks_mut(columns)) {
                    values.copy_from_slice(&above[(row as usize - end) * columns..][..columns]);
                }
                &*below
            }
        };
        let own = MatMut::from_row_major_slice_mut(own, node.width, columns);
        let below = MatRef::from_row_major_slice(rows, node.rows.len(), columns);
        matmul(own, Accum::Add, panel.transpose(), below, -1.0, Par::Seq);
    }
}
