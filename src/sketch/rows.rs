//! `Sketch`, the product S = (LᵀW)ᵀZ, and its estimates of the geometry and the direction.
//!
//! The weights satisfy E[Σ ωⱼ wⱼwⱼᵀ] = I. Hence Ĝ = Σ ωⱼ sⱼsⱼᵀ with sⱼ = Yᵀwⱼ, Y = LZ, has the mean YᵀY = G. The mean
//! of its inverse is not G⁻¹. For n Gaussian probes, n Ĝ follows a Wishart law, and for rank r
//!
//! ```text
//! E[Ĝ⁺] = n/(n − r − 1) · G⁺.
//! ```
//!
//! For n orthonormal probes in d dimensions, (n/d) Ĝ follows a matrix Beta law, with
//! E[Ĝ⁺] = (n/d)(d − r − 1)/(n − r − 1) · G⁺. Signs follow the Gaussian law up to a relative 2ℓ/n, where ℓ ≤ 1 is the
//! largest leverage of a row of Y (E[(xxᵀ)²] = (r + 2)I − 2 Σ ℓᵢuᵢuᵢᵀ for x = Uᵀw, Y = UR). This is negligible unless
//! single rows determine a parameter. With exact probes there is no such law. The jackknife then removes the bias B/n,
//! which it estimates from the additional bias B/(n(n − 1)) without one probe.

use std::ops::Range;

use faer::{ColRef, Mat, MatRef};

use super::estimate::{jackknife, row_means};
use super::fit::{Fit, column};
use super::{Estimate, ProbeKind, Probes, add_product, product};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Batch, gram};
use crate::metric::Root;
use crate::model::adjoint::{Linearisation, blocks};

/// Sketch S = (LᵀW)ᵀZ for probes W, by one adjoint solve per probe, many of them in one batch.
///
/// ```
/// use pullback::{Cpu, Grid, Linearisation, Metric, metric::L2, models::GaussianMixture, models::Parameter};
/// use pullback::sketch::{Probes, ProbeKind, Sketch};
/// let grid = Grid::new(&[(-5.0, 5.0, 50)])?;
/// let mixture = GaussianMixture::new(&grid)
///     .component(1.0, &[0.0], 1.0)
///     .free(&[Parameter::Mean(0, 0), Parameter::Variance(0)])?;
/// let theta = mixture.parameters();
/// let rho = mixture.density(&theta)?;
/// let (cpu, metric) = (Cpu::default(), L2::new(&grid));
/// let (z, root) = (Linearisation::new(&mixture, &rho, &theta, &cpu)?, metric.at(&rho, &cpu)?);
///
/// // Data that the model can explain: u = M Z t. Two probes then suffice.
/// let change = z.tangent(pullback::faer::mat![[0.3], [-0.1]].as_ref())?;
/// let u = root.apply(change.as_ref())?;
/// let probes = Probes::new(ProbeKind::Signs, root.lifted_dim(), 2, 1)?;
/// let sketch = Sketch::new(&z, root.as_ref(), &probes)?;
/// let eta = sketch.solve(&root.dual(u.col_as_slice(0))?)?.value;
/// assert!((eta[0] + 0.3).abs() < 1e-10 && (eta[1] - 0.1).abs() < 1e-10);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Sketch<'a> {
    /// Transpose Sᵀ of the sketch, one probe per column.
    transposed: Mat<f64>,
    probes: &'a Probes,
    solves: usize,
}

impl<'a> Sketch<'a> {
    /// Computes S = (LᵀW)ᵀZ. W is drawn and multiplied by Lᵀ and Zᵀ block by block, and never stored
    /// completely.
    ///
    /// # Errors
    /// Fails if the length of the probes is not that of a lifted vector, or if a solve fails.
    pub fn new(z: &Linearisation<'_>, root: &dyn Root, probes: &'a Probes) -> Result<Self> {
        check::length("a probe", probes.dim(), root.lifted_dim())?;
        let lowered = |block| root.lower_batch(probes.block(block));
        Self::pull(z, probes, lowered)
    }

