//! Dense kernels of the LU factorisation: assembly and elimination of one front.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_unit_lower_triangular_in_place,
};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::sums;
use super::symbolic::{Node, Symbolic};
use crate::linalg::operator::Side;

/// Number of columns per tile of a large front. Threads process different tiles.
// The number is fixed rather than derived from the number of threads, because the blocking of a matrix
// product determines the order of its sums.
const TILE: usize = 192;

/// Largest number of columns of a block that is eliminated column by column. Larger blocks are split in halves.
pub(super) const NARROW: usize = 16;

/// Panels of a front, which become part of the factor.
pub(super) struct Panels<'a> {
    /// First panel: L₁₁ (unit lower triangle, diagonal not stored) and U₁₁ share the square on top, and L₂₁
    /// follows.
    pub(super) lower: MatMut<'a, f64>,
    /// Second panel: U₁₂ᵀ, column-major.
    pub(super) upper: MatMut<'a, f64>,
}

impl<'a> Panels<'a> {
    pub(super) fn new(node: &Node, values: &'a mut [f64]) -> Self {
        let (lower, upper) = values.split_at_mut(node.size() * node.width);
        Self {
            lower: MatMut::from_column_major_slice_mut(lower, node.size(), node.width),
            upper: MatMut::from_column_major_slice_mut(upper, node.below, node.width),
        }
    }
}

/// Matrix to factorise, given by its entries.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// Entries of A, in the order of its pattern.
    pub(super) values: &'a [f64],
    /// Whether to factorise A or Aᵀ.
    pub(super) side: Side,
    /// Row sums A·1, if the pivots are computed from them, see [`super::sums`].
    pub(super) sums: Option<&'a [f64]>,
}

/// Adds the matrix entries of a node to its panels, which must be zero on entry.
pub(super) fn insert(
    symbolic: &Symbolic,
    node: &Node,
    source: Source<'_>,
    panels: &mut Panels<'_>,
) {
    for entry in symbolic.entries(node) {
        let (mut row, mut column) = (entry.row as usize, entry.column as usize);
        if source.side == Side::Transpose {
            (row, column) = (column, row);
        }
        let value = source.values[entry.source];
        if column < node.width {
            panels.lower[(row, column)] += value;
        } else {
            panels.upper[(column - node.width, row)] += value;
        }
    }
}

/// Adds the Schur complement of a child to the panels (extend-add). `places` maps rows of the child to rows of this
/// front.
pub(super) fn add_to_panels(child: MatRef<'_, f64>, places: &[usize], panels: &mut Panels<'_>) {
    let width = panels.lower.ncols();
    let inner = places.partition_point(|&place| place < width);
    for (column, &place) in child.col_iter().zip(places) {
        let Some(column) = column.try_as_col_major() else {
            continue;
        };
        let column = column.as_slice();
        // A column that this front eliminates goes to F₁₁ and F₂₁. The upper part of any other column goes to F₁₂,
        // whose transpose is stored. `add_to_rest` adds its lower part to F₂₂.
        if place < width {
            let target = panels.lower.rb_mut().col_mut(place);
            add_at(
                column,
                places,
                target.try_as_col_major_mut().map(|c| c.as_slice_mut()),
            );
        } else {
            for (value, &row) in column[..inner].iter().zip(places) {
                panels.upper[(place - width, row)] += value;
            }
        }
    }
}

/// Adds the Schur complement of a child to F₂₂, the block that this front hands to its parent.
///
/// Skips the rows and columns of the child that this front eliminates. `places` maps rows of the child to rows of
/// this front.
pub(super) fn add_to_rest(
    child: MatRef<'_, f64>,
    places: &[usize],
    width: usize,
    mut rest: MatMut<'_, f64>,
) {
    let inner = places.partition_point(|&place| place < width);
    let places: Vec<usize> = places[inner..].iter().map(|place| place - width).collect();
    for (column, &place) in child.col_iter().skip(inner).zip(&places) {
        let Some(column) = column.try_as_col_major() else {
            continue;
        };
        let target = rest.rb_mut().col_mut(place);
        let target = target.try_as_col_major_mut().map(|c| c.as_slice_mut());
        add_at(&column.as_slice()[inner..], &places, target);
    }
}

/// Computes target[places] += values.
fn add_at(values: &[f64], places: &[usize], target: Option<&mut [f64]>) {
    if let Some(target) = target {
        for (value, &place) in values.iter().zip(places) {
            target[place] += value;
        }
    }
}

