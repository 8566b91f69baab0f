//! Triangular solves with a supernodal Cholesky factor for one column at a time.
//!
//! Products of small blocks pay for batches; a single column would spend most of its time between them. Here four
//! columns of a supernode are dealt with at once, so that what they share is read and written once.

use crate::linalg::operator::vectorised;

/// Columns of a supernode that are dealt with at once.
const WIDTH: usize = 4;

/// Columns of the factor with the same rows: a square with the triangle, over the rows below it.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    /// The first of its columns, in the order of elimination.
    pub(crate) start: usize,
    pub(crate) width: usize,
    /// The rows below.
    pub(crate) rows: &'a [usize],
    /// Its entries, by columns.
    pub(crate) panel: &'a [f64],
    /// One over the diagonal, which divides nothing while others wait for it.
    pub(crate) reciprocals: &'a [f64],
}

/// x ← (L Lᵀ)⁻¹ x, in the order of elimination, with as much room beside it.
pub(crate) fn solve<'a>(
    nodes: impl DoubleEndedIterator<Item = Node<'a>> + Clone,
    x: &mut [f64],
    room: &mut [f64],
) {
    vectorised(
        #[inline(always)]
        || {
            for node in nodes.clone() {
                match node.width {
                    1 => narrow_forward::<1>(node, x),
                    2 => narrow_forward::<2>(node, x),
                    3 => narrow_forward::<3>(node, x),
                    4 => narrow_forward::<4>(node, x),
                    _ => wide_forward(node, x, room),
                }
            }
            for node in nodes.rev() {
                match node.width {
                    1 => narrow_backward::<1>(node, x),
                    2 => narrow_backward::<2>(node, x),
                    3 => narrow_backward::<3>(node, x),
                    4 => narrow_backward::<4>(node, x),
                    _ => wide_backward(node, x, room),
                }
            }
        },
    );
}

/// Some columns of a supernode from one of them on, and one over their diagonal.
struct Strip<'a, const W: usize> {
    /// From the diagonal of the first column on.
    columns: [&'a [f64]; W],
    reciprocals: &'a [f64],
}

impl<'a, const W: usize> Strip<'a, W> {
    #[inline(always)]
    fn new(node: Node<'a>, first: usize) -> Self {
        let height = node.width + node.rows.len();
        let column = |q: usize| &node.panel[(first + q) * height..][first..height];
        Self {
            columns: std::array::from_fn(column),
            reciprocals: &node.reciprocals[first..first + W],
        }
    }

    /// The rows below the triangle.
    #[inline(always)]
    fn below(&self) -> [&'a [f64]; W] {
        self.columns.map(|column| &column[W..])
    }

    /// Solves with the triangle.
    #[inline(always)]
    fn lower(&self, x: &mut [f64]) -> [f64; W] {
        let mut solved: [f64; W] = std::array::from_fn(|q| x[q]);
        for q in 0..W {
            solved[q] *= self.reciprocals[q];
            for p in q + 1..W {
                solved[p] -= self.columns[q][p] * solved[q];
            }
        }
        x.copy_from_slice(&solved);
        solved
    }

    /// Solves with the transposed triangle after taking off what the rows below sum to.
    #[inline(always)]
    fn upper(&self, sums: [[f64; 4]; W], x: &mut [f64]) {
        let sum = |s: [f64; 4]| (s[0] + s[1]) + (s[2] + s[3]);
        let mut solved: [f64; W] = std::array::from_fn(|q| x[q] - sum(sums[q]));
        for q in (0..W).rev() {
            for p in q + 1..W {
                solved[q] -= self.columns[q][p] * solved[p];
            }
            solved[q] *= self.reciprocals[q];
        }
        x.copy_from_slice(&solved);
    }
}

/// Few columns, which write to the rows below at once.
#[inline(always)]
fn narrow_forward<const W: usize>(node: Node<'_>, x: &mut [f64]) {
    let strip = Strip::<W>::new(node, 0);
    let solved = strip.lower(&mut x[node.start..node.start + W]);
    let below = strip.below();
    let blocks = below.map(|column| column.as_chunks::<4>().0);
    let (fours, rest) = node.rows.as_chunks::<4>();
    for (k, rows) in fours.iter().enumerate() {
        let mut product = [0.0; 4];
        for q in 0..W {
            (0..4).for_each(|l| product[l] += blocks[q][k][l] * solved[q]);
        }
        (0..4).for_each(|l| x[rows[l]] -= product[l]);
    }
    for (k, &row) in (4 * fours.len()..).zip(rest) {
        x[row] -= (0..W).fold(0.0, |sum, q| sum + below[q][k] * solved[q]);
    }
}

