//! Adjoint-state method: products with Z = ∂ρ/∂θ and Zᵀ.
//!
//! For an objective f(ρ(θ)), the chain rule gives ∇f = Zᵀw with the covector w = ∂f/∂ρ. Forming Z = −A⁻¹C takes one solve
//! with A = ∂g/∂ρ per parameter. Regrouping,
//!
//! ```text
//! ∇f = Zᵀw = −Cᵀ(A⁻ᵀw) = −Cᵀλ,   Aᵀλ = w,
//! ```
//!
//! takes one solve with Aᵀ for any number of parameters. λ is the adjoint state, the Lagrange multiplier of
//! g(ρ, θ) = 0 in L(ρ, θ, λ) = f(ρ) − λᵀg(ρ, θ). Natural gradients need batches of products: tangents for the columns of Z,
//! adjoints for its rows or for random combinations of them.
//!
//! A model supplies a [`Sensitivity`]. A [`Linearisation`] expresses the sensitivity in the coordinates of the descent
//! and counts the solves.

mod blocks;
mod deferred;
mod implicit;
mod second_order;
mod sensitivity;

pub(crate) use self::blocks::blocks;
pub use self::implicit::Implicit;
pub use self::second_order::{Curved, StateCurvature};
pub use self::sensitivity::{Sensitivity, explicit_jacobian};

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use faer::sparse::SparseColMat;
use faer::{Mat, MatRef};

use self::deferred::Deferred;
use super::Model;
use crate::check;
use crate::coordinates::Chart;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Operator};

/// Relative difference of ⟨Z v, w⟩ and ⟨v, Zᵀw⟩ that only a wrong product explains.
//
// Errors of solves are far smaller, unless the problem is so ill-conditioned that its gradient has no digits. A wrong sign
// gives 1, and a forgotten transpose or factor something of that order.
const CONTRADICTION: f64 = 0.1;

/// Checks that ⟨Z v, w⟩ and ⟨v, Zᵀw⟩ agree up to errors of solves and an absolute rounding error.
pub(crate) fn check_adjoint(forward: f64, backward: f64, rounding: f64) -> Result<()> {
    let size = forward.abs() + backward.abs();
    match (forward - backward).abs() > CONTRADICTION * size && size > rounding {
        true => Err(Error::NotAdjoint { forward, backward }),
        false => Ok(()),
    }
}

/// Derivative Z = ∂ρ/∂θ at one point, in the coordinates of the free parameters.
///
/// Products with Z and Zᵀ are those of the model's [`Sensitivity`]. The matrix Z is formed on request and cached.
///
/// ```
/// use pullback::{Cpu, Linearisation, models::GaussianMixture, models::Parameter, Grid, faer::mat};
/// let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 5.0, 50)])?)
///     .component(1.0, &[0.0], 1.0)
///     .free(&[Parameter::Mean(0, 0)])?;
/// let theta = mixture.parameters();
/// let rho = mixture.density(&theta)?;
/// let cpu = Cpu::default();
/// let z = Linearisation::new(&mixture, &rho, &theta, &cpu)?;
/// assert_eq!(z.tangent(mat![[1.0]].as_ref())?.nrows(), 50);
/// assert_eq!(z.solves(), (0, 0)); // an explicit model solves nothing
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Linearisation<'a> {
    sensitivity: Box<dyn Sensitivity + 'a>,
    chart: Chart,
    matrix: OnceLock<Mat<f64>>,
    tangents: AtomicUsize,
    adjoints: AtomicUsize,
}

impl<'a> Linearisation<'a> {
    /// Linearises the model at (ρ, θ).
    ///
    /// # Errors
    /// Fails as [`Model::linearise`] does, and if a vector or the sensitivity has the wrong shape.
    pub fn new(
        model: &'a dyn Model,
        rho: &'a [f64],
        theta: &'a [f64],
        backend: &'a dyn Backend,
    ) -> Result<Self> {
        let (k, p) = (model.state_dim(), model.param_dim());
        check::length("ρ", rho.len(), k)?;
        check::length("θ", theta.len(), p)?;
        let sensitivity = model.linearise(rho, theta, backend)?;
        check::length("the rows of ∂ρ/∂θ", sensitivity.state_dim(), k)?;
        check::length("the columns of ∂ρ/∂θ", sensitivity.param_dim(), p)?;
        Ok(Self::of(sensitivity))
    }

    /// Returns the linearisation at (ρ, θ), where the model is linearised when the first product is asked for.
    pub(crate) fn deferred(
        model: &'a dyn Model,
        rho: &'a [f64],
        theta: &'a [f64],
        backend: &'a dyn Backend,
    ) -> Result<Self> {
        let deferred = Deferred::new(model, (rho, theta), backend);
        Ok(Self::of(Box::new(deferred)))
    }

    /// Returns a sensitivity in the coordinates where all parameters are free.
    fn of(sensitivity: Box<dyn Sensitivity + 'a>) -> Self {
        Self {
            chart: Chart::identity(sensitivity.param_dim()),
            sensitivity,
            matrix: OnceLock::new(),
            tangents: AtomicUsize::new(0),
            adjoints: AtomicUsize::new(0),
        }
    }

    /// Changes the coordinates of θ to which all later products refer.
    pub(crate) fn set_chart(&mut self, chart: Chart) {
        self.chart = chart;
        self.matrix = OnceLock::new();
    }

    /// Returns the coordinates of θ.
    pub(crate) fn chart(&self) -> &Chart {
        &self.chart
    }

