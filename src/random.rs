//! Seeded random vectors. Equal seeds give equal numbers on any number of threads.

use faer::Mat;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// Returns a generator for a seed and a stream. The streams of one seed are independent in practice.
pub fn generator(seed: u64, stream: u64) -> impl Rng {
    // The stream number is multiplied by 2⁶⁴/φ, where φ is the golden ratio. Neighbouring pairs (seed,
    // stream) then give very different seeds of the generator.
    StdRng::seed_from_u64(seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// Returns a vector of independent standard normal numbers.
pub fn normal(len: usize, seed: u64, stream: u64) -> Vec<f64> {
    let mut out = vec![0.0; len];
    fill_normal(&mut out, seed, stream);
    out
}

/// Fills a slice with independent standard normal numbers.
pub(crate) fn fill_normal(out: &mut [f64], seed: u64, stream: u64) {
    let mut rng = generator(seed, stream);
    out.fill_with(|| StandardNormal.sample(&mut rng));
}

/// Returns a vector of independent signs, 1 or −1 with equal probability.
pub fn signs(len: usize, seed: u64, stream: u64) -> Vec<f64> {
    let mut out = vec![0.0; len];
    fill_signs(&mut out, seed, stream);
    out
}

/// Fills a slice with independent random signs, 1 or −1 with equal probability.
pub(crate) fn fill_signs(out: &mut [f64], seed: u64, stream: u64) {
    let mut rng = generator(seed, stream);
    let sign = |up: bool| if up { 1.0 } else { -1.0 };
    out.fill_with(|| sign(rng.random()));
}

/// Returns a function whose consecutive calls give the entries of [`normal`] with the same seed and stream.
pub(crate) fn normal_stream(seed: u64, stream: u64) -> impl FnMut() -> f64 {
    let mut rng = generator(seed, stream);
    move || StandardNormal.sample(&mut rng)
}

/// Returns a function whose consecutive calls give independent numbers, uniform on [0, 1).
pub(crate) fn uniform_stream(seed: u64, stream: u64) -> impl FnMut() -> f64 {
    let mut rng = generator(seed, stream);
    move || rng.random()
}

/// Returns the numbers 0, …, count − 1 in random order.
pub(crate) fn permutation(count: usize, seed: u64, stream: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut generator(seed, stream));
    order
}

/// Returns a number that depends on all bits of these numbers, for streams that change with them.
pub(crate) fn hash(numbers: &[f64]) -> u64 {
    // Fowler, Noll and Vo's hash with 64 bits, of words instead of bytes. The multiplication carries upwards only, so that the upper
    // half is folded onto the lower one in between.
    let mix = |hash: u64, x: &f64| {
        let hash = (hash ^ x.to_bits()).wrapping_mul(0x0000_0100_0000_01B3);
        hash ^ (hash >> 32)
    };
    numbers.iter().fold(0xCBF2_9CE4_8422_2325, mix)
}

/// Returns a vector of independent random numbers, uniform on [lower, upper).
pub fn uniform(len: usize, (lower, upper): (f64, f64), seed: u64) -> Vec<f64> {
    let mut rng = generator(seed, 0);
    (0..len)
        .map(|_| lower + (upper - lower) * rng.random::<f64>())
        .collect()
}

/// Returns the points of a Latin hypercube in [0, 1)ᵈ: of every coordinate, each of `count` equal intervals holds one point.
///
/// ```
/// let points = pullback::random::latin_hypercube(4, 2, 1);
/// let mut quarters: Vec<usize> = points.iter().map(|x| (4.0 * x[1]) as usize).collect();
/// quarters.sort();
/// assert_eq!(quarters, [0, 1, 2, 3]);
/// ```
pub fn latin_hypercube(count: usize, dim: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut points = vec![vec![0.0; dim]; count];
    for j in 0..dim {
        let mut rng = generator(seed, j as u64 + 1);
        let mut interval: Vec<usize> = (0..count).collect();
        interval.shuffle(&mut rng);
        for (point, k) in points.iter_mut().zip(interval) {
            // Rounding could move the largest number below k + 1 to k + 1.
            let at = (k as f64 + rng.random::<f64>()) / count as f64;
            point[j] = at.min(1.0_f64.next_down());
        }
    }
    points
}

/// Returns a matrix of independent standard normal numbers, with one stream per column.
pub fn normal_matrix(nrows: usize, ncols: usize, seed: u64) -> Mat<f64> {
    let mut out = Mat::zeros(nrows, ncols);
    // A column does not depend on the number of columns, so that a wider matrix extends a narrower one.
    for j in 0..ncols {
        fill_normal(out.col_as_slice_mut(j), seed, j as u64 + 1);
    }
    out
}