    /// Computes S = WᵀZ, without a metric (L = I).
    ///
    /// # Errors
    /// Fails if the length of the probes is not that of a state, or if a solve fails.
    pub fn of_state(z: &Linearisation<'_>, probes: &'a Probes) -> Result<Self> {
        check::length("a probe", probes.dim(), z.state_dim())?;
        Self::pull(z, probes, |block| Ok(probes.block(block).into()))
    }

    fn pull(
        z: &Linearisation<'_>,
        probes: &'a Probes,
        block_of: impl FnMut(Range<usize>) -> Result<Batch>,
    ) -> Result<Self> {
        Ok(Self {
            transposed: z.adjoint_by_blocks(probes.count(), block_of)?,
            probes,
            solves: if z.takes_solves() { probes.count() } else { 0 },
        })
    }

    /// Returns the matrix S (m × p).
    pub fn rows(&self) -> MatRef<'_, f64> {
        self.transposed.transpose()
    }

    /// Returns the probes of the sketch.
    pub fn probes(&self) -> &Probes {
        self.probes
    }

    /// Returns Ĝ = Σ ωⱼ sⱼsⱼᵀ, unbiased for G = (LZ)ᵀ(LZ), with a relative error of about √(p/m) for any number of
    /// states.
    ///
    /// The standard error is that of a mean over the random probes, which equals the jackknife's.
    pub fn information(&self) -> Estimate<Mat<f64>> {
        let (p, weights) = (self.transposed.nrows(), self.probes.weights());
        // Ĝ is the Gram matrix of the rows √ωⱼ sⱼ.
        let root = |j: usize, i: usize| weights[j].sqrt() * self.transposed[(i, j)];
        let value = gram(Mat::from_fn(self.probes.count(), p, root).as_ref());
        let (first, n) = (self.probes.exact(), self.probes.random());
        let s = self.transposed.subcols(first, n);
        let drawn = |block: Range<usize>| s.subcols(block.start, block.len()).to_owned();
        let standard_error = error_of_mean(p, drawn, s, self.probes);
        self.estimate(value, standard_error)
    }

    /// Returns η = argmin Σ ωⱼ (sⱼᵀη + wⱼᵀdual(u))² by sketch and solve, of least norm if the minimiser is not unique.
    ///
    /// Both sides use the same probes. For m ≥ p the result is therefore the exact natural direction on data that the
    /// model can explain, dual(u) in the range of LZ. Other data cause noise proportional to their unexplained
    /// component: check the standard error and the descent, and use the exact gradient for the last steps.
    ///
    /// # Errors
    /// Fails if the length of `dual` (see [`Root::dual`]) is not that of a probe, or if an entry of `dual` is not
    /// finite.
    pub fn solve(&self, dual: &[f64]) -> Result<Estimate<Vec<f64>>> {
        let b = self.probe_products(dual)?;
        let (s, probes) = (self.transposed.as_ref(), self.probes);
        let fit = Fit::new(s, probes.weights(), &b);
        let standard_error = match probes.random() {
            0 => Some(vec![0.0; s.nrows()]),
            1 => None,
            // All residuals are zero and do not predict those of other probes.
            _ if probes.count() <= fit.rank => None,
            _ => {
                // Without exact probes a common factor of all weights cancels. With exact probes, whose
                // weight is 1, the random ones must have the weight 1/(n − 1).
                let others = Fit::new(s, &probes.leave_one_out_weights(), &b);
                let replicates = others.leave_one_out(probes.exact(), others.minimiser());
                replicates.map(|r| jackknife(&r, probes.variance_factor()))
            }
        };
        Ok(self.estimate(fit.minimiser().to_vec(), standard_error))
    }

    /// Returns −Ĝ⁺∇f for the exact gradient, divided by the mean inflation of a random inverse.
    ///
    /// The inflation is n/(n − r − 1) for n random probes and a Jacobian of rank r (n (d − r − 1)/(d (n − r − 1)) for
    /// orthonormal ones of length d). With exact probes the jackknife estimates the inflation. The law is exact for
    /// Gaussian and orthonormal probes. With signs the result is too short by up to a relative 2/n where single rows of
    /// LZ determine a parameter.
    ///
    /// # Errors
    /// Fails with [`Error::Option`] if there are fewer than r + 2 random probes, since the inverse then has no mean.
    /// With exact probes, fails with the same error if there are fewer than two random probes, or if one of them alone
    /// determines a direction. Fails if the gradient has the wrong length or is not finite.
    pub fn natural(&self, grad: &[f64]) -> Result<Estimate<Vec<f64>>> {
        check::length("the gradient ∇f", grad.len(), self.transposed.nrows())?;
        check::finite("the gradient ∇f", grad)?;
        let zero = vec![0.0; self.probes.count()];
        let fit = Fit::new(self.transposed.as_ref(), self.probes.weights(), &zero);
        let value = fit.direction(grad);
        match (self.probes.exact(), self.probes.random()) {
            (_, 0) => {
                let zero = vec![0.0; value.len()];
                Ok(self.estimate(value, Some(zero)))
            }
            (0, n) => self.scaled_to_mean(value, grad, (n, fit.rank)),
            _ => self.unbiased_by_jackknife(value, grad),
        }
    }

    /// Corrects the length of an estimate by the laws of Wishart and Beta matrices.
    fn scaled_to_mean(
        &self,
        mut value: Vec<f64>,
        grad: &[f64],
        (n, rank): (usize, usize),
    ) -> Result<Estimate<Vec<f64>>> {
        let factor = self.inverse_factor(n, rank).ok_or_else(|| self.too_few())?;
        value.iter_mut().for_each(|x| *x *= factor);
        let standard_error = self.inverse_factor(n - 1, rank).and_then(|factor| {
            let mut replicates = self.leave_one_out_directions(grad)?;
            replicates *= faer::Scale(factor);
            Some(jackknife(&replicates, self.probes.variance_factor()))
        });
        Ok(self.estimate(value, standard_error))
    }

    fn unbiased_by_jackknife(
        &self,
        mut value: Vec<f64>,
        grad: &[f64],
    ) -> Result<Estimate<Vec<f64>>> {
        let n = self.probes.random();
        let replicates = (n > 1)
            .then(|| self.leave_one_out_directions(grad))
            .flatten();
        let replicates = replicates.ok_or_else(|| self.too_few())?;
        let variance_factor = self.probes.variance_factor();
        // E[x] = x₀ + B/n and E[x̄] = x₀ + B/(n − 1) give x₀ ≈ x − (n − 1)(x̄ − x).
        // Orthonormal probes are exact at n = d: their bias is B(1/n − 1/d) = (1 − n/d)B/n, which the factor
        // of the variance takes into account.
        for (x, mean) in value.iter_mut().zip(row_means(&replicates)) {
            *x -= variance_factor * (n as f64 - 1.0) * (mean - *x);
        }
        let standard_error = jackknife(&replicates, variance_factor);
        Ok(self.estimate(value, Some(standard_error)))
    }

    fn leave_one_out_directions(&self, grad: &[f64]) -> Option<Mat<f64>> {
        let zero = vec![0.0; self.probes.count()];
        let weights = self.probes.leave_one_out_weights();
        let others = Fit::new(self.transposed.as_ref(), &weights, &zero);
        others.leave_one_out(self.probes.exact(), &others.direction(grad))
    }

    /// Returns c with c E[Ĝ⁺] = G⁺, or None if the mean does not exist.
    pub(crate) fn inverse_factor(&self, n: usize, rank: usize) -> Option<f64> {
        // Wishart: c = (n − r − 1)/n. Beta: c = (n − r − 1)/n · d/(d − r − 1), which is 1 for n = d.
        // With r + 1 probes every single inverse exists, but small eigenvalues are so frequent that its mean
        // is infinite.
        // Complete orthonormal probes give Ĝ = G for any rank.
        if self.probes.kind() == ProbeKind::Orthonormal && n == self.probes.complement_dim() {
            return Some(1.0);
        }
        let excess = |n: usize| n as f64 - rank as f64 - 1.0;
        let dim = self.probes.complement_dim();
        let finite_factor = match self.probes.kind() {
            ProbeKind::Orthonormal => dim as f64 / excess(dim),
            ProbeKind::Signs | ProbeKind::Gaussian => 1.0,
        };
        (excess(n) > 0.0).then(|| finite_factor * excess(n) / n as f64)
    }

    fn too_few(&self) -> Error {
        Error::Option {
            what: "the number of random probes",
            value: self.probes.random() as f64,
            remedy: "an unbiased inverse needs at least two random probes more than there are parameters (with exact \
                     probes: two random ones, and in total more than parameters); take more, or use `Sketch::solve`, \
                     which needs fewer",
        }
    }

    /// Returns wⱼᵀdual(u) for all probes.
    pub(crate) fn probe_products(&self, dual: &[f64]) -> Result<Vec<f64>> {
        check::length("dual(u)", dual.len(), self.probes.dim())?;
        check::finite("dual(u)", dual)?;
        let mut products = Vec::with_capacity(self.probes.count());
        for block in blocks(self.probes.count()) {
            let part = product(self.probes.block(block).transpose(), column(dual));
            products.extend_from_slice(part.col_as_slice(0));
        }
        Ok(products)
    }

    pub(super) fn estimate<T>(&self, value: T, standard_error: Option<T>) -> Estimate<T> {
        Estimate {
            value,
            standard_error,
            solves: self.solves,
        }
    }
}

