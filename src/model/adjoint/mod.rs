//! Z = ∂ρ/∂θ at one point, by tangents and adjoints.

mod blocks;
mod warm_start;

pub(crate) use self::blocks::blocks;
pub(crate) use self::warm_start::Known;
use crate::coordinates::Chart;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use faer::sparse::SparseColMat;
use faer::{Mat, MatRef};

use super::Model;
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Factor, SINGULAR, SolveStats};
use crate::linalg::{Operator, Side, View};
use crate::random;

/// Z = ∂ρ/∂θ = −A⁻¹C at one point, A = ∂g/∂ρ, C = ∂g/∂θ.
///
/// One factorisation serves all: a tangent Z v = −A⁻¹(C v) is one solve, an adjoint Zᵀw = −Cᵀ(A⁻ᵀw) one
/// transposed solve. Z itself is formed only when asked for, then kept. Where A is the identity nothing is
/// solved. The first batch carries one more, random column, which a singular A cannot hide from: right-hand
/// sides C v may happen to be consistent with it, and Z would be one of many solutions. In a descent, iterative
/// solvers start from the solutions of the step before, and that column from zero.
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
    /// None where A is the identity.
    factor: Option<Box<dyn Factor + 'a>>,
    param_jacobian: Operator<'a>,
    at: (&'a dyn Model, &'a [f64], &'a [f64]),
    chart: Chart,
    matrix: OnceLock<Mat<f64>>,
    /// Whether that took iterations.
    iterated: AtomicBool,
    /// What is near −Z, where that is known.
    near: Option<Mat<f64>>,
    /// Covectors of the gradient and what was solved for with them: at a point near by, then here.
    gradient: Option<warm_start::Adjoint>,
    /// How often a block is repeated along the diagonal of A.
    copies: usize,
    /// The sizes of the equations, for A and for Aᵀ: the units of the probe.
    units: [Vec<f64>; 2],
    probed: AtomicBool,
    tangents: AtomicUsize,
    adjoints: AtomicUsize,
}

impl<'a> Linearisation<'a> {
    /// Linearises the model at (ρ, θ).
    ///
    /// # Errors
    /// Jacobians of the wrong shape or with entries that are not finite, and failing factorisations.
    pub fn new(
        model: &'a dyn Model,
        rho: &'a [f64],
        theta: &'a [f64],
        backend: &'a dyn Backend,
    ) -> Result<Self> {
        let (k, p) = (model.state_dim(), model.param_dim());
        check::length("ρ", rho.len(), k)?;
        check::length("θ", theta.len(), p)?;
        let (a, c) = (
            model.state_jacobian(rho, theta),
            model.param_jacobian(rho, theta),
        );
        check::length("the rows of ∂g/∂ρ", a.nrows(), k)?;
        check::length("the columns of ∂g/∂ρ", a.ncols(), k)?;
        check::length("the rows of ∂g/∂θ", c.nrows(), k)?;
        check::length("the columns of ∂g/∂θ", c.ncols(), p)?;
        a.check_finite("∂g/∂ρ")?;
        c.check_finite("∂g/∂θ")?;
        let (mut units, mut factor, mut copies) = ([vec![], vec![]], None, 1);
        if !a.is_identity() {
            units = [Side::Plain, Side::Transpose].map(|side| a.row_sizes(side));
            if let View::Repeated { count, .. } = a.view() {
                copies = count.max(1);
            }
            factor = Some(backend.factor(a)?);
        }
        Ok(Self {
            units,
            probed: AtomicBool::new(factor.is_none()),
            factor,
            param_jacobian: c,
            at: (model, rho, theta),
            chart: Chart::identity(p),
            matrix: OnceLock::new(),
            iterated: AtomicBool::new(false),
            near: None,
            gradient: None,
            copies,
            tangents: AtomicUsize::new(0),
            adjoints: AtomicUsize::new(0),
        })
    }

    /// Passes to other coordinates of θ, in which all that follows is stated.
    pub(crate) fn set_chart(&mut self, chart: Chart) {
        self.chart = chart;
        self.matrix = OnceLock::new();
    }

    /// The coordinates in which all this is stated.
    pub(crate) fn chart(&self) -> &Chart {
        &self.chart
    }

    /// Keeps only these of the free parameters; columns of Z that are already known stay known.
    pub(crate) fn keep(&mut self, keep: &[usize]) {
        let free = keep.iter().map(|&j| self.chart.free[j]).collect();
        self.chart.free = free;
        let kept = |z: Mat<f64>| Mat::from_fn(z.nrows(), keep.len(), |i, j| z[(i, keep[j])]);
        self.near = self.near.take().map(kept);
        if let Some(z) = self.matrix.take() {
            self.matrix = OnceLock::from(kept(z));
        }
    }

    /// p, or the number of free parameters.
    pub fn param_dim(&self) -> usize {
        self.chart.free.len()
    }

    /// k.
    pub fn state_dim(&self) -> usize {
        self.param_jacobian.nrows()
    }

    /// Columns solved so far: with A (tangents), with Aᵀ (adjoints).
    pub fn solves(&self) -> (usize, usize) {
        (
            self.tangents.load(Ordering::Relaxed),
            self.adjoints.load(Ordering::Relaxed),
        )
    }

    /// Whether A had to be factorised.
    pub fn factorised(&self) -> bool {
        self.factor.is_some()
    }

