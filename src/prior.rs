//! What is known of θ beforehand: least-squares terms ½‖s(θ)‖² with P = ∂s/∂θ.

use faer::sparse::{SparseColMat, Triplet};
use faer::{Mat, MatRef};

use crate::check;
use crate::covariance::Covariance;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::linearisation::Chart;
use crate::operator::{Operator, Side};

/// A penalty R(θ) = ½‖s(θ)‖², minus the logarithm of a prior density.
///
/// Its rows P = ∂s/∂θ go below those of the data in every least-squares problem, with s beside them.
pub trait Prior: Sync {
    /// s(θ).
    ///
    /// # Errors
    /// A θ of the wrong length.
    fn residual(&self, theta: &[f64]) -> Result<Vec<f64>>;

    /// P = ∂s/∂θ.
    fn root(&self, theta: &[f64]) -> Operator<'_>;

    /// R(θ).
    ///
    /// # Errors
    /// A θ of the wrong length.
    fn value(&self, theta: &[f64]) -> Result<f64> {
        Ok(0.5 * self.residual(theta)?.iter().map(|s| s * s).sum::<f64>())
    }
}

/// The Gaussian prior ½ (θ − m)ᵀ Γ⁻¹ (θ − m).
///
/// ```
/// use pullback::{Covariance, Prior, prior::Tikhonov};
/// let prior = Tikhonov::new(vec![1.0, 2.0], Covariance::uniform(2, 0.5)?)?;
/// assert_eq!(prior.value(&[1.5, 2.0])?, 0.5);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Tikhonov {
    mean: Vec<f64>,
    covariance: Covariance,
    whitening: Operator<'static>,
}

impl Tikhonov {
    /// The prior N(mean, covariance).
    ///
    /// # Errors
    /// A mean that is not finite or does not have the covariance's size.
    pub fn new(mean: Vec<f64>, covariance: Covariance) -> Result<Self> {
        check::length("the mean of a prior", mean.len(), covariance.dim())?;
        check::finite("the mean of a prior", &mean)?;
        Ok(Self {
            mean,
            whitening: covariance.whitening(),
            covariance,
        })
    }
}

impl Prior for Tikhonov {
    fn residual(&self, theta: &[f64]) -> Result<Vec<f64>> {
        check::length("θ given to a prior", theta.len(), self.mean.len())?;
        let d: Vec<f64> = theta.iter().zip(&self.mean).map(|(t, m)| t - m).collect();
        self.covariance.whitened(&d)
    }

    fn root(&self, _: &[f64]) -> Operator<'_> {
        self.whitening.lend()
    }
}

/// Smoothness of a field of parameters on a grid: ½ w² ∫|∇θ|² dx.
pub struct Smoothness {
    cells: usize,
    root: SparseColMat<usize, f64>,
}

impl Smoothness {
    /// The penalty for parameters that are cell values on `grid`, with weight w.
    ///
    /// # Errors
    /// A weight that is not positive and finite, an axis with a single cell.
    pub fn new(grid: &Grid, weight: f64) -> Result<Self> {
        check::positive("the weight of a smoothness prior", &[weight])?;
        grid.check_faces("a smoothness prior")?;
        let scale = weight * grid.volume().sqrt();
        let h = grid.spacings();
        let mut entries = Vec::with_capacity(2 * grid.faces());
        let mut face = 0;
        grid.visit_faces(|d, lower, upper| {
            entries.push(Triplet::new(face, lower, -scale / h[d]));
            entries.push(Triplet::new(face, upper, scale / h[d]));
            face += 1;
        });
        let root = SparseColMat::try_new_from_triplets(face, grid.cells(), &entries);
        Ok(Self {
            cells: grid.cells(),
            root: root.map_err(|_| Error::OutOfMemory {
                what: "assembly",
                size: face,
            })?,
        })
    }
}

impl Prior for Smoothness {
    fn residual(&self, theta: &[f64]) -> Result<Vec<f64>> {
        check::length("θ given to a prior", theta.len(), self.cells)?;
        self.root(theta).apply_to(Side::Plain, theta)
    }

    fn root(&self, _: &[f64]) -> Operator<'_> {
        self.root.as_ref().into()
    }
}

/// The priors at one θ, in the coordinates of the descent.
pub struct PriorTerms<'a> {
    roots: Vec<Operator<'a>>,
    residual: Vec<f64>,
    chart: Chart,
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
            roots: Vec::new(),
            residual: Vec::new(),
            chart,
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
        let mut out = Mat::zeros(self.chart.scale.len(), 1);
        let mut row = 0;
        for root in &self.roots {
            let s = &self.residual[row..row + root.nrows()];
            let s = MatRef::from_column_major_slice(s, s.len(), 1);
            out += root.apply(Side::Transpose, s)?;
            row += root.nrows();
        }
        let reduced = self.chart.restrict(out.as_ref());
        Ok(reduced.col_as_slice(0).to_vec())
    }
}
