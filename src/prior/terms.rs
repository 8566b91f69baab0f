//! Priors at one point, in the coordinates of the descent.

use faer::sparse::SparseColMat;
use faer::{Mat, MatRef};

use super::conditional::ConditionalPrecision;
use super::{Prior, Quadratic, diagonal_of_inverse, factor_definite};
use crate::check;
use crate::coordinates::Chart;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Factor, Operator, Side};

/// Priors at one θ, in the coordinates of the descent.
pub struct PriorTerms<'a> {
    pub(super) priors: Vec<&'a dyn Prior>,
    pub(crate) theta: Vec<f64>,
    pub(super) terms: Vec<Quadratic<'a>>,
    pub(super) chart: Chart,
    /// Solver for the precision C, after `factorise`.
    precision: Option<Box<dyn Factor + 'a>>,
}

impl<'a> PriorTerms<'a> {
    /// Prepares the priors at θ, with all parameters free.
    ///
    /// # Errors
    /// Fails if a prior is for a different number of parameters, or has entries that are not finite.
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

    /// Factorises C for [`solve`](Self::solve).
    ///
    /// # Errors
    /// Fails with [`Error::NotPositiveDefinite`] if the priors leave some combination of the parameters
    /// undetermined. Fails with [`Error::PriorLacks`] for a sum of priors if one of them has no sparse
    /// precision.
    pub fn factorise(&mut self, backend: &'a dyn Backend) -> Result<()> {
        // The cases are in the order of their cost. A prior may have a solver of its own for all parameters,
        // such as a cosine transform. Sparse precisions can be added and restricted to the free parameters,
        // but have to be factorised. The restriction of a prior with only a solver takes a Schur complement.
        let factor = match self.only_free_prior() {
            Some(prior) => prior.precision(&self.theta, backend)?,
            None => match (self.precision()?, self.priors.as_slice()) {
                (Some(precision), _) => {
                    factor_definite(backend, Operator::sparse(precision).positive_definite())?
                }
                (None, [prior]) => {
                    let full = prior.precision(&self.theta, backend)?;
                    Box::new(ConditionalPrecision::new(full, self.chart.clone())?)
                }
                (None, _) => return Err(products_only()),
            },
        };
        self.precision = Some(factor);
        Ok(())
    }

