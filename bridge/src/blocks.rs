//! Vectors in blocks: the protocol has several inputs and outputs, the library one vector each.

use std::ops::Range;

/// Blocks of a vector.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    sizes: Vec<usize>,
}

impl Blocks {
    pub(crate) fn new(sizes: Vec<usize>) -> Self {
        Self { sizes }
    }

    /// Returns the length of the whole vector.
    pub(crate) fn len(&self) -> usize {
        self.sizes.iter().sum()
    }

    /// Returns the number and the range of every block that is not empty.
    pub(crate) fn ranges(&self) -> Vec<(usize, Range<usize>)> {
        let mut start = 0;
        let range = |&size: &usize| {
            start += size;
            start - size..start
        };
        let all = self.sizes.iter().map(range).enumerate();
        all.filter(|(_, range)| !range.is_empty()).collect()
    }

    /// Cuts a vector into its blocks, empty ones included.
    pub(crate) fn split(&self, vector: &[f64]) -> Vec<Vec<f64>> {
        let mut rest = vector;
        let cut = |&size: &usize| {
            let (block, tail) = rest.split_at(size);
            rest = tail;
            block.to_vec()
        };
        self.sizes.iter().map(cut).collect()
    }
}
