//! `Hutchinson`: the published estimators (1/m) H HᵀZ and (1/m) H HᵀLZ, and the length of their direction.
//!
//! Ŷ = (1/m) W S has the mean Y, but Ŷᵀ Ŷ is too large: with X = UᵀW, Y = UR, and k the length of a probe,
//! E[Ŷᵀ Ŷ] = γ₂ YᵀY, γ₂ = (k + m − 1)/m for signs, (k + m + 1)/m for Gaussian probes, k/m for orthonormal
//! ones. Hence η = −Ŷ⁺y, y = dual(u), is too short, on average by the factor 1/γ. γ is close to γ₂ but
//! differs, since the mean of an inverse is not the inverse of the mean. For Gaussian probes W = [X; V] with
//! V independent of X, and η = −m R⁺(XWᵀWXᵀ)⁻¹XWᵀy; XVᵀVXᵀ = B^½ΩB^½ with B = XXᵀ and Ω ~ Wishart(k − r), so
//! that
//!
//! ```text
//! E[m (B² + B^½ΩB^½)⁻¹B] = m E[(B + Ω)⁻¹] = m/(k + m − 2r − 1) · I,   γ = (k + m − 2r − 1)/m,
//! ```
//!
//! exactly, with the rank r of Ŷ. For m < p this holds in the directions of the range. For orthonormal probes
//! WᵀW = k I, so γ = k/m exactly. For signs WᵀW has k on its diagonal: the mean of (B + Ω) loses m(r + 2)/(m + 2),
//! its relative variance is (r + 1)/(k + m) − 2k(r + 2)/((m + 2)(k + m)²), and to first order in 1/(k + m)
//!
//! ```text
//! m γ = k + m − (r + 1) − (r + 2) (m − 2k/(k + m))/(m + 2).
//! ```

use std::ops::Range;

use faer::prelude::ReborrowMut;
use faer::{Mat, MatRef};

use super::estimate::jackknife;
use super::fit::{Fit, column};
use super::rows::error_of_mean;
use super::{Estimate, ProbeKind, Probes, Sketch, add_product, product};
use crate::check;
use crate::error::Result;
use crate::linalg::symmetric_solve;
use crate::model::adjoint::blocks;

/// Choice of the length of a direction by [`Hutchinson`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// Unbiased length: the published direction times γ, for m probes of length k and a matrix of rank r,
    ///
    /// ```text
    /// Gaussian     γ = (k + m − 2r − 1)/m                        exactly
    /// orthonormal  γ = k/m                                       exactly
    /// signs        γ = (k + m − (r + 1) − (r + 2) (m − 2k/(k + m))/(m + 2))/m
    /// ```
    ///
    /// to first order in 1/(k + m) for signs. For signs the direction remains too short by up to a relative
    /// 3/(k + m) (measured) if single rows of LZ determine a parameter. The square of the matrix,
    /// `E[H_m(Y)ᵀH_m(Y)]`, is too large by the factor (k + m − 1)/m for signs, (k + m + 1)/m for Gaussian
    /// probes and k/m for orthonormal ones, which is close to γ but not equal.
    #[default]
    Corrected,
    /// Published length, about m/(m + k) of the length of the natural direction: for probes of length
    /// k = 4928, about 1 % for m = 50 and 17 % for m = 1000.
    Literal,
}

