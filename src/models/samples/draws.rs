//! Latent draws that stay fixed while the parameters change.

use faer::{Mat, MatRef};

use crate::check;
use crate::error::Result;
use crate::linalg::{Side, gram, lower_cholesky, solve_triangular};
use crate::random;

/// Standard normal draws zₙ ∈ ℝˡ of N particles.
///
/// The draws are seeded and stay what they are while θ changes (common random numbers), so that x = T(z; θ) is a smooth function
/// of θ. They are whitened: their mean is 0 and their covariance (1/N) Σ zₙzₙᵀ is I to rounding, which removes the sampling error
/// of everything linear and quadratic in z. Whitening few vectors leaves them less normal: the variance of |z|² is 2l (1 − l/N) or so
/// in place of 2l, so that at least twice as many vectors are asked for as a vector has entries.
///
/// ```
/// use pullback::models::Draws;
/// let draws = Draws::normal(100, 2, 1)?;
/// let products: f64 = (0..100).map(|n| draws.of(n)[0] * draws.of(n)[1]).sum();
/// assert!(products.abs() < 1e-12);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Draws {
    dim: usize,
    values: Vec<f64>,
}

impl Draws {
    /// Draws N = `count` whitened vectors of length l = `dim`.
    ///
    /// # Errors
    /// Fails unless N ≥ 2l ≥ 2.
    pub fn normal(count: usize, dim: usize, seed: u64) -> Result<Self> {
        Self::in_groups(count, &[dim], seed)
    }

    /// Draws N = `count` whitened vectors of length l = `dim` in pairs z and −z, so that all odd moments vanish. This removes the
    /// sampling error of whatever is odd in z, and leaves half as many independent draws for the rest.
    ///
    /// # Errors
    /// Fails unless N is even, and N/2 ≥ 2l ≥ 2.
    pub fn antithetic(count: usize, dim: usize, seed: u64) -> Result<Self> {
        Self::antithetic_in_groups(count, &[dim], seed)
    }

    /// Draws N = `count` independent vectors of length l = `dim`, not whitened.
    ///
    /// # Errors
    /// Fails if N or l is 0.
    pub fn raw(count: usize, dim: usize, seed: u64) -> Result<Self> {
        for (what, number) in [
            ("the number of draws", count),
            ("the length of a draw", dim),
        ] {
            check::option(what, number as f64, number > 0, "give at least 1")?;
        }
        Ok(Self {
            dim,
            values: random::normal(count * dim, seed, STREAM),
        })
    }

    /// Uses given vectors of length l = `dim`, one after the other, such as draws from another distribution.
    ///
    /// # Errors
    /// Fails if the values are none, not a whole number of vectors, or not finite.
    pub fn given(dim: usize, values: Vec<f64>) -> Result<Self> {
        check::option(
            "the length of a draw",
            dim as f64,
            dim > 0,
            "give at least 1",
        )?;
        let count = values.len() / dim;
        check::option(
            "the number of draws",
            count as f64,
            count > 0,
            "give at least one vector",
        )?;
        check::length("the values of draws", values.len(), count * dim)?;
        check::finite("a draw", &values)?;
        Ok(Self { dim, values })
    }

    /// Draws vectors whose groups of consecutive entries with these widths have mean 0 and covariance I each. Groups remain
    /// correlated with each other like independent draws.
    pub(super) fn in_groups(count: usize, widths: &[usize], seed: u64) -> Result<Self> {
        check_counts(count, widths)?;
        Self::raw(count, widths.iter().sum(), seed)?.whitened(widths)
    }

    /// Draws pairs z and −z whose groups are as those of [`in_groups`](Self::in_groups).
    pub(super) fn antithetic_in_groups(count: usize, widths: &[usize], seed: u64) -> Result<Self> {
        check::option(
            "the number of antithetic draws",
            count as f64,
            count.is_multiple_of(2),
            "give an even number, for pairs",
        )?;
        check_counts(count / 2, widths)?;
        let mut draws = Self::raw(count / 2, widths.iter().sum(), seed)?;
        let mirrored: Vec<f64> = draws.values.iter().map(|z| -z).collect();
        draws.values.extend(mirrored);
        draws.whitened(widths)
    }

    fn whitened(mut self, widths: &[usize]) -> Result<Self> {
        let count = self.count();
        let mut first = 0;
        for &width in widths {
            let entry = |n: usize, i: usize| self.values[n * self.dim + first + i];
            let white = white(Mat::from_fn(count, width, entry))?;
            for n in 0..count {
                let out = &mut self.values[n * self.dim + first..][..width];
                (0..width).for_each(|i| out[i] = white[(n, i)]);
            }
            first += width;
        }
        Ok(self)
    }

    /// Returns N.
    pub fn count(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Returns l, the length of a draw.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Returns the draw of particle n.
    ///
    /// # Panics
    /// Panics if there is no such particle.
    pub fn of(&self, n: usize) -> &[f64] {
        &self.values[n * self.dim..][..self.dim]
    }
}

/// Random numbers of a seed that nothing else draws, so that data made from the same seed are independent of them.
const STREAM: u64 = 0x005A_3B1E;

/// Checks that there are at least twice as many independent draws as a group has entries.
fn check_counts(independent: usize, widths: &[usize]) -> Result<()> {
    let widest = widths.iter().copied().max().unwrap_or(0);
    check::option(
        "the length of a draw",
        widest as f64,
        widest > 0,
        "give at least 1",
    )?;
    check::option(
        "the number of whitened draws (of their pairs, if they are antithetic)",
        independent as f64,
        independent >= 2 * widest,
        "give at least twice as many as entries are whitened together, or draw them by `Draws::raw`",
    )
}

/// Returns the rows with their mean removed, multiplied by a matrix such that their covariance is I.
fn white(mut z: Mat<f64>) -> Result<Mat<f64>> {
    let count = z.nrows() as f64;
    // (1/N) ZᵀZ = C Cᵀ makes (1/N) C⁻¹ZᵀZC⁻ᵀ = I. The second pass removes the rounding of the first.
    for _ in 0..2 {
        for j in 0..z.ncols() {
            let column = z.col_as_slice_mut(j);
            let mean = column.iter().sum::<f64>() / count;
            column.iter_mut().for_each(|z| *z -= mean);
        }
        let covariance = gram(z.as_ref()) / faer::Scale(count);
        let c = lower_cholesky(covariance.as_ref(), "the covariance of draws")?;
        let mut transposed = z.transpose().to_owned();
        solve_triangular(c.as_ref(), Side::Plain, transposed.as_mut());
        z = MatRef::transpose(transposed.as_ref()).to_owned();
    }
    Ok(z)
}
