//! Nested dissection of a box: the order of elimination that fills least.

use std::ops::Range;

/// Boxes of at most this many cells are not cut any further.
const LEAF: usize = 24;

/// The cells of a box in the order in which to eliminate them: two halves first, then the layer between them.
///
/// Cells are numbered with the last axis fastest.
pub(super) fn order(shape: [usize; 3]) -> Vec<usize> {
    let mut order = Vec::with_capacity(shape.iter().product());
    dissect(shape, shape.map(|n| 0..n), &mut order);
    order
}

fn dissect(shape: [usize; 3], part: [Range<usize>; 3], order: &mut Vec<usize>) {
    let cells: usize = part.iter().map(ExactSizeIterator::len).product();
    let longest = (0..3).fold(0, |best, d| {
        if part[d].len() > part[best].len() {
            d
        } else {
            best
        }
    });
    if cells <= LEAF || part[longest].len() < 3 {
        for i in part[0].clone() {
            for j in part[1].clone() {
                order.extend(part[2].clone().map(|k| (i * shape[1] + j) * shape[2] + k));
            }
        }
        return;
    }
    let (from, to) = (part[longest].start, part[longest].end);
    let middle = (from + to) / 2;
    for range in [from..middle, middle + 1..to, middle..middle + 1] {
        let mut piece = part.clone();
        piece[longest] = range;
        dissect(shape, piece, order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_comes_once() {
        for shape in [[1, 1, 7], [1, 20, 31], [9, 10, 11], [1, 1, 1]] {
            let mut order = order(shape);
            order.sort_unstable();
            assert!(order.iter().copied().eq(0..shape.iter().product()));
        }
    }
}
