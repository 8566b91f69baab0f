//! Work with blocks of samples on all threads, with sums that do not depend on their number.

use faer::{Mat, MatRef};
use rayon::prelude::*;

use super::Network;
use super::pass::Pass;
use crate::check;
use crate::error::Result;
use crate::linalg::{SHARED, in_pool, share_columns};

/// Computes all values of a network, one pass for every block of samples.
pub(super) fn passes<'a>(network: &'a Network, theta: &'a [f64]) -> Result<Vec<Pass<'a>>> {
    check::length("θ of the network", theta.len(), network.parameters())?;
    check::finite("θ of the network", theta)?;
    let blocks = network.blocks();
    Ok(in_pool(network.is_large(), || {
        let pass = |samples| Pass::new(network, theta, samples);
        blocks.into_par_iter().map(pass).collect()
    }))
}

/// Returns the matrix whose column j is the sum of `add(block, column j of V)` over all blocks, of this length.
pub(super) fn sum_over<B: Sync>(
    blocks: &[B],
    (length, v): (usize, MatRef<'_, f64>),
    add: impl Fn(&B, &[f64], &mut [f64]) + Sync,
) -> Mat<f64> {
    let v = v.to_owned();
    let mut out = Mat::zeros(length, v.ncols());
    // The sum over the blocks is taken in their order, on any number of threads.
    if blocks.len() == 1 {
        share_columns(out.as_mut(), |j, column| {
            if let Some(column) = column.try_as_col_major_mut() {
                add(&blocks[0], v.col_as_slice(j), column.as_slice_mut());
            }
        });
        return out;
    }
    for j in 0..v.ncols() {
        let terms: Vec<Vec<f64>> = in_pool(true, || {
            let term = |block: &B| {
                let mut term = vec![0.0; length];
                add(block, v.col_as_slice(j), &mut term);
                term
            };
            blocks.par_iter().map(term).collect()
        });
        let sum = out.col_as_slice_mut(j);
        for term in &terms {
            sum.iter_mut().zip(term).for_each(|(s, t)| *s += t);
        }
    }
    out
}

impl Network {
    /// Returns whether a pass with all samples is worth sharing among threads.
    pub(super) fn is_large(&self) -> bool {
        self.parameters() * self.samples() >= SHARED
    }
}
