//! Triangular solves with supernodal factors for a batch whose columns are interleaved.
//!
//! The rows that a supernode reads and writes are then whole stretches of memory, one a row.

use faer::dyn_stack::{MemStack, StackReq};
use faer::linalg::matmul::matmul;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, MatMut, MatRef, Par};

/// Columns of a panel that are read side by side: as many streams as a processor fetches ahead of their use.
const STRIP: usize = 16;

/// Columns of a factor that are eliminated together.
#[derive(Clone, Copy)]
pub(crate) struct Supernode<'a> {
    /// The first of them, in the order of elimination.
    pub(crate) start: usize,
    pub(crate) width: usize,
    /// The rows below them.
    pub(crate) rows: &'a [usize],
}

/// A batch in the order of elimination.
pub(crate) struct Interleaved<'a> {
    columns: usize,
    x: &'a mut [f64],
    /// The rows below one supernode.
    below: &'a mut [f64],
}

/// What [`solve`] needs on the stack for so many rows and columns; `tallest` is the most rows below any supernode.
pub(crate) fn scratch((rows, tallest): (usize, usize), columns: usize) -> StackReq {
    StackReq::new::<f64>(rows * columns).and(StackReq::new::<f64>(tallest * columns))
}

/// Puts the batch in this order, calls `solve`, and puts it back.
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
    /// The rows of a supernode's own.
    pub(crate) fn own(&mut self, node: Supernode<'_>) -> MatMut<'_, f64> {
        let range = node.start * self.columns..(node.start + node.width) * self.columns;
        MatMut::from_row_major_slice_mut(&mut self.x[range], node.width, self.columns)
    }

    /// Takes the panel below a supernode, times its own rows, off the rows below.
    pub(crate) fn push(&mut self, node: Supernode<'_>, panel: MatRef<'_, f64>) {
        let columns = self.columns;
        let below = &mut self.below[..node.rows.len() * columns];
        let (own, above) = self.x[node.start * columns..].split_at_mut(node.width * columns);
        let own = MatRef::from_row_major_slice(own, node.width, columns);
        let mut product = MatMut::from_row_major_slice_mut(below, node.rows.len(), columns);
        let (mut first, mut accumulate) = (0, Accum::Replace);
        while first < node.width {
            let some = STRIP.min(node.width - first);
            let (strip, own) = (panel.subcols(first, some), own.subrows(first, some));
            matmul(product.rb_mut(), accumulate, strip, own, 1.0, Par::Seq);
            (first, accumulate) = (first + some, Accum::Add);
        }
        let end = node.start + node.width;
        for (row, values) in node.rows.iter().zip(below.chunks(columns)) {
            let target = &mut above[(row - end) * columns..][..columns];
            target.iter_mut().zip(values).for_each(|(x, v)| *x -= v);
        }
    }

    /// Takes the transposed panel below a supernode, times the rows below, off its own rows.
    pub(crate) fn pull(&mut self, node: Supernode<'_>, panel: MatRef<'_, f64>) {
        let columns = self.columns;
        let below = &mut self.below[..node.rows.len() * columns];
        let (own, above) = self.x[node.start * columns..].split_at_mut(node.width * columns);
        let end = node.start + node.width;
        for (row, values) in node.rows.iter().zip(below.chunks_mut(columns)) {
            values.copy_from_slice(&above[(row - end) * columns..][..columns]);
        }
        let own = MatMut::from_row_major_slice_mut(own, node.width, columns);
        let below = MatRef::from_row_major_slice(below, node.rows.len(), columns);
        matmul(own, Accum::Add, panel.transpose(), below, -1.0, Par::Seq);
    }
}
