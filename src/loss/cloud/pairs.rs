//! Sums over all pairs of two samples.

use rayon::prelude::*;

use super::Kernel;

/// Particles of a task. The number is fixed, so that sums do not depend on the number of threads.
const BLOCK: usize = 64;

/// Returns Σₙ Σₘ k(xₙ, yₘ), and adds `factor` times its derivative by the first argument of k to `gradient`.
pub(super) fn sum(
    kernel: Kernel,
    space: usize,
    (x, y): (&[f64], &[f64]),
    (factor, gradient): (f64, &mut [f64]),
) -> f64 {
    let tasks = x.par_chunks(BLOCK * space);
    let tasks = tasks.zip(gradient.par_chunks_mut(BLOCK * space));
    let sums: Vec<f64> = tasks
        .map(|(x, gradient)| {
            let points = x.chunks_exact(space).zip(gradient.chunks_exact_mut(space));
            points
                .map(|(x, out)| row(kernel, (x, y), (factor, out)))
                .sum::<f64>()
        })
        .collect();
    sums.iter().sum()
}

/// Returns Σₘ k(x, yₘ), and adds `factor` times its derivative by x to `out`.
#[inline(always)]
fn row(kernel: Kernel, (x, y): (&[f64], &[f64]), (factor, out): (f64, &mut [f64])) -> f64 {
    let mut total = 0.0;
    for y in y.chunks_exact(x.len()) {
        let square: f64 = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum();
        let [value, slope, _] = kernel.derivatives(square);
        total += value;
        // ∇κ(|x − y|²) = 2κ′(x − y).
        let slope = 2.0 * factor * slope;
        for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
            *out += slope * (x - y);
        }
    }
    total
}

/// Adds `factor` times Σₘ ∇ₓ²k(xₙ, yₘ) (vₙ − wₘ) to `out` for every n. w is zero if it is not given.
pub(super) fn curvature(
    kernel: Kernel,
    (x, v): (&[f64], &[f64]),
    (y, w): (&[f64], Option<&[f64]>),
    (factor, space): (f64, usize),
    out: &mut [f64],
) {
    let points = out.par_chunks_exact_mut(space).enumerate();
    points.for_each(|(n, out)| {
        let (x, v) = (&x[n * space..][..space], &v[n * space..][..space]);
        for (m, y) in y.chunks_exact(space).enumerate() {
            let change = |i: usize| v[i] - w.map_or(0.0, |w| w[m * space + i]);
            let square: f64 = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum();
            let [_, slope, bend] = kernel.derivatives(square);
            // The Hessian of κ(|r|²) is 2κ′I + 4κ″rrᵀ, r = x − y.
            let along: f64 = (0..space).map(|i| (x[i] - y[i]) * change(i)).sum();
            for (i, out) in out.iter_mut().enumerate() {
                *out += factor * (2.0 * slope * change(i) + 4.0 * bend * along * (x[i] - y[i]));
            }
        }
    });
}
