//! Dense kernels of the Cholesky factorisation: assembly and elimination of one front.
//!
//! Fronts and updates have full storage, but only their lower triangles are valid. No kernel reads above the
//! diagonal.

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, MatMut, MatRef, Par};

use super::front::tiles;
use super::symbolic::{Entry, Node};
use crate::linalg::operator::vectorised;

/// Largest number of columns of a panel that is eliminated column by column. Wider panels are split in halves.
const NARROW: usize = 8;

/// Number of rows below a node, and number of its columns. Up to either, plain loops are faster than a matrix
/// product.
const SMALL: (usize, usize) = (8, 4);

/// Schur complement of a child, to be added to the front of its parent.
#[derive(Clone, Copy)]
pub(super) struct Update<'a> {
    pub(super) values: &'a [f64],
    /// For each row of the child, its row in the front of the parent.
    pub(super) places: &'a [usize],
}

/// Adds the matrix entries of a node to its panel, which must be zero on entry.
pub(super) fn insert(entries: &[Entry], values: &[f64], node: &Node, panel: &mut [f64]) {
    for entry in entries {
        panel[entry.column as usize * node.size() + entry.row as usize] += values[entry.source];
    }
}

/// Eliminates the columns of a front: L replaces the panel, and the Schur complement F₂₂ − L₂₁L₂₁ᵀ replaces
/// `rest`.
///
/// Returns `None` if a pivot is not positive.
pub(super) fn eliminate<'c, I: Iterator<Item = Update<'c>>>(
    node: &Node,
    children: impl Fn() -> I,
    panel: &mut [f64],
    rest: &mut [f64],
) -> Option<()> {
    vectorised(
        #[inline(always)]
        || {
            for update in children() {
                add_to_panel(update, node, panel);
            }
            if node.width <= NARROW {
                eliminate_narrow(panel, (node.size(), node.width), node.size())?;
            } else {
                eliminate_wide(panel, (node.size(), node.width), node.size())?;
            }
            // Both variants overwrite `rest`, which need not be zero on entry. The children are added
            // afterwards.
            if node.below <= SMALL.0 || node.width <= SMALL.1 {
                small_rest(panel, rest, node);
            } else {
                large_rest(panel, rest, node);
            }
            for update in children() {
                add_to_rest(update, node, rest);
            }
            Some(())
        },
    )
}

/// Adds those columns of a child that this front eliminates to the panel of the front.
#[inline(always)]
fn add_to_panel(update: Update<'_>, node: &Node, panel: &mut [f64]) {
    let (places, size) = (update.places, node.size());
    let columns = update.values.chunks_exact(places.len().max(1));
    for (j, (column, &place)) in columns.zip(places).enumerate() {
        // `places` is in increasing order, so that the columns that this front eliminates come first.
        if place >= node.width {
            break;
        }
        let target = &mut panel[place * size..][..size];
        for (value, &row) in column[j..].iter().zip(&places[j..]) {
            target[row] += value;
        }
    }
}

/// Adds the columns of a child that this front does not eliminate to F₂₂, the block for the parent of this
/// front.
#[inline(always)]
fn add_to_rest(update: Update<'_>, node: &Node, rest: &mut [f64]) {
    let places = update.places;
    let inner = places.partition_point(|&place| place < node.width);
    let columns = update.values.chunks_exact(places.len().max(1));
    for (j, column) in columns.enumerate().skip(inner) {
        let target = &mut rest[(places[j] - node.width) * node.below..][..node.below];
        for (value, &row) in column[j..].iter().zip(&places[j..]) {
            target[row - node.width] += value;
        }
    }
}

/// Factorises a panel column by column (right-looking Cholesky). Columns start `stride` entries apart.
///
/// Returns `None` if a pivot is not positive.
#[inline(always)]
fn eliminate_narrow(panel: &mut [f64], (rows, width): (usize, usize), stride: usize) -> Option<()> {
    for j in 0..width {
        let (left, right) = panel.split_at_mut(((j + 1) * stride).min(panel.len()));
        let column = &mut left[j * stride..][..rows];
        // Written as a negation, so that NaN fails the test.
        if !(column[j] > 0.0 && column[j].is_finite()) {
            return None;
        }
        // lⱼⱼ = √aⱼⱼ and lᵢⱼ = aᵢⱼ/√aⱼⱼ, then aᵢₖ ← aᵢₖ − lᵢⱼ lₖⱼ for i ≥ k > j.
        // There is one root and one division per column; all other operations are multiplications. The
        // reciprocal adds one rounding error to every entry.
        let reciprocal = column[j].sqrt().recip();
        column[j..].iter_mut().for_each(|l| *l *= reciprocal);
        for k in j + 1..width {
            let target = &mut right[(k - j - 1) * stride..][k..rows];
            let l = column[k];
            for (a, c) in target.iter_mut().zip(&column[k..]) {
                *a -= l * c;
            }
        }
    }
    Some(())
}

