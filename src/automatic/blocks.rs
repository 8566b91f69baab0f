//! Evaluation of many outputs by blocks, on all threads.

use rayon::prelude::*;

use super::decisions::Decisions;
use super::dual::Lanes;
use super::jacobian::Map;

/// Outputs of a block. The number is fixed, so that decisions are hashed in the same order on any number of threads.
const BLOCK: usize = 2048;

/// Returns whether the outputs are computed by blocks.
pub(super) fn has_blocks<M: Map>(map: &M, x: &[f64]) -> bool {
    map.rows() > BLOCK && map.block(x, 0, &mut [])
}

/// Writes f(x) to `out`, by blocks if the map has them.
pub(super) fn values<M: Map>(map: &M, x: &[f64], out: &mut [f64]) {
    if !has_blocks(map, x) {
        return map.at(x, out);
    }
    let blocks = out.par_chunks_mut(BLOCK).enumerate();
    blocks.for_each(|(i, block)| {
        map.block(x, i * BLOCK, block);
    });
}

/// Writes the derivatives along the first directions of x to `columns`, which has a column per direction. The map must have blocks.
pub(super) fn slopes<M: Map, const N: usize>(map: &M, x: &[Lanes<f64, N>], columns: &mut [f64]) {
    let rows = map.rows();
    let mut blocks: Vec<Vec<&mut [f64]>> = Vec::new();
    blocks.resize_with(rows.div_ceil(BLOCK), Vec::new);
    for column in columns.chunks_exact_mut(rows) {
        for (block, part) in blocks.iter_mut().zip(column.chunks_mut(BLOCK)) {
            block.push(part);
        }
    }
    // This thread computes blocks too, and may meanwhile help other evaluations.
    let before = Decisions::take();
    let blocks = blocks.into_par_iter().enumerate();
    let found = blocks.map_init(Vec::new, |out, (i, parts)| {
        let height = parts.first().map_or(0, |part| part.len());
        // A value that the formula leaves out must not pass for one of another block.
        out.clear();
        out.resize(height, Lanes::<f64, N>::from(f64::NAN));
        Decisions::take();
        map.block(x, i * BLOCK, out);
        for (lane, part) in parts.into_iter().enumerate() {
            let pairs = part.iter_mut().zip(&*out);
            pairs.for_each(|(slope, y)| *slope = y.tangent[lane]);
        }
        Decisions::take()
    });
    Decisions::resume(before, &found.collect::<Vec<_>>());
}