    /// Returns the prior if there is only one and all parameters are free. The precision of this prior in θ then serves
    /// all charts, which only rescale the parameters.
    pub(crate) fn only_free_prior(&self) -> Option<&'a dyn Prior> {
        match self.priors.as_slice() {
            [prior] if self.chart.free.len() == self.chart.scale.len() => Some(*prior),
            _ => None,
        }
    }

    /// Returns diag C⁻¹ for the free parameters.
    pub(crate) fn variances(&self, backend: &dyn Backend) -> Result<Vec<f64>> {
        match (self.only_free_prior(), &self.precision) {
            (Some(prior), _) => {
                // The covariance in ξ is S⁻¹C⁻¹S⁻¹: its diagonal is divided by the scale twice.
                let mut variances = prior.variances(&self.theta, backend)?;
                self.unscale(&mut variances);
                self.unscale(&mut variances);
                Ok(variances)
            }
            (None, Some(factor)) => diagonal_of_inverse(factor.as_ref(), self.chart.free.len()),
            _ => Err(not_factorised()),
        }
    }

    /// Returns whether the precision is factorised, as [`solve`](Self::solve) requires.
    pub(crate) fn is_factorised(&self) -> bool {
        self.precision.is_some()
    }

    /// Returns the sum R of the penalties.
    pub fn value(&self) -> f64 {
        self.terms.iter().map(Quadratic::value).sum()
    }

    /// Returns the gradient ∇R of the penalties.
    pub fn gradient(&self) -> Vec<f64> {
        self.gradient_of(|_| true)
    }

    /// Returns ∇R of the selected priors.
    pub(super) fn gradient_of(&self, select: impl Fn(&Quadratic<'_>) -> bool) -> Vec<f64> {
        let mut sum = vec![0.0; self.theta.len()];
        for term in self.terms.iter().filter(|term| select(term)) {
            let gradient = term.gradient();
            sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += g);
        }
        // With dθ = S Rᵀdξ the gradient in ξ is R S ∇R. Held parameters contribute to R(θ) and ∇R; their
        // entries are dropped only here.
        let free = self.chart.free.iter();
        free.map(|&i| self.chart.scale[i] * sum[i]).collect()
    }

    /// Returns C V.
    ///
    /// # Errors
    /// Fails if V does not have one row per free parameter.
    pub fn curvature(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.products(v, |_| true)
    }

    /// Returns C V of the selected priors.
    pub(super) fn products(
        &self,
        v: MatRef<'_, f64>,
        select: impl Fn(&Quadratic<'_>) -> bool,
    ) -> Result<Mat<f64>> {
        let v = self.embed(v)?;
        let mut sum = Mat::zeros(self.theta.len(), v.ncols());
        for term in self.terms.iter().filter(|term| select(term)) {
            sum += term.product(v.as_ref())?;
        }
        Ok(self.chart.restrict(sum.as_ref()))
    }

    /// Maps vectors of the free parameters to vectors of all parameters.
    pub(super) fn embed(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let what = "the rows of a parameter batch";
        check::length(what, v.nrows(), self.chart.free.len())?;
        Ok(self.chart.embed(v))
    }

    /// Returns C⁻¹ V.
    ///
    /// # Errors
    /// Fails with [`Error::NotPositiveDefinite`] if the precision is not factorised; directions request this by
    /// [`needs_precision`](crate::Direction::needs_precision). Fails if the solver fails.
    pub fn solve(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let factor = self.precision.as_ref().ok_or_else(not_factorised)?;
        let mut x = v.to_owned();
        if self.only_free_prior().is_none() {
            factor.solve(Side::Plain, None, x.as_mut())?;
            return Ok(x);
        }
        // With dθ = S dξ the precision in ξ is S C S, whose inverse is S⁻¹C⁻¹S⁻¹.
        (0..x.ncols()).for_each(|j| self.unscale(x.col_as_slice_mut(j)));
        factor.solve(Side::Plain, None, x.as_mut())?;
        (0..x.ncols()).for_each(|j| self.unscale(x.col_as_slice_mut(j)));
        Ok(x)
    }

    /// Divides `x` by the scale of the coordinates, entry by entry, for a chart in which all parameters are
    /// free.
    fn unscale(&self, x: &mut [f64]) {
        let scale = x.iter_mut().zip(&self.chart.scale);
        scale.for_each(|(x, s)| *x /= s);
    }

    /// Returns whether the precision C is diagonal.
    pub(crate) fn is_diagonal(&self) -> bool {
        self.terms.iter().all(Quadratic::is_diagonal)
    }

    /// Returns whether the precision C is constant.
    pub(crate) fn is_affine(&self) -> bool {
        self.priors.iter().all(|prior| prior.is_affine())
    }

    /// Returns C of the free parameters as a sparse matrix, or None if the precision of a prior cannot be
    /// converted to one.
    pub(crate) fn precision(&self) -> Result<Option<SparseColMat<usize, f64>>> {
        let mut row_of = vec![usize::MAX; self.chart.scale.len()];
        for (row, &i) in self.chart.free.iter().enumerate() {
            row_of[i] = row;
        }
        let scale = &self.chart.scale;
        let mut entries = Vec::new();
        for term in &self.terms {
            let Some(gram) = term.sparse_precision()? else {
                return Ok(None);
            };
            for (j, &column) in row_of.iter().enumerate().filter(|(_, c)| **c != usize::MAX) {
                let (rows, values) = (gram.row_idx_of_col_raw(j), gram.val_of_col(j));
                let free_entries = rows
                    .iter()
                    .zip(values)
                    .filter(|(i, _)| row_of[**i] != usize::MAX);
                // dθ = S dξ on the free parameters: the precision in ξ is S R C Rᵀ S.
                entries.extend(
                    free_entries.map(|(&i, v)| (row_of[i], column, scale[i] * v * scale[j])),
                );
            }
        }
        let n = self.chart.free.len();
        Ok(Operator::triplets(n, n, entries).to_sparse())
    }
}

fn products_only() -> Error {
    Error::PriorLacks {
        what: "precision as a sparse matrix, which the factorisation of a sum of priors needs",
        remedy: "give the precision as a sparse matrix, combine the priors into one, or use `Preconditioner::Identity`",
    }
}

fn not_factorised() -> Error {
    Error::NotPositiveDefinite {
        what: "the precision of the priors, which was not factorised,",
    }
}
