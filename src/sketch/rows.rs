//! S = (LᵀW)ᵀZ, and what it says about the geometry and the direction.
//!
//! Weights make E[Σ ωⱼ wⱼwⱼᵀ] = I, so Ĝ = Σ ωⱼ sⱼsⱼᵀ with sⱼ = Yᵀwⱼ, Y = LZ, has the mean YᵀY = G. Its inverse has
//! not the mean G⁻¹. Of n Gaussian probes, n Ĝ is Wishart, and for rank r
//!
//!   E[Ĝ⁺] = n/(n − r − 1) · G⁺;
//!
//! of n orthonormal ones in d dimensions, (n/d) Ĝ is a matrix of Beta law, E[Ĝ⁺] = (n/d)(d − r − 1)/(n − r − 1) · G⁺.
//! Signs follow the Gaussian law but for a relative 2ℓ/n, with ℓ ≤ 1 the largest leverage of a row of Y
//! (E[(xxᵀ)²] = (r + 2)I − 2 Σ ℓᵢuᵢuᵢᵀ for x = Uᵀw, Y = UR): nothing unless single rows carry a parameter.
//! Beside exact probes there is no such law: there the bias B/n is taken off by the jackknife, from what
//! leaving one probe out adds, B/(n(n − 1)).

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

/// S = (LᵀW)ᵀZ for probes W, by an adjoint a probe, many of them in one batch.
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
/// // Data that the model can explain: u = M Z t. Two probes are then enough.
/// let change = z.tangent(pullback::faer::mat![[0.3], [-0.1]].as_ref())?;
/// let u = root.apply(change.as_ref())?;
/// let probes = Probes::new(ProbeKind::Signs, root.lifted_dim(), 2, 1)?;
/// let sketch = Sketch::new(&z, root.as_ref(), &probes)?;
/// let eta = sketch.solve(&root.dual(u.col_as_slice(0))?)?.value;
/// assert!((eta[0] + 0.3).abs() < 1e-10 && (eta[1] - 0.1).abs() < 1e-10);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Sketch<'a> {
    /// Sᵀ, a probe a column.
    pulled: Mat<f64>,
    probes: &'a Probes,
    solves: usize,
}

impl<'a> Sketch<'a> {
    /// S = (LᵀW)ᵀZ: W is drawn, lowered and pulled back block by block, and never there as a whole.
    ///
    /// # Errors
    /// Probes that have not the length of a lifted vector; failing solves.
    pub fn new(z: &Linearisation<'_>, root: &dyn Root, probes: &'a Probes) -> Result<Self> {
        check::length("a probe", probes.dim(), root.lifted_dim())?;
        let lowered = |block| root.lower_batch(probes.block(block));
        Self::pull(z, probes, lowered)
    }

    /// S = WᵀZ, without a metric: that of L = I.
    ///
    /// # Errors
    /// Probes that have not the length of a state; failing solves.
    pub fn of_state(z: &Linearisation<'_>, probes: &'a Probes) -> Result<Self> {
        check::length("a probe", probes.dim(), z.state_dim())?;
        Self::pull(z, probes, |block| Ok(probes.block(block).into()))
    }

    fn pull(
        z: &Linearisation<'_>,
        probes: &'a Probes,
        made: impl FnMut(Range<usize>) -> Result<Batch>,
    ) -> Result<Self> {
        Ok(Self {
            pulled: z.adjoint_by_blocks(probes.count(), made)?,
            probes,
            solves: if z.takes_solves() { probes.count() } else { 0 },
        })
    }

