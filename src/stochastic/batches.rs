//! Batches of one epoch.

use crate::random;

/// Returns the batches of an epoch: every item once, in batches of at most `size` items whose sizes differ by at most one.
///
/// With a remainder as a batch of its own, a few items would make a step of full length.
pub(super) fn batches(count: usize, size: usize, (seed, epoch): (u64, usize)) -> Vec<Vec<usize>> {
    let parts = count.div_ceil(size);
    let order = random::permutation(count, seed, epoch as u64 + 1);
    let bound = |part: usize| part * count / parts;
    let batch = |part: usize| {
        // The order within a batch does not matter. A batch of all items is then the objective itself.
        let mut batch = order[bound(part)..bound(part + 1)].to_vec();
        batch.sort_unstable();
        batch
    };
    (0..parts).map(batch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_in_one_batch_and_no_batch_is_much_smaller() {
        for (count, size) in [(10, 3), (100, 64), (5, 5), (7, 1)] {
            let batches = batches(count, size, (3, 0));
            let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert!(*most <= size && most - least <= 1, "{sizes:?}");
            let mut all = batches.concat();
            all.sort_unstable();
            assert!(all.iter().copied().eq(0..count));
        }
    }

    #[test]
    fn epochs_and_seeds_have_orders_of_their_own() {
        let first = batches(50, 5, (1, 0));
        assert_eq!(batches(50, 5, (1, 0)), first);
        assert_ne!(batches(50, 5, (1, 1)), first);
        assert_ne!(batches(50, 5, (2, 0)), first);
    }
}
