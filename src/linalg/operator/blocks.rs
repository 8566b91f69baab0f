//! Vectors split into blocks, for loops and sums that threads share.

use std::ops::Range;

/// Largest number of cells in a block.
///
/// A block takes several microseconds, far longer than it takes to hand it to another thread.
pub(crate) const BLOCK: usize = 1 << 12;

/// Vectors over the same cells that can be split between two cells.
pub(crate) trait Split: Send + Sized {
    /// Returns the number of cells.
    fn cells(&self) -> usize;

    /// Splits the vectors before a cell.
    fn split(self, cell: usize) -> (Self, Self);
}

/// The indices of the cells.
impl Split for Range<usize> {
    fn cells(&self) -> usize {
        self.len()
    }

    fn split(self, cell: usize) -> (Self, Self) {
        let middle = self.start + cell;
        (self.start..middle, middle..self.end)
    }
}

impl<T: Sync> Split for &[T] {
    fn cells(&self) -> usize {
        self.len()
    }

    fn split(self, cell: usize) -> (Self, Self) {
        self.split_at(cell)
    }
}

impl<T: Send> Split for &mut [T] {
    fn cells(&self) -> usize {
        self.len()
    }

    fn split(self, cell: usize) -> (Self, Self) {
        self.split_at_mut(cell)
    }
}

impl<A: Split, B: Split> Split for (A, B) {
    fn cells(&self) -> usize {
        self.0.cells()
    }

    fn split(self, cell: usize) -> (Self, Self) {
        let ((a, c), (b, d)) = (self.0.split(cell), self.1.split(cell));
        ((a, b), (c, d))
    }
}

/// Returns the K sums of all blocks, one per lane, that `kernel` returns for every block.
///
/// Blocks are added in pairs, pairs of pairs, and so on. This order depends on the number of cells alone, so that results
/// have the same bits for any number of threads and lanes.
pub(crate) fn sum_blocks<P: Split, const W: usize, const K: usize>(
    vectors: P,
    kernel: &(impl Fn(P) -> [[f64; W]; K] + Sync),
) -> [[f64; W]; K] {
    let cells = vectors.cells();
    if cells <= BLOCK {
        return kernel(vectors);
    }
    let (lower, upper) = vectors.split(cells.div_ceil(BLOCK).div_ceil(2) * BLOCK);
    let (sums, others) = rayon::join(|| sum_blocks(lower, kernel), || sum_blocks(upper, kernel));
    plus(sums, others)
}

/// Calls `kernel` for every block.
pub(crate) fn each_block<P: Split>(vectors: P, kernel: &(impl Fn(P) + Sync)) {
    sum_blocks::<P, 0, 0>(vectors, &|block| {
        kernel(block);
        []
    });
}

/// Returns the sum of two sets of K sums.
pub(crate) fn plus<const W: usize, const K: usize>(
    mut sums: [[f64; W]; K],
    others: [[f64; W]; K],
) -> [[f64; W]; K] {
    for (sum, other) in sums
        .as_flattened_mut()
        .iter_mut()
        .zip(others.as_flattened())
    {
        *sum += other;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_all_cells_and_their_sums_are_added_in_pairs() {
        for cells in [1, BLOCK, BLOCK + 1, 3 * BLOCK, 7 * BLOCK + 5] {
            let x: Vec<f64> = (0..cells).map(|i| 1.0 / (i + 1) as f64).collect();
            let mut seen = vec![0.0; cells];
            let [[found, count]] = sum_blocks((&x[..], &mut seen[..]), &|(x, seen)| {
                seen.copy_from_slice(x);
                [[x.iter().sum(), x.len() as f64]]
            });
            assert_eq!((seen, count), (x.clone(), cells as f64));
            let sums: Vec<f64> = x.chunks(BLOCK).map(|block| block.iter().sum()).collect();
            fn pairs(sums: &[f64]) -> f64 {
                match sums {
                    [sum] => *sum,
                    _ => {
                        let (lower, upper) = sums.split_at(sums.len().div_ceil(2));
                        pairs(lower) + pairs(upper)
                    }
                }
            }
            assert_eq!(found.to_bits(), pairs(&sums).to_bits());
        }
    }
}