#[inline(always)]
fn narrow_backward<const W: usize>(node: Node<'_>, x: &mut [f64]) {
    let strip = Strip::<W>::new(node, 0);
    let below = strip.below();
    let blocks = below.map(|column| column.as_chunks::<4>().0);
    let (fours, rest) = node.rows.as_chunks::<4>();
    let mut sums = [[0.0; 4]; W];
    for (k, rows) in fours.iter().enumerate() {
        let x = rows.map(|row| x[row]);
        for q in 0..W {
            (0..4).for_each(|l| sums[q][l] += blocks[q][k][l] * x[l]);
        }
    }
    for (l, &row) in rest.iter().enumerate() {
        let x = x[row];
        (0..W).for_each(|q| sums[q][l] += below[q][4 * fours.len() + l] * x);
    }
    strip.upper(sums, &mut x[node.start..node.start + W]);
}

/// Many columns, which gather what they write to the rows below.
#[inline(always)]
fn wide_forward(node: Node<'_>, x: &mut [f64], room: &mut [f64]) {
    let own = node.start..node.start + node.width;
    let room = &mut room[..node.width + node.rows.len()];
    let (inner, below) = room.split_at_mut(node.width);
    inner.copy_from_slice(&x[own.clone()]);
    below.fill(0.0);
    let mut first = 0;
    while first + WIDTH <= node.width {
        strip_forward::<WIDTH>(node, first, room);
        first += WIDTH;
    }
    match node.width - first {
        1 => strip_forward::<1>(node, first, room),
        2 => strip_forward::<2>(node, first, room),
        3 => strip_forward::<3>(node, first, room),
        _ => {}
    }
    x[own].copy_from_slice(&room[..node.width]);
    for (&row, below) in node.rows.iter().zip(&room[node.width..]) {
        x[row] += below;
    }
}

#[inline(always)]
fn strip_forward<const W: usize>(node: Node<'_>, first: usize, room: &mut [f64]) {
    let strip = Strip::<W>::new(node, first);
    let (own, rest) = room[first..].split_at_mut(W);
    let solved = strip.lower(own);
    let below = strip.below().map(|column| &column[..rest.len()]);
    for (k, y) in rest.iter_mut().enumerate() {
        *y = (0..W).fold(*y, |y, q| y - below[q][k] * solved[q]);
    }
}

#[inline(always)]
fn wide_backward(node: Node<'_>, x: &mut [f64], room: &mut [f64]) {
    let own = node.start..node.start + node.width;
    let room = &mut room[..node.width + node.rows.len()];
    let (inner, below) = room.split_at_mut(node.width);
    inner.copy_from_slice(&x[own.clone()]);
    for (below, &row) in below.iter_mut().zip(node.rows) {
        *below = x[row];
    }
    let mut first = node.width / WIDTH * WIDTH;
    match node.width - first {
        1 => strip_backward::<1>(node, first, room),
        2 => strip_backward::<2>(node, first, room),
        3 => strip_backward::<3>(node, first, room),
        _ => {}
    }
    while first > 0 {
        first -= WIDTH;
        strip_backward::<WIDTH>(node, first, room);
    }
    x[own].copy_from_slice(&room[..node.width]);
}

#[inline(always)]
fn strip_backward<const W: usize>(node: Node<'_>, first: usize, room: &mut [f64]) {
    let strip = Strip::<W>::new(node, first);
    let (own, rest) = room[first..].split_at_mut(W);
    let below = strip.below().map(|column| &column[..rest.len()]);
    let blocks = below.map(|column| column.as_chunks::<4>().0);
    let (fours, tail) = rest.as_chunks::<4>();
    let mut sums = [[0.0; 4]; W];
    for (k, x) in fours.iter().enumerate() {
        for q in 0..W {
            (0..4).for_each(|l| sums[q][l] += blocks[q][k][l] * x[l]);
        }
    }
    for (l, x) in tail.iter().enumerate() {
        (0..W).for_each(|q| sums[q][l] += below[q][4 * fours.len() + l] * x);
    }
    strip.upper(sums, own);
}