/// Published estimators of natural gradients from random probes H (for the setting see Nurbekyan, Lei and
/// Yang, Efficient natural gradient descent methods for large-scale PDE-based optimization problems, 2023):
///
/// ```text
/// H_m(Y) = (1/m) H HᵀLZ,   η = −H_m(Y)⁺ dual(u)
/// ```
///
/// and H_m(Z) = (1/m) H HᵀZ for a sketch without a metric ([`Sketch::of_state`]; dual(u) is then u). With a
/// metric, probes have the length of lifted tangents: for W₂, probes of the length of a state would cause an
/// error of tr((BBᵀ)⁺)/m.
///
/// The matrix is unbiased, but its columns are mostly noise, of relative size √(k/m), and the direction is about
/// m/(m + k) times as long as the correct one, see [`Length`]. [`Sketch::solve`] avoids both problems with the same
/// adjoint solves.
///
/// ```
/// use pullback::{Cpu, Grid, Linearisation, models::GaussianMixture, models::Parameter};
/// use pullback::sketch::{Hutchinson, Length, Probes, ProbeKind, Sketch};
/// let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 5.0, 50)])?)
///     .component(1.0, &[0.0], 1.0)
///     .free(&[Parameter::Mean(0, 0)])?;
/// let theta = mixture.parameters();
/// let rho = mixture.density(&theta)?;
/// let cpu = Cpu::default();
/// let z = Linearisation::new(&mixture, &rho, &theta, &cpu)?;
/// let u = z.matrix()?.col_as_slice(0).to_vec(); // explained by a step of 1, so −1 is the answer
///
/// let probes = Probes::new(ProbeKind::Orthonormal, 50, 10, 1)?;
/// let sketch = Sketch::of_state(&z, &probes)?;
/// let published = Hutchinson::new(&sketch);
/// let literal = published.direction(&u, Length::Literal)?.value[0];
/// let corrected = published.direction(&u, Length::Corrected)?.value[0];
/// assert!((literal + 0.2).abs() < 1e-10 && (corrected + 1.0).abs() < 1e-10);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Hutchinson<'a> {
    sketch: &'a Sketch<'a>,
}

impl<'a> Hutchinson<'a> {
    /// Creates the published estimators that belong to a sketch.
    pub fn new(sketch: &'a Sketch<'a>) -> Self {
        Self { sketch }
    }

    /// Returns H_m(Y) = (1/m) H HᵀLZ, or Σ ωⱼ wⱼsⱼᵀ for weighted probes, unbiased entry by entry.
    pub fn matrix(&self) -> Estimate<Mat<f64>> {
        let (probes, s) = (self.sketch.probes(), self.sketch.rows().transpose());
        let (first, n) = (probes.exact(), probes.random());
        let drawn = |block: Range<usize>| probes.block(first + block.start..first + block.end);
        let standard_error = error_of_mean(probes.dim(), drawn, s.subcols(first, n), probes);
        self.sketch.estimate(self.value(), standard_error)
    }

    /// Returns the matrix H_m(Y) without its standard error.
    pub(crate) fn value(&self) -> Mat<f64> {
        let (probes, s) = (self.sketch.probes(), self.sketch.rows());
        let weighted = Mat::from_fn(s.nrows(), s.ncols(), |j, i| probes.weights()[j] * s[(j, i)]);
        let mut out = Mat::zeros(probes.dim(), s.ncols());
        for block in blocks(probes.count()) {
            let part = weighted.subrows(block.start, block.len());
            add_product(out.as_mut(), probes.block(block).as_ref(), part);
        }
        out
    }

    /// Returns η = −H_m(Y)⁺ dual(u), of least norm, with its length corrected or as published.
    ///
    /// The standard error comes from the jackknife. It is `None` if there are no more probes than the rank of
    /// the matrix, or if leaving out one probe makes the system singular.
    ///
    /// # Errors
    /// Fails with [`Error::Option`](crate::Error::Option) if only some of the probes are random, and, for a corrected
    /// length, if the probes are so few and short that the length has no mean. Fails if `dual` has the wrong length or
    /// is not finite.
    pub fn direction(&self, dual: &[f64], length: Length) -> Result<Estimate<Vec<f64>>> {
        let products = self.sketch.probe_products(dual)?;
        let probes = self.sketch.probes();
        check::option(
            "the number of exact probes",
            probes.exact() as f64,
            probes.exact() == 0 || probes.random() == 0,
            "the published direction requires random probes only: take `Probes::new`, or `Sketch::solve`",
        )?;
        // η = argmin ‖H_m(Y) η + dual(u)‖ of least norm. Least squares with the k rows of the matrix take
        // O(kp²) operations and k × p entries of memory. `Sketch::solve` has only m rows.
        let fit = Fit::new(self.value().transpose(), &vec![1.0; dual.len()], dual);
        let mut value = fit.minimiser().to_vec();
        if probes.random() == 0 {
            let zero = vec![0.0; value.len()];
            return Ok(self.sketch.estimate(value, Some(zero)));
        }
        let (m, rank) = (probes.random(), fit.rank);
        let factor = self.factor(length, m, rank)?;
        value.iter_mut().for_each(|x| *x *= factor);
        let standard_error = if m > rank {
            let fewer = self.factor(length, m - 1, rank).ok();
            fewer.and_then(|factor| self.error(&products, factor))
        } else {
            None
        };
        Ok(self.sketch.estimate(value, standard_error))
    }