    /// Restricts the free parameters to those at the positions `keep`, and a cached Z to their columns.
    pub(crate) fn keep(&mut self, keep: &[usize]) {
        self.chart.free = keep.iter().map(|&j| self.chart.free[j]).collect();
        if let Some(z) = self.matrix.take() {
            let kept = Mat::from_fn(z.nrows(), keep.len(), |i, j| z[(i, keep[j])]);
            self.matrix = OnceLock::from(kept);
        }
    }

    /// Returns the number of free parameters.
    pub fn param_dim(&self) -> usize {
        self.chart.free.len()
    }

    /// Returns k, the length of ρ.
    pub fn state_dim(&self) -> usize {
        self.sensitivity.state_dim()
    }

    /// Returns the numbers of tangent and of adjoint solves so far.
    pub fn solves(&self) -> (usize, usize) {
        (
            self.tangents.load(Ordering::Relaxed),
            self.adjoints.load(Ordering::Relaxed),
        )
    }

    /// Counts adjoint solves.
    fn count_adjoints(&self, columns: usize) {
        self.adjoints.fetch_add(columns, Ordering::Relaxed);
    }

    /// Returns whether products take solves. The products of an explicit model take none.
    pub fn takes_solves(&self) -> bool {
        self.sensitivity.takes_solves()
    }

    /// Returns Z V, with one solve per column.
    ///
    /// # Errors
    /// Fails if A is singular, or if V does not have p rows.
    pub fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check::length("the rows of a tangent batch", v.nrows(), self.param_dim())?;
        if self.takes_solves() {
            self.tangents.fetch_add(v.ncols(), Ordering::Relaxed);
        }
        // With dθ = S Rᵀdξ, where R selects the free parameters and S scales, the derivative is
        // ∂ρ/∂ξ = Z S Rᵀ. The chart scales and embeds V before a tangent, and scales and restricts ZᵀW after
        // an adjoint. A does not depend on the chart.
        let product = if self.chart.is_identity() {
            self.sensitivity.tangent(v)?
        } else {
            self.sensitivity.tangent(self.chart.embed(v).as_ref())?
        };
        check::length("the rows of a tangent", product.nrows(), self.state_dim())?;
        check::length("the columns of a tangent", product.ncols(), v.ncols())?;
        Ok(product)
    }

    /// Returns ZᵀW, with one transposed solve per column.
    ///
    /// # Errors
    /// Fails if A is singular, or if W does not have k rows.
    pub fn adjoint(&self, w: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.adjoint_by_blocks(w.ncols(), |block| {
            Ok(w.subcols(block.start, block.len()).to_owned().into())
        })
    }

    /// Returns Zᵀw for one covector.
    ///
    /// # Errors
    /// Fails as [`adjoint`](Self::adjoint) does.
    pub fn pull_back(&self, w: &[f64]) -> Result<Vec<f64>> {
        let product = self.adjoint(MatRef::from_column_major_slice(w, w.len(), 1))?;
        Ok(product.col_as_slice(0).to_vec())
    }

    /// Returns the matrix Z. The first call forms Z by p tangents in one batch.
    ///
    /// # Errors
    /// Fails as [`tangent`](Self::tangent) does.
    pub fn matrix(&self) -> Result<&Mat<f64>> {
        if let Some(z) = self.matrix.get() {
            return Ok(z);
        }
        // The solves may fail, and `OnceLock` has no stable fallible initialisation, so Z is formed first. If
        // two threads form Z concurrently, the second drops its copy.
        let p = self.param_dim();
        let z = match self.explicit() {
            Some(z) => z,
            None => self.tangent(Mat::<f64>::identity(p, p).as_ref())?,
        };
        Ok(self.matrix.get_or_init(|| z))
    }

    /// Returns the matrix Z = −∂g/∂θ of explicit equations g = ρ − F(θ), if their Jacobian is dense.
    fn explicit(&self) -> Option<Mat<f64>> {
        let [a, c] = self.sensitivity.jacobians()?;
        let c = c.as_dense().filter(|_| a.is_identity())?;
        let mut z = Mat::zeros(c.nrows(), self.param_dim());
        for (column, &j) in z.col_iter_mut().zip(&self.chart.free) {
            let pairs = column.iter_mut().zip(c.col(j).iter());
            pairs.for_each(|(z, c)| *z = -(self.chart.scale[j] * c));
        }
        Some(z)
    }

    /// Returns the matrix Z if it has been formed.
    pub(crate) fn formed(&self) -> Option<&Mat<f64>> {
        self.matrix.get()
    }

    /// Returns whether both Jacobians are known and stored in a format other than dense.
    pub(crate) fn is_sparse(&self) -> bool {
        // A dense Jacobian could be converted to a sparse matrix, but would fill the system assembled from
        // it.
        let free = |a: &Operator<'_>| !a.knows_entries() || a.as_dense().is_some();
        let jacobians = self.sensitivity.jacobians();
        jacobians.is_some_and(|both| !both.iter().any(free))
    }

    /// Returns A = ∂g/∂ρ, and C = ∂g/∂θ for the free parameters, as sparse matrices. Returns None if the
    /// Jacobians are unknown or one cannot be converted.
    pub(crate) fn sparse(&self) -> Option<[SparseColMat<usize, f64>; 2]> {
        let [a, c] = self.sensitivity.jacobians()?;
        let (a, whole) = (a.to_sparse()?, c.to_sparse()?);
        // Column j of ∂g/∂ξ is sⱼ times that of ∂g/∂θ.
        let free = self.chart.free.iter().enumerate();
        let entries = free.flat_map(|(column, &j)| {
            let scale = self.chart.scale[j];
            let entries = whole.row_idx_of_col(j).zip(whole.val_of_col(j));
            entries.map(move |(i, v)| (i, column, scale * v))
        });
        let c = Operator::triplets(whole.nrows(), self.param_dim(), entries).to_sparse()?;
        Some([a, c])
    }
}
