//! What is made with a square root of the precision: rows of least-squares problems, lengths, samples.

use faer::{Mat, MatRef};

use super::{PriorTerms, Quadratic};
use crate::error::Result;
use crate::linalg::{
    Operator, Side, gram, lower_cholesky, product, range_basis, solve_triangular, symmetric_product,
};
use crate::random;

/// Columns below this fraction of the largest are rounding.
const ROUNDING: f64 = 1e-15;

impl<'a> PriorTerms<'a> {
    /// P and s with PᵀP = C and Pᵀs = ∇R, which stand below the rows of the data in least-squares problems: the roots and
    /// residuals of the priors. For priors without, a Cholesky factor L of their precision, written out, gives P = Lᵀ
    /// and s = L⁻¹∇R.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`](crate::Error::NotPositiveDefinite) where priors without a root leave something free.
    pub fn rows(&self) -> Result<(Mat<f64>, Vec<f64>)> {
        let n = self.chart.free.len();
        let rooted = self.roots_times(Mat::<f64>::identity(n, n).as_ref())?;
        let mut residual: Vec<f64> = self.roots().flat_map(|(_, s)| s.to_vec()).collect();
        if self.is_rooted() {
            return Ok((rooted, residual));
        }
        let what = "the precision of a prior without a root";
        let factor = lower_cholesky(self.rootless()?.as_ref(), what)?;
        let gradient = self.gradient_of(is_rootless);
        let mut rest = Mat::from_fn(n, 1, |i, _| gradient[i]);
        solve_triangular(factor.as_ref(), Side::Plain, rest.as_mut());
        residual.extend_from_slice(rest.col_as_slice(0));
        let above = rooted.nrows();
        let rows = Mat::from_fn(above + n, n, |i, j| match i.checked_sub(above) {
            None => rooted[(i, j)],
            Some(i) if i <= j => factor[(j, i)],
            Some(_) => 0.0,
        });
        Ok((rows, residual))
    }

    /// P as a matrix, see [`rows`](Self::rows).
    ///
    /// # Errors
    /// As for [`rows`](Self::rows).
    pub fn matrix(&self) -> Result<Mat<f64>> {
        Ok(self.rows()?.0)
    }

    /// C as a dense matrix.
    pub(crate) fn dense(&self) -> Result<Mat<f64>> {
        let n = self.chart.free.len();
        let rooted = self.roots_times(Mat::<f64>::identity(n, n).as_ref())?;
        Ok(gram(rooted.as_ref()) + self.rootless()?)
    }

    /// Some W with WᵀW = YᵀC Y.
    ///
    /// It is P Y where all priors have roots. Else Y = QR in the ordinary geometry comes first, exactly, and QᵀCQ = LLᵀ is as
    /// well conditioned as C, whatever Y is: W = LᵀR (Lowery, Langou 2014).
    pub(crate) fn lengths(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        if self.is_rooted() {
            return self.roots_times(y);
        }
        let q = range_basis(y.to_owned(), ROUNDING);
        let inner = symmetric_product(q.as_ref(), self.curvature(q.as_ref())?.as_ref());
        let factor = lower_cholesky(inner.as_ref(), "the precision of the priors")?;
        let r = product(q.transpose(), y);
        Ok(product(factor.transpose(), r.as_ref()))
    }

    /// Pᵀξ with standard normal ξ, columns of covariance C; none where a prior has no root.
    pub(crate) fn noise(&self, count: usize, seed: u64) -> Result<Option<Mat<f64>>> {
        if !self.is_rooted() {
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

    /// Columns from N(0, C⁻¹) for a precision that is ready for solving: C⁻¹Pᵀξ, or what a prior without a root draws.
    pub(crate) fn draw(&self, count: usize, seed: u64) -> Result<Mat<f64>> {
        if let Some(noise) = self.noise(count, seed)? {
            return self.solve(noise.as_ref());
        }
        if let Some(prior) = self.only().filter(|_| self.chart.is_identity()) {
            return prior.draw(&self.theta, count, seed);
        }
        let mut sum = Mat::zeros(self.theta.len(), count);
        for (k, (prior, term)) in self.priors.iter().zip(&self.terms).enumerate() {
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

    fn is_rooted(&self) -> bool {
        self.terms.iter().all(|term| term.root().is_some())
    }

    /// P V for the priors that have roots.
    fn roots_times(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let v = self.embed(v)?;
        let rows = self.roots().map(|(root, _)| root.nrows()).sum();
        let mut out = Mat::zeros(rows, v.ncols());
        let mut row = 0;
        for (root, _) in self.roots() {
            let place = out.as_mut().subrows_mut(row, root.nrows());
            root.apply_into(Side::Plain, v.as_ref(), place);
            row += root.nrows();
        }
        Ok(out)
    }

    /// C of the priors without roots, written out.
    fn rootless(&self) -> Result<Mat<f64>> {
        let n = self.chart.free.len();
        self.products(Mat::<f64>::identity(n, n).as_ref(), is_rootless)
    }
}

fn is_rootless(term: &Quadratic<'_>) -> bool {
    term.root().is_none()
}