    /// Returns γ for m probes, or 1 for the published length.
    pub(crate) fn factor(&self, length: Length, m: usize, rank: usize) -> Result<f64> {
        if length == Length::Literal {
            return Ok(1.0);
        }
        let probes = self.sketch.probes();
        let (k, m, r) = (probes.dim() as f64, m as f64, rank as f64);
        let total = match probes.kind() {
            ProbeKind::Orthonormal => k,
            ProbeKind::Gaussian => k + m - 2.0 * r - 1.0,
            ProbeKind::Signs => k + m - (r + 1.0) - (r + 2.0) * (m - 2.0 * k / (k + m)) / (m + 2.0),
        };
        check::option(
            "the number of random probes",
            m,
            total > 0.0,
            "the published direction has no mean length in a space this small: take more, or `Probes::all`",
        )?;
        Ok(total / m)
    }

    /// Returns the jackknife error from the leave-one-out directions.
    ///
    /// Without probe j, η₍ⱼ₎ = −(m − 1) N₍ⱼ₎⁻¹ Σ_{i≠j} sᵢ wᵢᵀy with N = SᵀKS, K = WᵀW. Removing row and column j of K
    /// changes N by a matrix of rank two.
    fn error(&self, products: &[f64], factor: f64) -> Option<Vec<f64>> {
        let (probes, s) = (self.sketch.probes(), self.sketch.rows());
        let (m, p) = s.shape();
        // N and SᵀK are formed once, by O(m²p) operations. Each replicate then takes the solution of a p × p
        // system, instead of a decomposition with k rows.
        let k = gram_of(probes);
        let t = product(s.transpose(), k.as_ref());
        let n = product(t.as_ref(), s);
        let rhs = product(s.transpose(), column(products));
        // With t = SᵀK, N₍ⱼ₎ = N − sⱼtⱼᵀ − tⱼsⱼᵀ + kⱼⱼ sⱼsⱼᵀ.
        let mut replicates = Mat::zeros(p, m);
        for j in 0..m {
            let part = |a: usize, b: usize| s[(j, a)] * (k[(j, j)] * s[(j, b)] - t[(b, j)]);
            let matrix = Mat::from_fn(p, p, |a, b| n[(a, b)] + part(a, b) - t[(a, j)] * s[(j, b)]);
            let rhs_j: Vec<f64> = (0..p)
                .map(|a| rhs[(a, 0)] - s[(j, a)] * products[j])
                .collect();
            let solved = scaled_solve(matrix.as_ref(), &rhs_j)?;
            let column = replicates.col_as_slice_mut(j).iter_mut().zip(solved);
            column.for_each(|(out, x)| *out = -factor * (m as f64 - 1.0) * x);
        }
        Some(jackknife(&replicates, probes.variance_factor()))
    }
}

/// Returns WᵀW from the products of all pairs of blocks of W.
fn gram_of(probes: &Probes) -> Mat<f64> {
    let m = probes.count();
    let mut out = Mat::zeros(m, m);
    for i in blocks(m) {
        let left = probes.block(i.clone());
        // Blocks are drawn again for every pair, about m/64 times each, so that the memory holds no more than
        // two of them.
        for j in blocks(m).filter(|j| j.start <= i.start) {
            let part = product(left.transpose(), probes.block(j.clone()).as_ref());
            let mut gram = out.as_mut();
            let mut lower = gram
                .rb_mut()
                .submatrix_mut(i.start, j.start, i.len(), j.len());
            lower.copy_from(&part);
            let mut upper = gram.submatrix_mut(j.start, i.start, j.len(), i.len());
            upper.copy_from(part.transpose());
        }
    }
    out
}

/// Solves N x = b after scaling N to unit diagonal. Returns None if N is singular.
fn scaled_solve(n: MatRef<'_, f64>, b: &[f64]) -> Option<Vec<f64>> {
    let d: Vec<f64> = (0..b.len()).map(|i| n[(i, i)].sqrt().recip()).collect();
    let scaled = Mat::from_fn(b.len(), b.len(), |i, j| d[i] * n[(i, j)] * d[j]);
    let b: Vec<f64> = b.iter().zip(&d).map(|(b, d)| b * d).collect();
    let x = symmetric_solve(scaled.as_ref(), &b, "the normal matrix").ok()?;
    Some(x.iter().zip(&d).map(|(x, d)| x * d).collect())
}
