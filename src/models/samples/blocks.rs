//! Work on all particles, block by block.

use rayon::prelude::*;

/// Particles of a block. The number is fixed, so that sums do not depend on the number of threads.
const BLOCK: usize = 64;

/// Sizes of clouds: the state holds the clouds of all snapshots one after the other, each with its particles one after the
/// other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) particles: usize,
    pub(super) space: usize,
    pub(super) snapshots: usize,
}

impl Layout {
    /// Returns the length of the state.
    pub(super) fn state(self) -> usize {
        self.particles * self.entries()
    }

    /// Returns the number of entries of one particle.
    pub(super) fn entries(self) -> usize {
        self.space * self.snapshots
    }

    /// Copies the entries of particle n from a vector of the state.
    pub(super) fn gather(self, n: usize, state: &[f64], out: &mut [f64]) {
        let size = self.particles * self.space;
        let clouds = state.chunks_exact(size);
        for (out, cloud) in out.chunks_exact_mut(self.space).zip(clouds) {
            out.copy_from_slice(&cloud[n * self.space..][..self.space]);
        }
    }

    /// Calls `work` with a workspace of its thread and every particle, and writes the columns of its entries to the columns of
    /// `out`. Returns what `work` returns, in the order of the particles.
    pub(super) fn columns<W, R: Send>(
        self,
        out: &mut [f64],
        workspace: impl Fn() -> W + Sync + Send,
        work: impl Fn(&mut W, usize, &mut [f64]) -> R + Sync,
    ) -> Vec<R> {
        let (entries, width) = (self.entries(), out.len() / self.state());
        // Every block owns its part of every cloud of every column.
        let mut blocks: Vec<Vec<&mut [f64]>> = Vec::new();
        blocks.resize_with(self.particles.div_ceil(BLOCK), Vec::new);
        for cloud in out.chunks_exact_mut(self.particles * self.space) {
            let parts = cloud.chunks_mut(BLOCK * self.space);
            blocks
                .iter_mut()
                .zip(parts)
                .for_each(|(block, part)| block.push(part));
        }
        let blocks = blocks.into_par_iter().enumerate();
        let results = blocks.map_init(
            || (workspace(), vec![0.0; entries * width]),
            |(workspace, local), (index, mut parts)| {
                let first = index * BLOCK;
                let last = self.particles.min(first + BLOCK);
                let particles = first..last;
                particles
                    .map(|n| {
                        let result = work(workspace, n, local);
                        let clouds = parts.iter_mut().zip(local.chunks_exact(self.space));
                        for (part, values) in clouds {
                            part[(n - first) * self.space..][..self.space].copy_from_slice(values);
                        }
                        result
                    })
                    .collect::<Vec<R>>()
            },
        );
        results.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    /// Returns the sum over all particles of the vectors of length `len` to which `work` adds.
    pub(super) fn sum<W>(
        self,
        len: usize,
        workspace: impl Fn() -> W + Sync + Send,
        work: impl Fn(&mut W, usize, &mut [f64]) + Sync,
    ) -> Vec<f64> {
        let blocks = (0..self.particles.div_ceil(BLOCK)).into_par_iter();
        let sums = blocks.map_init(workspace, |workspace, index| {
            let mut sum = vec![0.0; len];
            let last = self.particles.min((index + 1) * BLOCK);
            (index * BLOCK..last).for_each(|n| work(workspace, n, &mut sum));
            sum
        });
        let mut total = vec![0.0; len];
        for sum in sums.collect::<Vec<_>>() {
            total.iter_mut().zip(sum).for_each(|(t, s)| *t += s);
        }
        total
    }
}
