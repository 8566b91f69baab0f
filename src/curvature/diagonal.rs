//! Diagonal of a curvature: exact, or from random probes.

use faer::Mat;

use super::average::spread;
use super::checked::{check_dim, check_probes, product};
use crate::error::Result;
use crate::hessian::Curvature;
use crate::model::adjoint::blocks;
use crate::random;

/// Diagonal of a curvature H.
///
/// ```
/// use pullback::Operator;
/// use pullback::curvature::Diagonal;
/// let h = Operator::triplets(2, 2, [(0, 0, 4.0), (0, 1, 1.0), (1, 0, 1.0), (1, 1, 2.0)]);
/// assert_eq!(Diagonal::exact(&h)?.values, [4.0, 2.0]);
/// let estimated = Diagonal::estimated(&h, 100, 1)?;
/// assert!((estimated.values[0] - 4.0).abs() <= 4.0 * estimated.standard_errors[0]);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Diagonal {
    /// Diagonal entries.
    pub values: Vec<f64>,
    /// Standard errors of the entries, 0 if they are exact.
    pub standard_errors: Vec<f64>,
    /// Degrees of freedom of the standard errors, the number of probes less one, or 0 for exact entries.
    pub freedom: usize,
    /// Number of products.
    pub products: usize,
}

impl Diagonal {
    /// Computes the diagonal by as many products as there are parameters. Only a block of them is held at a time.
    ///
    /// # Errors
    /// Fails for a dimension of 0, and if a product fails or is not finite.
    pub fn exact(h: &dyn Curvature) -> Result<Self> {
        let dim = check_dim(h)?;
        let mut values = Vec::with_capacity(dim);
        for block in blocks(dim) {
            let unit = |i: usize, j: usize| if i == block.start + j { 1.0 } else { 0.0 };
            let product = product(h, Mat::from_fn(dim, block.len(), unit))?;
            values.extend((0..block.len()).map(|j| product[(block.start + j, j)]));
        }
        Ok(Self {
            values,
            standard_errors: vec![0.0; dim],
            freedom: 0,
            products: dim,
        })
    }

    /// Estimates the diagonal as the mean of w ⊙ Hw over vectors w of random signs (Bekas, Kokiopoulou and Saad 2007), by one
    /// product per probe.
    ///
    /// The variance of entry i is Σ Hᵢⱼ² over j ≠ i, divided by the number of probes: the estimate is good where the diagonal
    /// dominates.
    ///
    /// # Errors
    /// Fails for a dimension of 0, for fewer than 16 probes, and if a product fails or is not finite.
    pub fn estimated(h: &dyn Curvature, probes: usize, seed: u64) -> Result<Self> {
        let dim = check_dim(h)?;
        check_probes("the number of probes of a diagonal", probes)?;
        let (mut mean, mut squares) = (vec![0.0; dim], vec![0.0; dim]);
        for block in blocks(probes) {
            let mut signs = Mat::zeros(dim, block.len());
            for j in 0..block.len() {
                let drawn = random::signs(dim, seed, (block.start + j) as u64 + 1);
                signs.col_as_slice_mut(j).copy_from_slice(&drawn);
            }
            let product = product(h, signs.clone())?;
            for j in 0..block.len() {
                // The mean and the sum of squared deviations of one more sample (Welford 1962).
                let count = (block.start + j + 1) as f64;
                let pairs = signs.col_as_slice(j).iter().zip(product.col_as_slice(j));
                for (i, (w, y)) in pairs.enumerate() {
                    let deviation = w * y - mean[i];
                    mean[i] += deviation / count;
                    squares[i] += deviation * (w * y - mean[i]);
                }
            }
        }
        let n = probes as f64;
        let error = |s: &f64| (s / (n * (n - 1.0))).sqrt();
        Ok(Self {
            standard_errors: squares.iter().map(error).collect(),
            values: mean,
            freedom: probes - 1,
            products: probes,
        })
    }

    /// Returns the interval of Student's distribution of every entry, with this level, such as 0.95.
    ///
    /// # Errors
    /// Fails if the level is not between 0 and 1.
    pub fn intervals(&self, level: f64) -> Result<Vec<(f64, f64)>> {
        let t = spread(1.0, self.freedom, level)?;
        let pairs = self.values.iter().zip(&self.standard_errors);
        Ok(pairs.map(|(x, s)| (x - t * s, x + t * s)).collect())
    }
}
