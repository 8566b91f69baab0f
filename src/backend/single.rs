//! Triangular solves with a supernodal factor for one column at a time.
//!
//! Products of small blocks pay for batches; a single column would spend most of its time between them.

use faer::sparse::linalg::cholesky::supernodal::SupernodalLltRef;

type Factor<'a> = SupernodalLltRef<'a, usize, f64>;

/// x ← (L Lᵀ)⁻¹ x, in the order of elimination, with as much room beside it.
pub(super) fn solve(factor: Factor<'_>, x: &mut [f64], local: &mut [f64]) {
    let count = factor.symbolic().n_supernodes();
    for s in 0..count {
        forward(factor, s, x, local);
    }
    for s in (0..count).rev() {
        backward(factor, s, x, local);
    }
}

/// The columns of one supernode: below the diagonal of its block stand the rows of its pattern.
fn forward(factor: Factor<'_>, s: usize, x: &mut [f64], local: &mut [f64]) {
    let node = factor.supernode(s);
    let (start, width) = (node.start(), node.val().ncols());
    let local = &mut local[..width + node.pattern().len()];
    let (own, below) = local.split_at_mut(width);
    own.copy_from_slice(&x[start..start + width]);
    below.fill(0.0);
    for (j, column) in node.val().col_iter().enumerate() {
        let Some(column) = column.try_as_col_major() else {
            continue;
        };
        let column = &column.as_slice()[j..];
        let (first, rest) = local[j..].split_at_mut(1);
        first[0] /= column[0];
        let value = first[0];
        for (y, l) in rest.iter_mut().zip(&column[1..]) {
            *y -= l * value;
        }
    }
    x[start..start + width].copy_from_slice(&local[..width]);
    for (&row, y) in node.pattern().iter().zip(&local[width..]) {
        x[row] += y;
    }
}

fn backward(factor: Factor<'_>, s: usize, x: &mut [f64], local: &mut [f64]) {
    let node = factor.supernode(s);
    let (start, width) = (node.start(), node.val().ncols());
    let local = &mut local[..width + node.pattern().len()];
    let (own, below) = local.split_at_mut(width);
    own.copy_from_slice(&x[start..start + width]);
    for (y, &row) in below.iter_mut().zip(node.pattern()) {
        *y = x[row];
    }
    for (j, column) in node.val().col_iter().enumerate().rev() {
        let Some(column) = column.try_as_col_major() else {
            continue;
        };
        let column = &column.as_slice()[j..];
        local[j] = (local[j] - dot(&column[1..], &local[j + 1..])) / column[0];
    }
    x[start..start + width].copy_from_slice(&local[..width]);
}

/// ⟨a, b⟩ by eight sums side by side, which a processor adds at once.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (blocks, others) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail = blocks.remainder().iter().zip(others.remainder());
    let tail: f64 = tail.map(|(a, b)| a * b).sum();
    for (a, b) in blocks.zip(others) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + tail
}