/// Factorises a panel by halves: factorises the left half, updates the right half with it, and factorises the
/// right half.
///
/// Returns `None` if a pivot is not positive.
fn eliminate_wide(panel: &mut [f64], (rows, width): (usize, usize), stride: usize) -> Option<()> {
    if width <= NARROW {
        return vectorised(
            #[inline(always)]
            || eliminate_narrow(panel, (rows, width), stride),
        );
    }
    let half = (width / 2).next_multiple_of(NARROW);
    let (below, others) = (rows - half, width - half);
    eliminate_wide(panel, (rows, half), stride)?;
    let (left, right) = panel.split_at_mut(half * stride);
    let right = &mut right[half..];
    let left = MatRef::from_column_major_slice_with_stride(left, rows, half, stride);
    let lower = left.subrows(half, below);
    let rest = MatMut::from_column_major_slice_with_stride_mut(right, below, others, stride);
    // R ← R − L Lᵀ with the columns L of the left half and R of the right half. Each tile starts at its first
    // diagonal entry, since only the lower triangle is used.
    tiles(rest, |first, tile| {
        let across = lower.subrows(first, tile.ncols()).transpose();
        let tile = tile.subrows_mut(first, below - first);
        let lower = lower.subrows(first, below - first);
        matmul(tile, Accum::Add, lower, across, -1.0, Par::Seq);
    });
    eliminate_wide(right, (below, others), stride)
}

/// Computes rest ← −L₂₁L₂₁ᵀ tile by tile, with a triangular product for the diagonal block of a tile and a
/// full product for the block below.
fn large_rest(panel: &[f64], rest: &mut [f64], node: &Node) {
    let (size, width, below) = (node.size(), node.width, node.below);
    let lower = MatRef::from_column_major_slice(panel, size, width).subrows(width, below);
    let rest = MatMut::from_column_major_slice_mut(rest, below, below);
    tiles(rest, |first, tile| {
        let count = tile.ncols();
        let (square, tile) = tile
            .subrows_mut(first, below - first)
            .split_at_row_mut(count);
        let (own, others) = lower.subrows(first, below - first).split_at_row(count);
        let across = own.transpose();
        triangular::matmul(
            square,
            BlockStructure::TriangularLower,
            Accum::Replace,
            own,
            BlockStructure::Rectangular,
            across,
            BlockStructure::Rectangular,
            -1.0,
            Par::Seq,
        );
        matmul(tile, Accum::Replace, others, across, -1.0, Par::Seq);
    });
}

/// Computes rest ← −L₂₁L₂₁ᵀ by plain loops, for few columns of the node or few rows below it.
#[inline(always)]
fn small_rest(panel: &[f64], rest: &mut [f64], node: &Node) {
    let below = node.below;
    for (j, column) in rest.chunks_exact_mut(below.max(1)).enumerate() {
        let column = &mut column[j..];
        match node.width {
            1 => column_of_rest::<1>(panel, node, j, column),
            2 => column_of_rest::<2>(panel, node, j, column),
            3 => column_of_rest::<3>(panel, node, j, column),
            width => {
                column_of_rest::<4>(panel, node, j, column);
                for q in 4..width {
                    let l = &panel[q * node.size() + node.width + j..][..below - j];
                    let factor = l[0];
                    column.iter_mut().zip(l).for_each(|(a, l)| *a -= factor * l);
                }
            }
        }
    }
}

/// Computes column j of −L₂₁L₂₁ᵀ, from the diagonal down, summed over the first W columns of L₂₁.
#[inline(always)]
fn column_of_rest<const W: usize>(panel: &[f64], node: &Node, j: usize, column: &mut [f64]) {
    let l = |q: usize| &panel[q * node.size() + node.width + j..][..column.len()];
    let lower: [&[f64]; W] = std::array::from_fn(l);
    let factors = lower.map(|l| l[0]);
    for (i, a) in column.iter_mut().enumerate() {
        *a = -(0..W).fold(0.0, |sum, q| sum + factors[q] * lower[q][i]);
    }
}