    /// S, m × p.
    pub fn rows(&self) -> MatRef<'_, f64> {
        self.pulled.transpose()
    }

    /// The probes that it was made with.
    pub fn probes(&self) -> &Probes {
        self.probes
    }

    /// Ĝ = Σ ωⱼ sⱼsⱼᵀ, unbiased for G = (LZ)ᵀ(LZ), with a relative error of about √(p/m) whatever k.
    ///
    /// The standard error is that of a mean over the random probes, which is what leaving out one at a time gives.
    pub fn information(&self) -> Estimate<Mat<f64>> {
        let (p, weights) = (self.pulled.nrows(), self.probes.weights());
        let root = |j: usize, i: usize| weights[j].sqrt() * self.pulled[(i, j)];
        let value = gram(Mat::from_fn(self.probes.count(), p, root).as_ref());
        let (first, n) = (self.probes.exact(), self.probes.random());
        let s = self.pulled.subcols(first, n);
        let drawn = |block: Range<usize>| s.subcols(block.start, block.len()).to_owned();
        let standard_error = error_of_mean(p, drawn, s, self.probes);
        self.estimate(value, standard_error)
    }

    /// Sketch and solve: η = argmin Σ ωⱼ (sⱼᵀη + wⱼᵀdual(u))², the shortest of them if there are several.
    ///
    /// The same probes look at both sides, so for m ≥ p it is the natural direction itself on data that the model
    /// can explain, dual(u) in the range of LZ. Other data make noise in proportion to what cannot be explained:
    /// the standard error tells, a test for descent is due, and the last steps are for the exact gradient.
    ///
    /// # Errors
    /// A `dual` (see [`Root::dual`]) that has not the length of a probe, or is not finite.
    pub fn solve(&self, dual: &[f64]) -> Result<Estimate<Vec<f64>>> {
        let b = self.looked_at(dual)?;
        let (s, probes) = (self.pulled.as_ref(), self.probes);
        let fit = Fit::new(s, probes.weights(), &b);
        let standard_error = match probes.random() {
            0 => Some(vec![0.0; s.nrows()]),
            1 => None,
            // All residuals are zero, which says nothing about others'.
            _ if probes.count() <= fit.rank => None,
            _ => {
                let others = Fit::new(s, &probes.weights_without_one(), &b);
                let replicates = others.without_each(probes.exact(), others.minimiser());
                replicates.map(|r| jackknife(&r, probes.unseen()))
            }
        };
        Ok(self.estimate(fit.minimiser().to_vec(), standard_error))
    }

    /// −Ĝ⁺∇f for the exact gradient, with the mean length that chance adds to an inverse divided out: by
    /// n/(n − r − 1) for n random probes and a Jacobian of rank r (n (d − r − 1)/(d (n − r − 1)) for orthonormal ones of
    /// length d), by the jackknife where exact probes help. That law is exact for Gaussian and orthonormal probes; with
    /// signs the result is short by up to a relative 2/n where single rows of LZ carry a parameter.
    ///
    /// # Errors
    /// [`Error::Option`] with fewer than r + 2 random probes (the inverse has no mean then; beside exact probes, with
    /// fewer than two, or where one of them carries a direction alone); a gradient of the wrong length or not finite.
    pub fn natural(&self, grad: &[f64]) -> Result<Estimate<Vec<f64>>> {
        check::length("the gradient ∇f", grad.len(), self.pulled.nrows())?;
        check::finite("the gradient ∇f", grad)?;
        let zero = vec![0.0; self.probes.count()];
        let fit = Fit::new(self.pulled.as_ref(), self.probes.weights(), &zero);
        let value = fit.against(grad);
        match (self.probes.exact(), self.probes.random()) {
            (_, 0) => {
                let none = vec![0.0; value.len()];
                Ok(self.estimate(value, Some(none)))
            }
            (0, n) => self.shortened(value, grad, (n, fit.rank)),
            _ => self.unbiased_by_jackknife(value, grad),
        }
    }

    /// By the laws of Wishart and Beta matrices.
    fn shortened(
        &self,
        mut value: Vec<f64>,
        grad: &[f64],
        (n, rank): (usize, usize),
    ) -> Result<Estimate<Vec<f64>>> {
        let factor = self.inverse_factor(n, rank).ok_or_else(|| self.too_few())?;
        value.iter_mut().for_each(|x| *x *= factor);
        let standard_error = self.inverse_factor(n - 1, rank).and_then(|factor| {
            let mut replicates = self.inverses_without_each(grad)?;
            replicates *= faer::Scale(factor);
            Some(jackknife(&replicates, self.probes.unseen()))
        });
        Ok(self.estimate(value, standard_error))
    }

    fn unbiased_by_jackknife(
        &self,
        mut value: Vec<f64>,
        grad: &[f64],
    ) -> Result<Estimate<Vec<f64>>> {
        let n = self.probes.random();
        let replicates = (n > 1).then(|| self.inverses_without_each(grad)).flatten();
        let replicates = replicates.ok_or_else(|| self.too_few())?;
        let unseen = self.probes.unseen();
        for (x, mean) in value.iter_mut().zip(row_means(&replicates)) {
            *x -= unseen * (n as f64 - 1.0) * (mean - *x);
        }
        let standard_error = jackknife(&replicates, unseen);
        Ok(self.estimate(value, Some(standard_error)))
    }

    fn inverses_without_each(&self, grad: &[f64]) -> Option<Mat<f64>> {
        let zero = vec![0.0; self.probes.count()];
        let weights = self.probes.weights_without_one();
        let others = Fit::new(self.pulled.as_ref(), &weights, &zero);
        others.without_each(self.probes.exact(), &others.against(grad))
    }

    /// c with c E[Ĝ⁺] = G⁺, if there is one.
    pub(crate) fn inverse_factor(&self, n: usize, rank: usize) -> Option<f64> {
        let spare = |n: usize| n as f64 - rank as f64 - 1.0;
        let left = self.probes.left();
        let fixed = match self.probes.kind() {
            ProbeKind::Orthonormal => left as f64 / spare(left),
            ProbeKind::Signs | ProbeKind::Gaussian => 1.0,
        };
        (spare(n) > 0.0).then(|| fixed * spare(n) / n as f64)
    }

    fn too_few(&self) -> Error {
        Error::Option {
            what: "the number of random probes",
            value: self.probes.random() as f64,
            remedy: "the mean of an inverse needs at least two more than there are parameters (beside exact probes, two, \
                     and together more than parameters); take more, or `Sketch::solve`, which needs fewer",
        }
    }

    /// wⱼᵀdual(u).
    pub(crate) fn looked_at(&self, dual: &[f64]) -> Result<Vec<f64>> {
        check::length("dual(u)", dual.len(), self.probes.dim())?;
        check::finite("dual(u)", dual)?;
        let mut seen = Vec::with_capacity(self.probes.count());
        for block in blocks(self.probes.count()) {
            let part = product(self.probes.block(block).transpose(), column(dual));
            seen.extend_from_slice(part.col_as_slice(0));
        }
        Ok(seen)
    }

    pub(super) fn estimate<T>(&self, value: T, standard_error: Option<T>) -> Estimate<T> {
        Estimate {
            value,
            standard_error,
            solves: self.solves,
        }
    }
}

