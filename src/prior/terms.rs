//! The priors at one point, as the directions see them.

use faer::sparse::SparseColMat;
use faer::{Mat, MatRef};

use super::{Prior, diagonal_of_inverse, gram, ready};
use crate::backend::{Backend, Factor};
use crate::check;
use crate::error::{Error, Result};
use crate::linearisation::Chart;
use crate::operator::{Operator, Side, View};

/// The priors at one θ, in the coordinates of the descent.
pub struct PriorTerms<'a> {
    priors: Vec<&'a dyn Prior>,
    theta: Vec<f64>,
    roots: Vec<Operator<'a>>,
    residual: Vec<f64>,
    chart: Chart,
    precision: Option<Precision<'a>>,
}

/// PᵀP ready for solving, kept by somebody else or made for this point.
enum Precision<'a> {
    Kept(&'a dyn Factor),
    Made(Box<dyn Factor + 'a>),
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
        let mut terms = Self {
            priors: priors.to_vec(),
            theta: theta.to_vec(),
            roots: Vec::new(),
            residual: Vec::new(),
            chart,
            precision: None,
        };
        for prior in priors {
            let (root, residual) = (prior.root(theta), prior.residual(theta)?);
            check::length("the rows of a prior's root", root.nrows(), residual.len())?;
            check::length("the columns of a prior's root", root.ncols(), theta.len())?;
            root.check_finite("a prior's root")?;
            terms.roots.push(root);
            terms.residual.extend(residual);
        }
        Ok(terms)
    }

    pub(crate) fn set_chart(&mut self, chart: Chart) {
        self.chart = chart;
        self.precision = None;
    }

    /// Makes PᵀP ready for [`solve`](Self::solve).
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] where the priors leave some combination of the parameters free.
    pub fn factorise(&mut self, backend: &'a dyn Backend) -> Result<()> {
        let factor = match self.only() {
            Some(prior) => prior.precision(&self.theta, backend)?,
            None => ready(
                backend,
                Operator::sparse(self.precision()?).positive_definite(),
            )?,
        };
        self.precision = Some(Precision::Made(factor));
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

    /// diag (PᵀP)⁻¹, for the free parameters.
    pub(crate) fn variances(&self, backend: &dyn Backend) -> Result<Vec<f64>> {
        match (self.only(), &self.precision) {
            (Some(prior), _) => {
                let mut variances = prior.variances(&self.theta, backend)?;
                self.unscale(&mut variances);
                self.unscale(&mut variances);
                Ok(variances)
            }
            (None, Some(Precision::Made(factor))) => {
                diagonal_of_inverse(factor.as_ref(), self.chart.free.len())
            }
            _ => Err(not_factorised()),
        }
    }

    /// Solves with the precision of all parameters as they are, if that is what is asked for.
    pub(crate) fn keep(&mut self, factor: &'a dyn Factor) {
        self.precision = Some(Precision::Kept(factor));
    }

    /// Whether [`solve`](Self::solve) may be called.
    pub(crate) fn is_factorised(&self) -> bool {
        self.precision.is_some()
    }

    /// s, the right-hand side beside the rows P: zero there would ignore where the prior is centred.
    pub fn residual(&self) -> &[f64] {
        &self.residual
    }

    /// P V.
    ///
    /// # Errors
    /// V with other than one row a free parameter.
    pub fn apply(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check::length(
            "the rows of a parameter batch",
            v.nrows(),
            self.chart.free.len(),
        )?;
        let v = self.chart.embed(v);
        let mut out = Mat::zeros(self.residual.len(), v.ncols());
        let mut row = 0;
        for root in &self.roots {
            root.apply_into(
                Side::Plain,
                v.as_ref(),
                out.as_mut().subrows_mut(row, root.nrows()),
            );
            row += root.nrows();
        }
        Ok(out)
    }

    /// Pᵀ Y.
    ///
    /// # Errors
    /// Y with other than one row an entry of the residual.
    pub fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check::length(
            "the rows of a residual batch",
            y.nrows(),
            self.residual.len(),
        )?;
        let mut out = Mat::zeros(self.chart.scale.len(), y.ncols());
        let mut row = 0;
        for root in &self.roots {
            out += root.apply(Side::Transpose, y.subrows(row, root.nrows()))?;
            row += root.nrows();
        }
        Ok(self.chart.restrict(out.as_ref()))
    }

    /// P as a matrix.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub fn matrix(&self) -> Result<Mat<f64>> {
        let n = self.chart.free.len();
        self.apply(Mat::<f64>::identity(n, n).as_ref())
    }

    /// Pᵀs = ∇R.
    ///
    /// # Errors
    /// A root whose rows do not fit its residual.
    pub fn gradient(&self) -> Result<Vec<f64>> {
        let s = MatRef::from_column_major_slice(&self.residual, self.residual.len(), 1);
        Ok(self.lower(s)?.col_as_slice(0).to_vec())
    }

    /// The precision PᵀP V.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub fn curvature(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.lower(self.apply(v)?.as_ref())
    }

    /// (PᵀP)⁻¹ V.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] unless the precision was factorised before (directions that need it say so by
    /// [`needs_precision`](crate::Direction::needs_precision)), and what its solver reports.
    pub fn solve(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let factor = match &self.precision {
            Some(Precision::Kept(factor)) => *factor,
            Some(Precision::Made(factor)) => factor.as_ref(),
            None => return Err(not_factorised()),
        };
        let mut x = v.to_owned();
        if self.only().is_none() {
            factor.solve(Side::Plain, x.as_mut())?;
            return Ok(x);
        }
        (0..x.ncols()).for_each(|j| self.unscale(x.col_as_slice_mut(j)));
        factor.solve(Side::Plain, x.as_mut())?;
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
        let apart = |root: &Operator<'_>| matches!(root.view(), View::Identity | View::Diagonal(_));
        self.roots.iter().all(apart)
    }

    /// Whether P is the same everywhere.
    pub(crate) fn is_affine(&self) -> bool {
        self.priors.iter().all(|prior| prior.is_affine())
    }

    /// PᵀP of the free parameters as a sparse matrix.
    pub(crate) fn precision(&self) -> Result<SparseColMat<usize, f64>> {
        let mut place = vec![usize::MAX; self.chart.scale.len()];
        for (row, &i) in self.chart.free.iter().enumerate() {
            place[i] = row;
        }
        let scale = &self.chart.scale;
        let mut entries = Vec::new();
        for root in &self.roots {
            let gram = gram(root)?;
            let View::Sparse(gram) = gram.view() else {
                continue;
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
        let summed = Operator::triplets(n, n, entries).to_sparse();
        summed.ok_or(Error::NotPositiveDefinite {
            what: "the precision of the priors",
        })
    }
}

fn not_factorised() -> Error {
    Error::NotPositiveDefinite {
        what: "the precision of the priors, which was not factorised,",
    }
}
