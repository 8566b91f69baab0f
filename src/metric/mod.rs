//! Metrics of data space: M(ρ) = LᵀL on tangent vectors of the state.

mod blocks;
mod diagonal;
mod fisher_rao;
mod gaps;
mod hellinger_kantorovich;
mod l2;
mod observed;
mod particles;
mod rows;
mod sampled;
mod scaled;
mod shaped;
mod sobolev;
mod stacked;
mod transport;
mod wasserstein;

pub use self::blocks::{Blocks, Each};
pub use self::fisher_rao::FisherRao;
pub use self::hellinger_kantorovich::HellingerKantorovich;
pub use self::l2::L2;
pub use self::observed::Observed;
pub use self::particles::Particles;
pub use self::rows::Rows;
pub use self::sampled::{Kernels, SampledWasserstein};
pub use self::scaled::Scaled;
pub(crate) use self::shaped::{prepare, shaped};
pub use self::sobolev::Sobolev;
pub use self::stacked::Stacked;
pub use self::transport::FaceMean;
pub use self::wasserstein::Wasserstein2;

pub(crate) use self::blocks::BlocksRoot;
pub(crate) use self::diagonal::diagonal_root;
pub(crate) use self::observed::{weighted_root, whitened_residual};
pub(crate) use self::sampled::count;
pub(crate) use self::scaled::scaled_root;
pub(crate) use self::stacked::StackedRoot;

use faer::sparse::SparseColMat;
use faer::{Mat, MatRef, Scale};

use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Batch, Operator, share_columns};
use crate::model::Clouds;

/// Riemannian metric on data space, from which [`at`](Metric::at) prepares a [`Root`] at every ρ.
///
/// The example `own_metric` shows a user-defined metric.
pub trait Metric: Sync {
    /// Prepares the metric at ρ.
    ///
    /// # Errors
    /// Fails if the metric is undefined at ρ, or if the backend fails.
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>>;

    /// Returns a short name for tables and messages.
    fn name(&self) -> &'static str;

    /// Returns which clouds of points the metric is made for, or None if the state may hold anything.
    fn clouds(&self) -> Option<Clouds> {
        None
    }
}

/// Implements the trait for a borrowed metric.
impl<M: Metric + ?Sized> Metric for &M {
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        (**self).at(rho, backend)
    }

    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn clouds(&self) -> Option<Clouds> {
        (**self).clouds()
    }
}

/// Implements the trait for a boxed metric.
impl<M: Metric + ?Sized> Metric for Box<M> {
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        (**self).at(rho, backend)
    }

    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn clouds(&self) -> Option<Clouds> {
        (**self).clouds()
    }
}

/// Metric M(ρ) = LᵀL at one ρ.
///
/// L contains the projection Π onto admissible tangents (those that conserve mass, if the metric measures transport of
/// mass). L may be rectangular: for W₂ it maps cells to faces.
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
    // A natural direction minimises ‖L Z η + y‖ with y = dual(c). Its normal equations are ZᵀLᵀLZη = −ZᵀLᵀy,
    // that is Gη = −ZᵀΠᵀc, the natural gradient (Nurbekyan, Lei and Yang 2023). The least-squares form never
    // squares the condition number of L Z, as forming G does. It holds for any y with Lᵀy = Πᵀc: two such y
    // differ by a vector orthogonal to the range of L.
    /// Returns the length k of a tangent vector.
    fn dim(&self) -> usize;

    /// Returns the length of a lifted vector, which is k unless L is rectangular.
    fn lifted_dim(&self) -> usize {
        self.dim()
    }

    /// Returns L Z.
    ///
    /// # Errors
    /// Fails if a solve fails, or if the batch does not have k rows.
    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>>;

    /// Returns Lᵀ Y.
    ///
    /// # Errors
    /// Fails if a solve fails.
    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>>;

    /// Returns Lᵀ Y, which may remain on the device of the metric's solve, ready for the next solve.
    ///
    /// # Errors
    /// Fails if a solve fails.
    fn lower_batch(&self, y: Mat<f64>) -> Result<Batch> {
        self.lower(y.as_ref()).map(Batch::Host)
    }

    /// Returns M Z = LᵀL Z.
    ///
    /// # Errors
    /// Fails if a solve fails, or if the batch does not have k rows.
    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.lower(self.lift(z)?.as_ref())
    }

    /// Returns some y with Lᵀy = Πᵀc: the lifted gradient with respect to this metric.
    ///
    /// # Errors
    /// Fails with [`Error::NotInRange`](crate::Error::NotInRange) if the covector c is outside the range of Lᵀ.
    fn dual(&self, c: &[f64]) -> Result<Vec<f64>>;

    /// Returns M or M⁻¹ as a sparse matrix, if one of them couples neighbours only.
    ///
    /// The matrix omits the projection Π, so that it is correct only for tangents that conserve mass.
    fn local_form(&self) -> Option<LocalForm> {
        None
    }

    /// Returns lengths of the columns of Z that are at least those in the metric, if the metric sees so little of some tangents that
    /// their lengths in it are accidents. Damping, and steps of least norm, then count with these. None means that all columns
    /// count with their lengths in the metric.
    ///
    /// # Errors
    /// Fails if the batch does not have k rows.
    fn lengths(&self, z: MatRef<'_, f64>) -> Result<Option<Vec<f64>>> {
        let _ = z;
        Ok(None)
    }

    /// Returns the size of L, if it may change by orders of magnitude along a run, as that of a likelihood does with its noise
    /// levels. None means that it hardly changes.
    fn size(&self) -> Option<f64> {
        None
    }

    /// Computes c ← Πᵀc. A covector is projected once, before any other use.
    fn project(&self, c: &mut [f64]) {
        let _ = c;
    }
}

