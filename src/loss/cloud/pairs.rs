//! Sums over all pairs of two samples.

use rayon::prelude::*;

use super::Kernel;
use super::distances::distances;
use crate::vector::dot;

/// Particles of a task. The number is fixed, so that sums do not depend on the number of threads.
const BLOCK: usize = 64;

/// All pairs of particles x and points y in ℝᵈ.
pub(super) struct Pairs<'a> {
    pub(super) kernel: Kernel,
    pub(super) space: usize,
    pub(super) x: &'a [f64],
    pub(super) y: &'a [f64],
}

impl Pairs<'_> {
    /// Returns Σₙ Σₘ k(xₙ, yₘ), and adds `factor` times its derivative by the first argument of k to `gradient`.
    pub(super) fn sum(&self, factor: f64, gradient: &mut [f64]) -> f64 {
        if self.space == 1 && self.kernel == Kernel::Energy {
            return -distances(self.x, self.y, -factor, gradient);
        }
        let size = BLOCK * self.space;
        let tasks = self.x.par_chunks(size).zip(gradient.par_chunks_mut(size));
        let sums: Vec<f64> = tasks
            .map(|(x, gradient)| {
                let points = x.chunks_exact(self.space);
                let points = points.zip(gradient.chunks_exact_mut(self.space));
                points.map(|(x, out)| self.row(x, factor, out)).sum::<f64>()
            })
            .collect();
        sums.iter().sum()
    }

    /// Returns Σₘ k(x, yₘ), and adds `factor` times its derivative by x to `out`.
    #[inline(always)]
    fn row(&self, x: &[f64], factor: f64, out: &mut [f64]) -> f64 {
        let mut total = 0.0;
        for y in self.y.chunks_exact(self.space) {
            let square: f64 = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum();
            let [value, slope, _] = self.kernel.derivatives(square);
            total += value;
            // ∇κ(|x − y|²) = 2κ′(x − y).
            let slope = 2.0 * factor * slope;
            for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                *out += slope * (x - y);
            }
        }
        total
    }

    /// Returns Σₙ Σₘ ∣∂k(xₙ, yₘ)/∂x∣ and Σₙ Σₘ ∣xₙ − yₘ∣.
    pub(super) fn pull(&self) -> [f64; 2] {
        if self.kernel == Kernel::Energy {
            // The pull is 1 at every distance.
            let pairs = (self.x.len() / self.space) * (self.y.len() / self.space);
            return [pairs as f64, -self.sum(0.0, &mut vec![0.0; self.x.len()])];
        }
        let blocks = self.x.par_chunks(BLOCK * self.space);
        let sums = blocks.map(|x| {
            let mut sums = [0.0; 2];
            for x in x.chunks_exact(self.space) {
                for y in self.y.chunks_exact(self.space) {
                    let square: f64 = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum();
                    let [_, slope, _] = self.kernel.derivatives(square);
                    let distance = square.sqrt();
                    sums[0] += 2.0 * slope.abs() * distance;
                    sums[1] += distance;
                }
            }
            sums
        });
        let sums: Vec<[f64; 2]> = sums.collect();
        sums.iter()
            .fold([0.0; 2], |all, one| [all[0] + one[0], all[1] + one[1]])
    }

    /// Adds `factor` times Σₘ ∇ₓ²k(xₙ, yₘ) (vₙ − wₘ) to `out` for every n, and for several changes v and w, those of every particle
    /// side by side. The changes w of y are zero if they are not given.
    pub(super) fn curvature(&self, factor: f64, v: &[f64], w: Option<&[f64]>, out: &mut [f64]) {
        let d = self.space;
        let size = v.len() / self.x.len() * d;
        let points = out.par_chunks_exact_mut(size).enumerate();
        points.for_each_init(
            || (vec![0.0; d], vec![0.0; d]),
            |(gap, change), (n, out)| {
                let (x, v) = (&self.x[n * d..][..d], &v[n * size..][..size]);
                for (m, y) in self.y.chunks_exact(d).enumerate() {
                    let pairs = gap.iter_mut().zip(x).zip(y);
                    pairs.for_each(|((gap, x), y)| *gap = x - y);
                    let [_, slope, bend] = self.kernel.derivatives(dot(gap, gap));
                    // The Hessian of κ(|r|²) is 2κ′I + 4κ″rrᵀ, r = x − y.
                    let (slope, bend) = (2.0 * factor * slope, 4.0 * factor * bend);
                    for (j, out) in out.chunks_exact_mut(d).enumerate() {
                        change.copy_from_slice(&v[j * d..][..d]);
                        if let Some(w) = w {
                            let w = &w[m * size + j * d..][..d];
                            change.iter_mut().zip(w).for_each(|(v, w)| *v -= w);
                        }
                        let along = bend * dot(gap, change);
                        for ((out, change), gap) in out.iter_mut().zip(&*change).zip(&*gap) {
                            *out += slope * change + along * gap;
                        }
                    }
                }
            },
        );
    }
}
