//! Triangular solves with a supernodal Cholesky factor for a single right-hand side.
//!
//! Dense kernels (matrix-matrix products) pay off for batches. With a single right-hand side, the call
//! overhead of small blocks dominates. The kernels below therefore process four columns of a supernode
//! together, so that each entry of x is loaded and stored once instead of four times.

use crate::linalg::operator::vectorised;

/// Number of columns of a wide supernode that are processed together.
const WIDTH: usize = 4;

/// Supernode: factor columns with a common set of rows. The panel holds the triangle L₁₁ above the rectangle
/// L₂₁.
///
/// Rows are indices within x, the part of the solution that the supernodes of one solve need.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    /// First row of L₁₁.
    pub(crate) start: usize,
    pub(crate) width: usize,
    /// Rows of L₂₁, in ascending order.
    pub(crate) rows: &'a [u32],
    /// Entries of L₁₁ and L₂₁, column-major.
    pub(crate) panel: &'a [f64],
    /// Reciprocals of the diagonal of L₁₁, since multiplication has a shorter latency than division.
    pub(crate) reciprocals: &'a [f64],
}

impl Node<'_> {
    /// Returns whether the rows of L₂₁ follow those of L₁₁ without a gap.
    pub(crate) fn is_contiguous(&self) -> bool {
        let end = self.start + self.width + self.rows.len();
        self.rows
            .last()
            .is_none_or(|&last| last as usize + 1 == end)
    }
}

/// Computes x₁ ← L₁₁⁻¹x₁ and x₂ ← x₂ − L₂₁x₁ for one supernode after another. `workspace` needs one entry per row of the
/// largest one.
pub(crate) fn forward<'a>(
    nodes: impl Iterator<Item = Node<'a>>,
    x: &mut [f64],
    workspace: &mut [f64],
) {
    vectorised(
        #[inline(always)]
        || {
            for node in nodes {
                match node.width {
                    1 => narrow_forward::<1>(node, x),
                    2 => narrow_forward::<2>(node, x),
                    3 => narrow_forward::<3>(node, x),
                    4 => narrow_forward::<4>(node, x),
                    _ => wide_forward(node, x, workspace),
                }
            }
        },
    );
}

/// Computes x₁ ← L₁₁⁻ᵀ(x₁ − L₂₁ᵀx₂) for one supernode after another.
pub(crate) fn backward<'a>(
    nodes: impl Iterator<Item = Node<'a>>,
    x: &mut [f64],
    workspace: &mut [f64],
) {
    vectorised(
        #[inline(always)]
        || {
            for node in nodes {
                match node.width {
                    1 => narrow_backward::<1>(node, x),
                    2 => narrow_backward::<2>(node, x),
                    3 => narrow_backward::<3>(node, x),
                    4 => narrow_backward::<4>(node, x),
                    _ => wide_backward(node, x, workspace),
                }
            }
        },
    );
}