/// Sparse matrix that represents a metric.
pub enum LocalForm {
    /// Sparse matrix M of the metric.
    Metric(SparseColMat<usize, f64>),
    /// Sparse inverse M⁻¹ of the metric.
    Inverse(SparseColMat<usize, f64>),
}

impl LocalForm {
    /// Returns the local form of `factor` times the metric.
    fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Metric(m) => Self::Metric(m * Scale(factor)),
            Self::Inverse(r) => Self::Inverse(r * Scale(factor.recip())),
        }
    }
}

/// Returns the local form of a diagonal metric, given the entries of M⁻¹.
fn inverse_diagonal(entries: Vec<f64>) -> Option<LocalForm> {
    Operator::diagonal(entries)
        .to_sparse()
        .map(LocalForm::Inverse)
}

/// Returns max(ρ, floor · max ρ), for metrics that divide by the density.
fn floored(rho: &[f64], floor: f64) -> Result<Vec<f64>> {
    check::density("the density ρ", rho)?;
    check::option(
        "the floor of the density",
        floor,
        (0.0..1.0).contains(&floor),
        "give a fraction of the largest density, such as 1e-15",
    )?;
    // A floor relative to max ρ does not depend on the unit of the density. It bounds the ratio of the
    // weights 1/ρ by 1/floor, and raises the sum of N densities by at most N·floor·max ρ.
    let least = floor * rho.iter().fold(0.0_f64, |m, r| m.max(*r));
    let raised: Vec<f64> = rho.iter().map(|r| r.max(least)).collect();
    check::positive("the density ρ, raised to its floor,", &raised)?;
    Ok(raised)
}

/// Returns the batch with the columns f(column).
fn map_columns(z: MatRef<'_, f64>, rows: usize, f: impl Fn(&[f64], &mut [f64]) + Sync) -> Mat<f64> {
    let mut out = Mat::zeros(rows, z.ncols());
    share_columns(out.as_mut(), |j, out| {
        // The columns of an owned matrix are contiguous.
        let Some(out) = out.try_as_col_major_mut() else {
            return;
        };
        // Columns of a view may be strided. A copy of one column costs less than a loop over strided entries
        // in each f.
        match z.col(j).try_as_col_major() {
            Some(column) => f(column.as_slice(), out.as_slice_mut()),
            None => {
                let column: Vec<f64> = z.col(j).iter().copied().collect();
                f(&column, out.as_slice_mut());
            }
        }
    });
    out
}

pub(crate) fn check_lifted(y: MatRef<'_, f64>, rows: usize) -> Result<()> {
    check::length(
        "the rows of a lifted batch given to a metric",
        y.nrows(),
        rows,
    )
}

pub(crate) fn check_covector(c: &[f64], dim: usize) -> Result<()> {
    check::length("a covector given to a metric", c.len(), dim)
}

pub(crate) fn check_batch(z: MatRef<'_, f64>, dim: usize) -> Result<()> {
    check::length(
        "the rows of a tangent batch given to a metric",
        z.nrows(),
        dim,
    )
}
