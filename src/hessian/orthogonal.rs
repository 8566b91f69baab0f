//! Inner products and projections of long vectors, block by block.
//!
//! The blocks are fixed, so that results do not depend on the number of threads.

use rayon::prelude::*;

use crate::linalg::{SHARED, in_pool, is_parallel, share_pieces, vectorised};

/// Number of entries of a block, which stay in the cache while a basis passes.
const BLOCK: usize = 1 << 12;

/// Returns the inner product ⟨a, b⟩.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let blocks = a.chunks(BLOCK).zip(b.chunks(BLOCK));
    blocks.map(|(a, b)| dot_of_block(a, b)).sum()
}

/// Computes r ← r − Σᵢ (vᵢᵀr) cᵢ for vectors vᵢ and covectors cᵢ.
pub(super) fn project(vectors: &[Vec<f64>], covectors: &[Vec<f64>], r: &mut [f64]) {
    let pays = vectors.len() * r.len() >= SHARED;
    in_pool(pays, || {
        let overlaps_of = |(k, r): (usize, &[f64])| -> Vec<f64> {
            let overlap = |v: &Vec<f64>| dot_of_block(&v[k * BLOCK..][..r.len()], r);
            vectors.iter().map(overlap).collect()
        };
        let overlaps: Vec<_> = match pays && is_parallel() {
            true => r.par_chunks(BLOCK).enumerate().map(overlaps_of).collect(),
            false => r.chunks(BLOCK).enumerate().map(overlaps_of).collect(),
        };
        let overlaps = sums(&overlaps, vectors.len());
        share_pieces(pays, r, BLOCK, |first, r| {
            for (c, overlap) in covectors.iter().zip(&overlaps) {
                let pairs = r.iter_mut().zip(&c[first..]);
                pairs.for_each(|(r, c)| *r -= overlap * c);
            }
        });
    });
}

/// Returns the sums over the blocks, for every vector.
fn sums(of_blocks: &[Vec<f64>], vectors: usize) -> Vec<f64> {
    let sum = |i: usize| of_blocks.iter().map(|block| block[i]).sum();
    (0..vectors).map(sum).collect()
}

/// Returns ⟨a, b⟩ in eight partial sums, which the compiler keeps in vector registers.
fn dot_of_block(a: &[f64], b: &[f64]) -> f64 {
    vectorised(
        #[inline(always)]
        || {
            let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
            let mut sums = [0.0; 8];
            for (a, b) in a.iter().zip(b) {
                (0..8).for_each(|lane| sums[lane] += a[lane] * b[lane]);
            }
            let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b);
            sums.into_iter().chain(rest).sum()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vector whose entry i is i (k + 1) modulo 11, minus 5. Sums of products of such entries are exact.
    fn integers(k: usize, n: usize) -> Vec<f64> {
        (0..n).map(|i| (i * (k + 1) % 11) as f64 - 5.0).collect()
    }

    #[test]
    fn products_and_projections_agree_with_plain_sums_for_any_length_and_number_of_threads() {
        for n in [0, 7, 8, BLOCK, 5 * BLOCK + 13] {
            let [v, c] = [0, 20].map(|k| (k..k + 9).map(|k| integers(k, n)).collect::<Vec<_>>());
            let r = integers(40, n);
            let plain = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            assert_eq!(dot(&v[0], &r), plain(&v[0], &r));
            let overlaps: Vec<f64> = v.iter().map(|v| plain(v, &r)).collect();
            let expected: Vec<f64> = (0..n)
                .map(|i| (0..9).fold(r[i], |sum, k| sum - overlaps[k] * c[k][i]))
                .collect();
            for threads in [1, 2, 4] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                let mut projected = r.clone();
                pool.unwrap().install(|| project(&v, &c, &mut projected));
                assert_eq!(projected, expected, "{n} entries, {threads} threads");
            }
        }
    }
}