/// Block of W consecutive columns of a supernode, with the reciprocals of its diagonal entries.
struct Strip<'a, const W: usize> {
    /// Columns of the strip. Every column starts at the row of the first diagonal entry of the strip.
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

    /// Returns the entries of the strip below its W×W triangle.
    #[inline(always)]
    fn below(&self) -> [&'a [f64]; W] {
        self.columns.map(|column| &column[W..])
    }

    /// Computes x ← L₁₁⁻¹ x by forward substitution with the W×W triangle, and returns x.
    #[inline(always)]
    fn lower(&self, x: &mut [f64]) -> [f64; W] {
        // x_q ← x_q/l_qq, then x_p ← x_p − l_pq x_q for p > q, in registers.
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

    /// Computes x ← L₁₁⁻ᵀ(x − s) by backward substitution. `sums` holds s = L₂₁ᵀ x₂ in four partial sums per
    /// column.
    #[inline(always)]
    fn upper(&self, sums: [[f64; 4]; W], x: &mut [f64]) {
        // A fixed order of summation makes the result bitwise independent of CPU and compiler.
        let sum = |s: [f64; 4]| (s[0] + s[1]) + (s[2] + s[3]);
        // From the last unknown up: x_q ← (x_q − s_q − Σ_{p>q} l_pq x_p)/l_qq.
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

/// Performs forward substitution with a supernode of W ≤ 4 columns, and updates the rows below directly in x.
#[inline(always)]
fn narrow_forward<const W: usize>(node: Node<'_>, x: &mut [f64]) {
    let strip = Strip::<W>::new(node, 0);
    let solved = strip.lower(&mut x[node.start..node.start + W]);
    let below = strip.below();
    let blocks = below.map(|column| column.as_chunks::<4>().0);
    let (fours, rest) = node.rows.as_chunks::<4>();
    for (k, rows) in fours.iter().enumerate() {
        // The rows of a supernode are distinct, so that four updates of x cannot collide.
        let mut product = [0.0; 4];
        for q in 0..W {
            (0..4).for_each(|l| product[l] += blocks[q][k][l] * solved[q]);
        }
        (0..4).for_each(|l| x[rows[l] as usize] -= product[l]);
    }
    for (k, &row) in (4 * fours.len()..).zip(rest) {
        x[row as usize] -= (0..W).fold(0.0, |sum, q| sum + below[q][k] * solved[q]);
    }
}

/// Performs backward substitution with a supernode of W ≤ 4 columns.
#[inline(always)]
fn narrow_backward<const W: usize>(node: Node<'_>, x: &mut [f64]) {
    let strip = Strip::<W>::new(node, 0);
    let below = strip.below();
    let blocks = below.map(|column| column.as_chunks::<4>().0);
    let (fours, rest) = node.rows.as_chunks::<4>();
    // Row i is added to partial sum i mod 4. The four independent sums fill a vector register. `Strip::upper`
    // adds them up.
    let mut sums = [[0.0; 4]; W];
    for (k, rows) in fours.iter().enumerate() {
        let x = rows.map(|row| x[row as usize]);
        for q in 0..W {
            (0..4).for_each(|l| sums[q][l] += blocks[q][k][l] * x[l]);
        }
    }
    for (l, &row) in rest.iter().enumerate() {
        let x = x[row as usize];
        (0..W).for_each(|q| sums[q][l] += below[q][4 * fours.len() + l] * x);
    }
    strip.upper(sums, &mut x[node.start..node.start + W]);
}

/// Performs forward substitution with a supernode of more than 4 columns.
///
/// The strips of the supernode accumulate their updates of the rows below in the contiguous workspace. The sum is
/// scattered to x once, at the end. Contiguous rows are updated in x itself.
#[inline(always)]
fn wide_forward(node: Node<'_>, x: &mut [f64], workspace: &mut [f64]) {
    if node.is_contiguous() {
        return strips_forward(node, &mut x[node.start..]);
    }
    let own = node.start..node.start + node.width;
    let workspace = &mut workspace[..node.width + node.rows.len()];
    let (inner, below) = workspace.split_at_mut(node.width);
    inner.copy_from_slice(&x[own.clone()]);
    below.fill(0.0);
    strips_forward(node, workspace);
    x[own].copy_from_slice(&workspace[..node.width]);
    for (&row, below) in node.rows.iter().zip(&workspace[node.width..]) {
        x[row as usize] += below;
    }
}

/// Performs forward substitution strip by strip, with the solution in all rows of a supernode.
#[inline(always)]
fn strips_forward(node: Node<'_>, x: &mut [f64]) {
    let x = &mut x[..node.width + node.rows.len()];
    let mut first = 0;
    while first + WIDTH <= node.width {
        strip_forward::<WIDTH>(node, first, x);
        first += WIDTH;
    }
    match node.width - first {
        1 => strip_forward::<1>(node, first, x),
        2 => strip_forward::<2>(node, first, x),
        3 => strip_forward::<3>(node, first, x),
        _ => {}
    }
}

/// Performs forward substitution with one strip: solves for its W unknowns, then updates all rows below the
/// strip. `x` is the solution in all rows of the supernode.
#[inline(always)]
fn strip_forward<const W: usize>(node: Node<'_>, first: usize, x: &mut [f64]) {
    let strip = Strip::<W>::new(node, first);
    let (own, rest) = x[first..].split_at_mut(W);
    let solved = strip.lower(own);
    let below = strip.below().map(|column| &column[..rest.len()]);
    for (k, y) in rest.iter_mut().enumerate() {
        // y is loaded and stored once for all W columns: W + 2 memory accesses instead of 3W for 2W
        // operations.
        *y = (0..W).fold(*y, |y, q| y - below[q][k] * solved[q]);
    }
}

/// Performs backward substitution with a supernode of more than 4 columns. Gathers the rows below first, unless they are
/// contiguous.
#[inline(always)]
fn wide_backward(node: Node<'_>, x: &mut [f64], workspace: &mut [f64]) {
    if node.is_contiguous() {
        return strips_backward(node, &mut x[node.start..]);
    }
    let own = node.start..node.start + node.width;
    let workspace = &mut workspace[..node.width + node.rows.len()];
    let (inner, below) = workspace.split_at_mut(node.width);
    inner.copy_from_slice(&x[own.clone()]);
    for (below, &row) in below.iter_mut().zip(node.rows) {
        *below = x[row as usize];
    }
    strips_backward(node, workspace);
    x[own].copy_from_slice(&workspace[..node.width]);
}

/// Performs backward substitution strip by strip, with the solution in all rows of a supernode.
#[inline(always)]
fn strips_backward(node: Node<'_>, x: &mut [f64]) {
    let x = &mut x[..node.width + node.rows.len()];
    // Strips are processed in reverse order, so that the narrow remainder comes first.
    let mut first = node.width / WIDTH * WIDTH;
    match node.width - first {
        1 => strip_backward::<1>(node, first, x),
        2 => strip_backward::<2>(node, first, x),
        3 => strip_backward::<3>(node, first, x),
        _ => {}
    }
    while first > 0 {
        first -= WIDTH;
        strip_backward::<WIDTH>(node, first, x);
    }
}

/// Performs backward substitution with one strip: subtracts the products with all rows below the strip, then
/// solves for its W unknowns.
#[inline(always)]
fn strip_backward<const W: usize>(node: Node<'_>, first: usize, x: &mut [f64]) {
    let strip = Strip::<W>::new(node, first);
    let (own, rest) = x[first..].split_at_mut(W);
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
