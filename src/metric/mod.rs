//! Geometries of data space: M(ρ) = LᵀL on tangent vectors of the state.

mod fisher_rao;
mod gaps;
mod hellinger_kantorovich;
mod l2;
mod observed;
mod scaled;
mod sobolev;
mod stacked;
mod transport;
mod wasserstein;

pub use self::fisher_rao::FisherRao;
pub use self::hellinger_kantorovich::HellingerKantorovich;
pub use self::l2::L2;
pub use self::observed::Observed;
pub use self::scaled::Scaled;
pub use self::sobolev::Sobolev;
pub use self::stacked::Stacked;
pub use self::transport::FaceMean;
pub use self::wasserstein::Wasserstein2;

pub(crate) use self::observed::whitened_residual;
pub(crate) use self::stacked::StackedRoot;

use faer::sparse::SparseColMat;
use faer::{Mat, MatRef, Scale};

use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Batch, Operator};

/// A Riemannian metric on data space.
///
/// See the example `own_metric` for one of your own: a metric is a [`Root`] at every ρ.
pub trait Metric: Sync {
    /// The metric at ρ.
    ///
    /// # Errors
    /// A ρ that the metric is not defined at, or what the backend reports.
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>>;

    /// A short name for tables and messages.
    fn name(&self) -> &'static str;
}

/// A metric may be lent where one is owned.
impl<M: Metric + ?Sized> Metric for &M {
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        (**self).at(rho, backend)
    }

    fn name(&self) -> &'static str {
        (**self).name()
    }
}

/// M(ρ) = LᵀL at one ρ. L contains the projection Π onto admissible tangents (mass kept, where the metric
/// is about mass) and may be rectangular: for W₂ it leads from cells to faces.
///
/// ```
/// use pullback::{Cpu, Grid, Metric, Side, metric::L2, faer::mat};
/// let metric = L2::new(&Grid::new(&[(0.0, 1.0, 2)])?);
/// let (rho, cpu) = ([1.0, 1.0], Cpu::default());
/// let root = metric.at(&rho, &cpu)?;
/// let m = root.apply(mat![[1.0, 0.0], [0.0, 1.0]].as_ref())?;
/// assert!((m[(0, 0)] - 0.5).abs() < 1e-15); // the volume of a cell
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Root: Send + Sync {
    /// k, the length of a tangent vector.
    fn dim(&self) -> usize;

    /// The length of a lifted vector; k unless L is rectangular.
    fn lifted_dim(&self) -> usize {
        self.dim()
    }

    /// L Z.
    ///
    /// # Errors
    /// Failing solves, or a batch with other than k rows.
    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>>;

    /// Lᵀ Y.
    ///
    /// # Errors
    /// Failing solves.
    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>>;

    /// Lᵀ Y, which may stay where a solve of the metric left it, for the next solve.
    ///
    /// # Errors
    /// Failing solves.
    fn lower_batch(&self, y: Mat<f64>) -> Result<Batch> {
        self.lower(y.as_ref()).map(Batch::Here)
    }

    /// M Z = LᵀL Z.
    ///
    /// # Errors
    /// Failing solves, or a batch with other than k rows.
    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.lower(self.lift(z)?.as_ref())
    }

    /// Some y with Lᵀy = Πᵀc: the gradient with respect to this metric, lifted.
    ///
    /// # Errors
    /// [`Error::NotInRange`](crate::Error::NotInRange) where the metric does not see all of c.
    fn dual(&self, c: &[f64]) -> Result<Vec<f64>>;

    /// M or M⁻¹ as a sparse matrix, where one of them couples neighbours only. Where L projects, what it projects away
    /// is left out of account: the matrix is right for tangents that keep the mass.
    fn local_form(&self) -> Option<LocalForm> {
        None
    }

    /// c ← Πᵀc. Done once, before anything else sees the covector.
    fn project(&self, c: &mut [f64]) {
        let _ = c;
    }
}

/// A metric written out.
pub enum LocalForm {
    /// M.
    Metric(SparseColMat<usize, f64>),
    /// M⁻¹.
    Inverse(SparseColMat<usize, f64>),
}

impl LocalForm {
    /// That of `factor` times the metric.
    fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Metric(m) => Self::Metric(m * Scale(factor)),
            Self::Inverse(r) => Self::Inverse(r * Scale(factor.recip())),
        }
    }
}

/// M⁻¹ for a diagonal metric, by its entries.
fn inverse_diagonal(entries: Vec<f64>) -> Option<LocalForm> {
    Operator::diagonal(entries)
        .to_sparse()
        .map(LocalForm::Inverse)
}

/// max(ρ, floor · max ρ), for metrics that divide by the density.
fn floored(rho: &[f64], floor: f64) -> Result<Vec<f64>> {
    check::density("the density ρ", rho)?;
    check::option(
        "the floor of the density",
        floor,
        (0.0..1.0).contains(&floor),
        "give a fraction of the largest density, such as 1e-15",
    )?;
    let least = floor * rho.iter().fold(0.0_f64, |m, r| m.max(*r));
    let raised: Vec<f64> = rho.iter().map(|r| r.max(least)).collect();
    check::positive("the density ρ, raised to its floor,", &raised)?;
    Ok(raised)
}

/// A batch made of f(column).
fn map_columns(z: MatRef<'_, f64>, rows: usize, f: impl Fn(&[f64], &mut [f64])) -> Mat<f64> {
    let mut out = Mat::zeros(rows, z.ncols());
    for j in 0..z.ncols() {
        match z.col(j).try_as_col_major() {
            Some(column) => f(column.as_slice(), out.col_as_slice_mut(j)),
            None => {
                let column: Vec<f64> = z.col(j).iter().copied().collect();
                f(&column, out.col_as_slice_mut(j));
            }
        }
    }
    out
}

fn check_lifted(y: MatRef<'_, f64>, rows: usize) -> Result<()> {
    check::length(
        "the rows of a lifted batch given to a metric",
        y.nrows(),
        rows,
    )
}

fn check_covector(c: &[f64], dim: usize) -> Result<()> {
    check::length("a covector given to a metric", c.len(), dim)
}

fn check_batch(z: MatRef<'_, f64>, dim: usize) -> Result<()> {
    check::length(
        "the rows of a tangent batch given to a metric",
        z.nrows(),
        dim,
    )
}