/// Returns the standard error of the mean of aⱼbⱼᵀ over the random probes, entry by entry.
///
/// The bⱼ are the columns of `b`. `block_of` returns blocks of the aⱼ, which have `rows` entries.
pub(super) fn error_of_mean(
    rows: usize,
    block_of: impl Fn(Range<usize>) -> Mat<f64>,
    b: MatRef<'_, f64>,
    probes: &Probes,
) -> Option<Mat<f64>> {
    let n = probes.random();
    let mut mean = Mat::zeros(rows, b.nrows());
    if n < 2 {
        return (n == 0).then_some(mean);
    }
    for block in blocks(n) {
        let part = b.subcols(block.start, block.len()).transpose();
        add_product(mean.as_mut(), block_of(block).as_ref(), part);
    }
    mean *= faer::Scale(1.0 / n as f64);
    // The probes are drawn a second time. Storing them would take k × n entries of memory, and drawing a
    // probe is cheap compared to its solve.
    let mut squares = Mat::zeros(rows, b.nrows());
    for block in blocks(n) {
        let a = block_of(block.clone());
        for (j, probe) in block.enumerate() {
            add_squares(&mut squares, &mean, a.col_as_slice(j), b.col(probe));
        }
    }
    // The variance of a mean is Σ (x − x̄)²/(n(n − 1)) for independent x. Two passes avoid the cancellation in Σx² −
    // n x̄².
    let factor = probes.variance_factor() / (n as f64 * (n as f64 - 1.0));
    for l in 0..b.nrows() {
        let column = squares.col_as_slice_mut(l).iter_mut();
        column.for_each(|s| *s = (factor * *s).sqrt());
    }
    Some(squares)
}

/// Adds (a bᵀ − mean)² to `squares`, entry by entry.
fn add_squares(squares: &mut Mat<f64>, mean: &Mat<f64>, a: &[f64], b: ColRef<'_, f64>) {
    for (l, b) in b.iter().enumerate() {
        let column = squares.col_as_slice_mut(l).iter_mut();
        for ((square, mean), a) in column.zip(mean.col_as_slice(l)).zip(a) {
            let deviation = a * b - mean;
            *square += deviation * deviation;
        }
    }
}