/// Eliminates the columns of a front: L and U replace its panels, and −L₂₁U₁₂ replaces `rest`.
///
/// The Schur complement is complete once [`add_to_rest`] has added those of the children. If the pivots are
/// computed from row sums, `beneath` holds the column sums below the square, see [`super::sums`]. Returns
/// false if a pivot vanishes.
pub(super) fn eliminate(
    panels: &mut Panels<'_>,
    beneath: Option<&mut [f64]>,
    mut rest: MatMut<'_, f64>,
) -> bool {
    let width = panels.lower.ncols();
    let (mut square, lower) = panels.lower.rb_mut().split_at_row_mut(width);
    let regular = match beneath {
        Some(beneath) => sums::factorise(square.rb_mut(), beneath),
        None => factorise(square.rb_mut()),
    };
    if !regular {
        return false;
    }
    // With F₁₁ = L₁₁U₁₁: L₂₁ = F₂₁U₁₁⁻¹, that is L₂₁ᵀ = U₁₁⁻ᵀF₂₁ᵀ, and U₁₂ = L₁₁⁻¹F₁₂. Both solves run over columns.
    let (square, upper) = (square.rb(), panels.upper.rb_mut());
    let (mut lower, mut upper) = (lower.transpose_mut(), upper.transpose_mut());
    tiles(lower.rb_mut(), |_, tile| {
        solve_lower_triangular_in_place(square.transpose(), tile, Par::Seq);
    });
    tiles(upper.rb_mut(), |_, tile| {
        solve_unit_lower_triangular_in_place(square, tile, Par::Seq);
    });
    // The product overwrites `rest`, which need not be zero on entry. The children are added afterwards.
    let (lower, upper) = (lower.rb().transpose(), upper.rb());
    tiles(rest.rb_mut(), |first, tile| {
        let upper = upper.subcols(first, tile.ncols());
        matmul(tile, Accum::Replace, lower, upper, -1.0, Par::Seq);
    });
    true
}

/// Calls `work(first, tile)` for tiles of columns that start at column `first`, in parallel if there are several.
///
/// The tiles do not depend on the number of threads, so neither does the result.
pub(super) fn tiles(m: MatMut<'_, f64>, work: impl Fn(usize, MatMut<'_, f64>) + Sync) {
    if m.ncols() <= TILE {
        work(0, m);
    } else {
        let tiles = m.par_col_chunks_mut(TILE).enumerate();
        tiles.for_each(|(i, tile)| work(i * TILE, tile));
    }
}

/// Factorises A = L U in place, without pivoting. Returns false if a pivot vanishes.
///
/// A recursion step computes A₁₁ = L₁₁U₁₁, U₁₂ = L₁₁⁻¹A₁₂, L₂₁ = A₂₁U₁₁⁻¹, and the Schur complement
/// A₂₂ − L₂₁U₁₂.
fn factorise(mut a: MatMut<'_, f64>) -> bool {
    let n = a.nrows();
    // Halving turns nearly all of the n³·2/3 operations into products of blocks. Elimination column by column
    // would read and write the whole remainder in each of the n steps.
    if n <= NARROW {
        return factorise_narrow(a);
    }
    // Blocks start at multiples of 8 doubles, which fill a cache line.
    let half = (n / 2).next_multiple_of(8);
    let (mut a11, mut a12, mut a21, mut a22) = a.rb_mut().split_at_mut(half, half);
    if !factorise(a11.rb_mut()) {
        return false;
    }
    tiles(a12.rb_mut(), |_, tile| {
        solve_unit_lower_triangular_in_place(a11.rb(), tile, Par::Seq);
    });
    tiles(a21.rb_mut().transpose_mut(), |_, tile| {
        solve_lower_triangular_in_place(a11.rb().transpose(), tile, Par::Seq);
    });
    tiles(a22.rb_mut(), |first, tile| {
        let a12 = a12.rb().subcols(first, tile.ncols());
        matmul(tile, Accum::Add, a21.rb(), a12, -1.0, Par::Seq);
    });
    factorise(a22)
}

/// Factorises A = L U in place, column by column. Returns false if a pivot vanishes.
fn factorise_narrow(mut a: MatMut<'_, f64>) -> bool {
    let n = a.nrows();
    for k in 0..n {
        let pivot = a[(k, k)];
        // Only a pivot that is zero or not finite stops the elimination. A small pivot may be adequate in a
        // column of small entries. If it is not, the residual check of the solution will reveal it.
        if pivot == 0.0 || !pivot.is_finite() {
            return false;
        }
        for i in k + 1..n {
            a[(i, k)] /= pivot;
        }
        for j in k + 1..n {
            let u = a[(k, j)];
            for i in k + 1..n {
                a[(i, j)] -= a[(i, k)] * u;
            }
        }
    }
    true
}
