//! The priors at one point, as the directions see them.

use faer::sparse::SparseColMat;
use faer::{Mat, MatRef};

use super::held::Held;
use super::{Prior, Quadratic, diagonal_of_inverse, ready};
use crate::check;
use crate::coordinates::Chart;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Factor};
use crate::linalg::{Operator, Side};

/// The priors at one θ, in the coordinates of the descent.
pub struct PriorTerms<'a> {
    pub(super) priors: Vec<&'a dyn Prior>,
    pub(crate) theta: Vec<f64>,
    pub(super) terms: Vec<Quadratic<'a>>,
    pub(super) chart: Chart,
    /// C, factorised.
    precision: Option<Box<dyn Factor + 'a>>,
}

impl<'a> PriorTerms<'a> {
    /// The priors at θ, all parameters free.
    ///
    /// # Errors
    /// Priors for another number of parameters, or with entries that are not finite.
    pub fn new(priors: &[&'a dyn Prior], theta: &[f64]) -> Result<Self> {
        Self::at(priors, theta, Chart::identity(theta.len()))
    }

    pub(crate) fn at(priors: &[&'a dyn Prior], theta: &[f64], chart: Chart) -> Result<Self> {
        let mut terms = Vec::with_capacity(priors.len());
        for prior in priors {
            let term = prior.at(theta)?;
            check::length("the parameters of a prior", term.dim(), theta.len())?;
            terms.push(term);
        }
        Ok(Self {
            priors: priors.to_vec(),
            theta: theta.to_vec(),
            terms,
            chart,
            precision: None,
        })
    }

    pub(crate) fn set_chart(&mut self, chart: Chart) {
        self.chart = chart;
        self.precision = None;
    }

    /// Makes C ready for [`solve`](Self::solve).
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] where the priors leave some combination of the parameters free;
    /// [`Error::PriorLacks`] for the precision of a sum that is known by its products only.
    pub fn factorise(&mut self, backend: &'a dyn Backend) -> Result<()> {
        let factor = match self.only() {
            Some(prior) => prior.precision(&self.theta, backend)?,
            None => match (self.precision()?, self.priors.as_slice()) {
                (Some(precision), _) => {
                    ready(backend, Operator::sparse(precision).positive_definite())?
                }
                (None, [prior]) => {
                    let whole = prior.precision(&self.theta, backend)?;
                    Box::new(Held::new(whole, self.chart.clone())?)
                }
                (None, _) => return Err(products_only()),
            },
        };
        self.precision = Some(factor);
        Ok(())
    }

    /// The prior, if it is the only one and all parameters are free: its own precision is then that of θ, and no
    /// transform of coordinates calls for another.
    pub(crate) fn only(&self) -> Option<&'a dyn Prior> {
        match self.priors.as_slice() {
            [prior] if self.chart.free.len() == self.chart.scale.len() => Some(*prior),
            _ => None,
        }
    }

    /// diag C⁻¹, for the free parameters.
    pub(crate) fn variances(&self, backend: &dyn Backend) -> Result<Vec<f64>> {
        match (self.only(), &self.precision) {
            (Some(prior), _) => {
                let mut variances = prior.variances(&self.theta, backend)?;
                self.unscale(&mut variances);
                self.unscale(&mut variances);
                Ok(variances)
            }
            (None, Some(factor)) => diagonal_of_inverse(factor.as_ref(), self.chart.free.len()),
            _ => Err(not_factorised()),
        }
    }

    /// Whether [`solve`](Self::solve) may be called.
    pub(crate) fn is_factorised(&self) -> bool {
        self.precision.is_some()
    }

    /// R.
    pub fn value(&self) -> f64 {
        self.terms.iter().map(Quadratic::value).sum()
    }

    /// ∇R.
    pub fn gradient(&self) -> Vec<f64> {
        self.gradient_of(|_| true)
    }