/// The standard error of the mean of aⱼbⱼᵀ, entry by entry, over the random probes: the bⱼ, and the aⱼ of so many rows
/// that `made` gives in blocks, stand as columns.
pub(super) fn error_of_mean(
    rows: usize,
    made: impl Fn(Range<usize>) -> Mat<f64>,
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
        add_product(mean.as_mut(), made(block).as_ref(), part);
    }
    mean *= faer::Scale(1.0 / n as f64);
    let mut squares = Mat::zeros(rows, b.nrows());
    for block in blocks(n) {
        let a = made(block.clone());
        for (j, probe) in block.enumerate() {
            add_squares(&mut squares, &mean, a.col_as_slice(j), b.col(probe));
        }
    }
    let factor = probes.unseen() / (n as f64 * (n as f64 - 1.0));
    for l in 0..b.nrows() {
        let column = squares.col_as_slice_mut(l).iter_mut();
        column.for_each(|s| *s = (factor * *s).sqrt());
    }
    Some(squares)
}

/// squares += (a bᵀ − mean)², entry by entry.
fn add_squares(squares: &mut Mat<f64>, mean: &Mat<f64>, a: &[f64], b: ColRef<'_, f64>) {
    for (l, b) in b.iter().enumerate() {
        let column = squares.col_as_slice_mut(l).iter_mut();
        for ((square, mean), a) in column.zip(mean.col_as_slice(l)).zip(a) {
            let off = a * b - mean;
            *square += off * off;
        }
    }
}
