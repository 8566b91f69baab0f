//! Uses of a square root of the precision: rows of least-squares problems, norms, samples.

use faer::{Mat, MatRef};

use super::{PriorTerms, Quadratic};
use crate::error::Result;
use crate::linalg::{
    Operator, Side, gram, lower_cholesky, product, range_basis, solve_triangular, symmetric_product,
};
use crate::random;

/// Fraction of the largest pivot below which a column consists of rounding errors.
const ROUNDING: f64 = 1e-15;

impl<'a> PriorTerms<'a> {
    /// Returns P and s with PᵀP = C and Pᵀs = ∇R, which are appended to the rows of the data in least-squares
    /// problems.
    ///
    /// P and s are the roots and residuals of the priors. For priors without a root, the Cholesky factor L of their
    /// dense precision gives P = Lᵀ and s = L⁻¹∇R.
    ///
    /// # Errors
    /// Fails with [`Error::NotPositiveDefinite`](crate::Error::NotPositiveDefinite) if the priors without a root have a
    /// singular precision.
    pub fn rows(&self) -> Result<(Mat<f64>, Vec<f64>)> {
        let n = self.chart.free.len();
        let rooted = self.roots_times(Mat::<f64>::identity(n, n).as_ref())?;
        let mut residual: Vec<f64> = self.roots().flat_map(|(_, s)| s.to_vec()).collect();
        if self.all_have_roots() {
            return Ok((rooted, residual));
        }
        let what = "the precision of a prior without a root";
        // C = L Lᵀ: P = Lᵀ and s = L⁻¹∇R give PᵀP = C and Pᵀs = ∇R.
        let factor = lower_cholesky(self.rootless_precision()?.as_ref(), what)?;
        let gradient = self.gradient_of(has_no_root);
        let mut rest = Mat::from_fn(n, 1, |i, _| gradient[i]);
        solve_triangular(factor.as_ref(), Side::Plain, rest.as_mut());
        residual.extend_from_slice(rest.col_as_slice(0));
        let offset = rooted.nrows();
        let rows = Mat::from_fn(offset + n, n, |i, j| match i.checked_sub(offset) {
            None => rooted[(i, j)],
            Some(i) if i <= j => factor[(j, i)],
            Some(_) => 0.0,
        });
        Ok((rows, residual))
    }

    /// Returns P as a matrix, see [`rows`](Self::rows).
    ///
    /// # Errors
    /// Fails as [`rows`](Self::rows) does.
    pub fn matrix(&self) -> Result<Mat<f64>> {
        Ok(self.rows()?.0)
    }

    /// Returns C as a dense matrix.
    pub(crate) fn dense(&self) -> Result<Mat<f64>> {
        let n = self.chart.free.len();
        let rooted = self.roots_times(Mat::<f64>::identity(n, n).as_ref())?;
        Ok(gram(rooted.as_ref()) + self.rootless_precision()?)
    }

    /// Returns some W with WᵀW = YᵀC Y.
    ///
    /// W is P Y if all priors have roots. Otherwise Y = QR in the Euclidean inner product, and QᵀCQ = LLᵀ gives W =
    /// LᵀR. QᵀCQ is as well conditioned as C for any Y (Lowery, Langou 2014).
    pub(crate) fn norm_factor(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        if self.all_have_roots() {
            return self.roots_times(y);
        }
        // YᵀC Y = RᵀQᵀC Q R = RᵀL LᵀR, with R = QᵀY.
        // YᵀC Y itself would have the squared condition number of Y, and lose the small columns that matter
        // here.
        let q = range_basis(y.to_owned(), ROUNDING);
        let inner = symmetric_product(q.as_ref(), self.curvature(q.as_ref())?.as_ref());
        let factor = lower_cholesky(inner.as_ref(), "the precision of the priors")?;
        let r = product(q.transpose(), y);
        Ok(product(factor.transpose(), r.as_ref()))
    }

    /// Returns Pᵀξ with standard normal ξ, columns of covariance C, or None if a prior has no root.
    pub(crate) fn noise(&self, count: usize, seed: u64) -> Result<Option<Mat<f64>>> {
        if !self.all_have_roots() {
            return Ok(None);
        }
        let rows = self.roots().map(|(root, _)| root.nrows()).sum();
        let noise = random::normal_matrix(rows, count, seed);
        let mut sum = Mat::zeros(self.theta.len(), count);
        let mut row = 0;
        for (root, _) in self.roots() {
            sum += root.apply(Side::Transpose, noise.subrows(row, root.nrows()))?;
            row += root.nrows();
        }
        Ok(Some(self.chart.restrict(sum.as_ref())))
    }

    /// Draws columns from N(0, C⁻¹) after `factorise`: C⁻¹Pᵀξ, or the samples of a prior without a root.
    pub(crate) fn draw(&self, count: usize, seed: u64) -> Result<Mat<f64>> {
        if let Some(noise) = self.noise(count, seed)? {
            return self.solve(noise.as_ref());
        }
        if let Some(prior) = self.only_free_prior().filter(|_| self.chart.is_identity()) {
            return prior.draw(&self.theta, count, seed);
        }
        // x ~ N(0, Cₖ⁻¹) gives Cₖx ~ N(0, Cₖ). The sum of independent terms, Σ Pₖᵀξₖ + Σ Cₖxₖ, has the covariance C,
        // and C⁻¹ times it has the covariance C⁻¹.
        let mut sum = Mat::zeros(self.theta.len(), count);
        for (k, (prior, term)) in self.priors.iter().zip(&self.terms).enumerate() {
            // Terms drawn from one seed would be correlated, and their covariances would not add up.
            let seed = seed.wrapping_add(k as u64);
            sum += match term.root() {
                Some((root, _)) => {
                    let noise = random::normal_matrix(root.nrows(), count, seed);
                    root.apply(Side::Transpose, noise.as_ref())?
                }
                None => term.product(prior.draw(&self.theta, count, seed)?.as_ref())?,
            };
        }
        self.solve(self.chart.restrict(sum.as_ref()).as_ref())
    }

    fn roots(&self) -> impl Iterator<Item = (&Operator<'a>, &[f64])> {
        self.terms.iter().filter_map(Quadratic::root)
    }

    fn all_have_roots(&self) -> bool {
        self.terms.iter().all(|term| term.root().is_some())
    }

    /// Returns P V for the priors with roots.
    fn roots_times(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let v = self.embed(v)?;
        let rows = self.roots().map(|(root, _)| root.nrows()).sum();
        let mut out = Mat::zeros(rows, v.ncols());
        let mut row = 0;
        for (root, _) in self.roots() {
            let target = out.as_mut().subrows_mut(row, root.nrows());
            root.apply_into(Side::Plain, v.as_ref(), target);
            row += root.nrows();
        }
        Ok(out)
    }

    /// Returns C of the priors without roots as a dense matrix.
    fn rootless_precision(&self) -> Result<Mat<f64>> {
        let n = self.chart.free.len();
        self.products(Mat::<f64>::identity(n, n).as_ref(), has_no_root)
    }
}

fn has_no_root(term: &Quadratic<'_>) -> bool {
    term.root().is_none()
}