    /// Z V, one solve a column.
    ///
    /// # Errors
    /// A singular A, or V with other than p rows.
    pub fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let (z, _) = self.tangent_near(v, None)?;
        Ok(z)
    }

    /// The same from what is near −Z V, and whether the solver iterated.
    fn tangent_near(
        &self,
        v: MatRef<'_, f64>,
        near: Option<MatRef<'_, f64>>,
    ) -> Result<(Mat<f64>, bool)> {
        check::length("the rows of a tangent batch", v.nrows(), self.param_dim())?;
        let c = &self.param_jacobian;
        let mut b = if self.chart.is_identity() {
            c.apply(Side::Plain, v)?
        } else {
            c.apply(Side::Plain, self.chart.embed(v).as_ref())?
        };
        let mut iterated = false;
        if let Some(factor) = &self.factor {
            self.count(Side::Plain, b.ncols());
            (b, iterated) = self.solve(factor.as_ref(), Side::Plain, b, near)?;
        }
        blocks::negate(b.as_mut());
        Ok((b, iterated))
    }

    /// Zᵀ W, one transposed solve a column.
    ///
    /// # Errors
    /// A singular A, or W with other than k rows.
    pub fn adjoint(&self, w: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.check_adjoint(w.nrows())?;
        if self.factor.is_some() {
            return self.pull(w.ncols(), |block| {
                Ok(w.subcols(block.start, block.len()).to_owned().into())
            });
        }
        let mut out = Mat::zeros(self.param_dim(), w.ncols());
        self.contract(w, out.as_mut())?;
        Ok(out)
    }

    /// Zᵀ w for one covector.
    ///
    /// # Errors
    /// As for [`adjoint`](Self::adjoint).
    pub fn pull_back(&self, w: &[f64]) -> Result<Vec<f64>> {
        let pulled = self.adjoint(MatRef::from_column_major_slice(w, w.len(), 1))?;
        Ok(pulled.col_as_slice(0).to_vec())
    }

    /// Z, by p tangent solves in one batch; formed once.
    ///
    /// # Errors
    /// As for [`tangent`](Self::tangent).
    pub fn matrix(&self) -> Result<&Mat<f64>> {
        if let Some(z) = self.matrix.get() {
            return Ok(z);
        }
        let p = self.param_dim();
        let near = self.near.as_ref().map(|near| near.as_ref());
        let (z, iterated) = self.tangent_near(Mat::<f64>::identity(p, p).as_ref(), near)?;
        self.iterated.store(iterated, Ordering::Relaxed);
        Ok(self.matrix.get_or_init(|| z))
    }

    /// Whether [`sparse`](Self::sparse) gives anything.
    pub(crate) fn is_sparse(&self) -> bool {
        let (model, rho, theta) = self.at;
        let free = |a: &Operator<'_>| matches!(a.view(), View::Free | View::Dense(_));
        !free(&self.param_jacobian) && !free(&model.state_jacobian(rho, theta))
    }

    /// A, and C for the free parameters, written out as sparse matrices; None where a model knows only products.
    pub(crate) fn sparse(&self) -> Option<[SparseColMat<usize, f64>; 2]> {
        let (model, rho, theta) = self.at;
        let a = model.state_jacobian(rho, theta).to_sparse()?;
        let whole = self.param_jacobian.to_sparse()?;
        let free = self.chart.free.iter().enumerate();
        let entries = free.flat_map(|(column, &j)| {
            let scale = self.chart.scale[j];
            let entries = whole.row_idx_of_col(j).zip(whole.val_of_col(j));
            entries.map(move |(i, v)| (i, column, scale * v))
        });
        let c = Operator::triplets(whole.nrows(), self.param_dim(), entries).to_sparse()?;
        Some([a, c])
    }

    fn count(&self, side: Side, columns: usize) {
        let counter = match side {
            Side::Plain => &self.tangents,
            Side::Transpose => &self.adjoints,
        };
        counter.fetch_add(columns, Ordering::Relaxed);
    }

    /// A⁻¹B or A⁻ᵀB, from what is near it, and whether the solver iterated (or had no need to, so near as it was).
    fn solve(
        &self,
        factor: &dyn Factor,
        side: Side,
        mut b: Mat<f64>,
        near: Option<MatRef<'_, f64>>,
    ) -> Result<(Mat<f64>, bool)> {
        let (k, m) = b.shape();
        let first = !self.probed();
        if first {
            self.add_probe(side, &mut b);
        }
        // The probe starts from zero.
        let wider = near.filter(|_| first).map(|near| {
            let mut wider = near.to_owned();
            wider.resize_with(k, m + 1, |_, _| 0.0);
            wider
        });
        let guess = wider.as_ref().map(|wider| wider.as_ref()).or(near);
        let stats = factor.solve(side, guess, b.as_mut())?;
        if first {
            self.judge_probe(stats)?;
            b.truncate(k, m);
        }
        Ok((b, stats.iterations > 0 || near.is_some()))
    }

    /// Whether a probe has been solved for.
    fn probed(&self) -> bool {
        self.probed.load(Ordering::Relaxed)
    }

    /// Puts the probe beside a batch.
    fn add_probe(&self, side: Side, b: &mut Mat<f64>) {
        let (k, m) = b.shape();
        let probe = probe(&self.units[usize::from(side == Side::Transpose)]);
        b.resize_with(k, m + 1, |i, _| probe[i]);
    }

    /// Whether the batch with the probe says that A is singular; if not, no other needs one.
    fn judge_probe(&self, stats: SolveStats) -> Result<()> {
        singular(stats).map_or(Ok(()), Err)?;
        self.probed.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// A right-hand side that no singular matrix can hide from: random numbers in the units of the equations.
fn probe(units: &[f64]) -> Vec<f64> {
    let numbers = random::normal(units.len(), 0x5EED, 0);
    numbers
        .iter()
        .zip(units)
        .map(|(x, unit)| x * unit)
        .collect()
}

fn singular(stats: SolveStats) -> Option<Error> {
    (stats.amplification > SINGULAR).then_some(Error::Singular {
        residual: stats.residual,
        amplification: stats.amplification,
    })
}
