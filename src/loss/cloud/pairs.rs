//! Sums over all pairs of two samples.

use rayon::prelude::*;

use super::Kernel;

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

    /// Adds `factor` times Σₘ ∇ₓ²k(xₙ, yₘ) (vₙ − wₘ) to `out` for every n. The changes w of y are zero if they are not given.
    pub(super) fn curvature(&self, factor: f64, v: &[f64], w: Option<&[f64]>, out: &mut [f64]) {
        let d = self.space;
        let points = out.par_chunks_exact_mut(d).enumerate();
        points.for_each(|(n, out)| {
            let (x, v) = (&self.x[n * d..][..d], &v[n * d..][..d]);
            for (m, y) in self.y.chunks_exact(d).enumerate() {
                let change = |i: usize| v[i] - w.map_or(0.0, |w| w[m * d + i]);
                let square: f64 = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum();
                let [_, slope, bend] = self.kernel.derivatives(square);
                // The Hessian of κ(|r|²) is 2κ′I + 4κ″rrᵀ, r = x − y.
                let along: f64 = (0..d).map(|i| (x[i] - y[i]) * change(i)).sum();
                for (i, out) in out.iter_mut().enumerate() {
                    *out += factor * (2.0 * slope * change(i) + 4.0 * bend * along * (x[i] - y[i]));
                }
            }
        });
    }
}