    /// ∇R for some of the priors.
    pub(super) fn gradient_of(&self, of: impl Fn(&Quadratic<'_>) -> bool) -> Vec<f64> {
        let mut sum = vec![0.0; self.theta.len()];
        for term in self.terms.iter().filter(|term| of(term)) {
            let gradient = term.gradient();
            sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += g);
        }
        let free = self.chart.free.iter();
        free.map(|&i| self.chart.scale[i] * sum[i]).collect()
    }

    /// C V.
    ///
    /// # Errors
    /// V with other than one row a free parameter.
    pub fn curvature(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.products(v, |_| true)
    }

    /// C V for some of the priors.
    pub(super) fn products(
        &self,
        v: MatRef<'_, f64>,
        of: impl Fn(&Quadratic<'_>) -> bool,
    ) -> Result<Mat<f64>> {
        let v = self.embed(v)?;
        let mut sum = Mat::zeros(self.theta.len(), v.ncols());
        for term in self.terms.iter().filter(|term| of(term)) {
            sum += term.product(v.as_ref())?;
        }
        Ok(self.chart.restrict(sum.as_ref()))
    }

    /// From free parameters to all.
    pub(super) fn embed(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let what = "the rows of a parameter batch";
        check::length(what, v.nrows(), self.chart.free.len())?;
        Ok(self.chart.embed(v))
    }

    /// C⁻¹ V.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] unless the precision was factorised before (directions that need it say so by
    /// [`needs_precision`](crate::Direction::needs_precision)), and what its solver reports.
    pub fn solve(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let factor = self.precision.as_ref().ok_or_else(not_factorised)?;
        let mut x = v.to_owned();
        if self.only().is_none() {
            factor.solve(Side::Plain, None, x.as_mut())?;
            return Ok(x);
        }
        (0..x.ncols()).for_each(|j| self.unscale(x.col_as_slice_mut(j)));
        factor.solve(Side::Plain, None, x.as_mut())?;
        (0..x.ncols()).for_each(|j| self.unscale(x.col_as_slice_mut(j)));
        Ok(x)
    }

    /// From θ to the coordinates of the descent, where all parameters are free.
    fn unscale(&self, x: &mut [f64]) {
        let scale = x.iter_mut().zip(&self.chart.scale);
        scale.for_each(|(x, s)| *x /= s);
    }

    /// Whether the priors treat every parameter apart.
    pub(crate) fn is_diagonal(&self) -> bool {
        self.terms.iter().all(Quadratic::is_diagonal)
    }

    /// Whether C is the same everywhere.
    pub(crate) fn is_affine(&self) -> bool {
        self.priors.iter().all(|prior| prior.is_affine())
    }

    /// C of the free parameters as a sparse matrix, unless it is known by products only.
    pub(crate) fn precision(&self) -> Result<Option<SparseColMat<usize, f64>>> {
        let mut place = vec![usize::MAX; self.chart.scale.len()];
        for (row, &i) in self.chart.free.iter().enumerate() {
            place[i] = row;
        }
        let scale = &self.chart.scale;
        let mut entries = Vec::new();
        for term in &self.terms {
            let Some(gram) = term.sparse_precision()? else {
                return Ok(None);
            };
            for (j, &column) in place.iter().enumerate().filter(|(_, c)| **c != usize::MAX) {
                let (rows, values) = (gram.row_idx_of_col_raw(j), gram.val_of_col(j));
                let kept = rows
                    .iter()
                    .zip(values)
                    .filter(|(i, _)| place[**i] != usize::MAX);
                entries.extend(kept.map(|(&i, v)| (place[i], column, scale[i] * v * scale[j])));
            }
        }
        let n = self.chart.free.len();
        Ok(Operator::triplets(n, n, entries).to_sparse())
    }
}

fn products_only() -> Error {
    Error::PriorLacks {
        what: "precision written out, which the sum of it and others is factorised by",
        remedy: "give the precision as a sparse matrix, make one prior of them, or take `Preconditioner::Identity`",
    }
}

fn not_factorised() -> Error {
    Error::NotPositiveDefinite {
        what: "the precision of the priors, which was not factorised,",
    }
}
