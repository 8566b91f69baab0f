//! Random probe vectors, which sample a matrix by products.

use std::ops::Range;
use std::sync::OnceLock;

use faer::prelude::Reborrow;
use faer::{Mat, MatRef};

use super::product;
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::range_basis;
use crate::random;

/// Distribution of probes.
///
/// No distribution is best in general: signs have bounded length, Gaussian probes satisfy exact laws, and orthonormal probes have
/// smaller errors if their number is close to the dimension of the space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProbeKind {
    /// Independent entries ±1 with equal probability.
    #[default]
    Signs,
    /// Independent standard normal entries.
    Gaussian,
    /// Randomly oriented orthonormal columns, times the square root of the dimension.
    Orthonormal,
}

/// Vectors wⱼ with weights ωⱼ such that `E[Σ ωⱼ wⱼwⱼᵀ] = I`. Hence Σ ωⱼYᵀwⱼwⱼᵀY has the mean YᵀY.
///
/// ```
/// use pullback::sketch::{ProbeKind, Probes};
/// let few = Probes::new(ProbeKind::Signs, 100, 2, 7)?;
/// let many = Probes::new(ProbeKind::Signs, 100, 9, 7)?;
/// // Every column has its own random stream, so more probes continue fewer ones.
/// assert_eq!(few.vectors().col(1), many.vectors().col(1));
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Probes {
    dim: usize,
    weights: Vec<f64>,
    exact: usize,
    kind: ProbeKind,
    seed: u64,
    /// Exact probes as columns, unless they are unit vectors.
    basis: Option<Mat<f64>>,
    /// Matrix of all probes, if they cannot be drawn one by one or if the matrix was requested.
    all_columns: OnceLock<Mat<f64>>,
}

/// Largest number of random probes, whose weights alone would otherwise take gigabytes.
const MAX_RANDOM: usize = 1 << 27;

/// Relative size below which directions of a previous Jacobian are noise, if its columns are scaled to unit length.
//
// Z comes from solves that are accurate to 1e-11. A combination of unit columns with a norm below 1e-10
// consists mostly of their errors, and is not worth an exact probe.
const RANK: f64 = 1e-10;

impl Probes {
    /// Returns `count` random probes of length `dim` (a metric's [`lifted_dim`](crate::metric::Root::lifted_dim)),
    /// each of weight 1/`count`.
    ///
    /// # Errors
    /// Fails with [`Error::Option`] for no probes, for probes of length 0, and for more orthonormal probes than `dim`.
    pub fn new(kind: ProbeKind, dim: usize, count: usize, seed: u64) -> Result<Self> {
        check_dim(dim)?;
        check_count(kind, dim, count)?;
        let probes = Self {
            dim,
            weights: vec![1.0 / count as f64; count],
            exact: 0,
            kind,
            seed,
            basis: None,
            all_columns: OnceLock::new(),
        };
        Ok(probes.orthonormalised())
    }

    /// Returns the identity: every unit vector with weight 1, an exact sketch for few observations.
    ///
    /// # Errors
    /// Fails with [`Error::Option`] if the length of the probes is 0.
    pub fn all(dim: usize) -> Result<Self> {
        check_dim(dim)?;
        Ok(Self {
            dim,
            weights: vec![1.0; dim],
            exact: dim,
            kind: ProbeKind::default(),
            seed: 0,
            basis: None,
            all_columns: OnceLock::new(),
        })
    }

    /// Returns an orthonormal basis Q of the span of a previous LZ, with weight 1, and `extra` random probes w in its
    /// complement, (I − QQᵀ)w, with weight 1/`extra`:
    ///
    /// ```text
    /// YᵀY = YᵀQQᵀY + E[Yᵀ(I − QQᵀ)wwᵀ(I − QQᵀ)Y]
    /// ```
    ///
    /// Only the component outside the span is random. Hutch++ (Meyer, Musco, Musco and Woodruff 2021) splits a trace
    /// in this manner.
    ///
    /// # Errors
    /// Fails as [`new`](Self::new) does in the complement. Fails with [`Error::NotFinite`] if an entry of `previous` is
    /// not finite.
    pub fn spanning(
        previous: MatRef<'_, f64>,
        kind: ProbeKind,
        extra: usize,
        seed: u64,
    ) -> Result<Self> {
        let dim = previous.nrows();
        check_dim(dim)?;
        check_finite(previous)?;
        let q = range_basis(unit_columns(previous), RANK);
        let (exact, left) = (q.ncols(), dim - q.ncols());
        let mut weights = vec![1.0; exact];
        if left > 0 {
            check_count(kind, left, extra)?;
            weights.resize(exact + extra, 1.0 / extra as f64);
        }
        let probes = Self {
            dim,
            weights,
            exact,
            kind,
            seed,
            basis: Some(q),
            all_columns: OnceLock::new(),
        };
        Ok(probes.orthonormalised())
    }

    /// Draws orthonormal probes all at once, because they depend on each other.
    fn orthonormalised(mut self) -> Self {
        if self.kind == ProbeKind::Orthonormal && self.random() > 0 {
            let mut all_columns = self.block(0..self.exact);
            // Estimates use Σ wⱼwⱼᵀ, which depends only on the span of the columns. The span of Gaussian
            // columns is uniformly distributed, whatever the order and the signs in which the QR returns its
            // basis. The tolerance 0 keeps all columns.
            let drawn = self.block(self.exact..self.count());
            // Columns √d qⱼ with random orientation, d the dimension of the complement, have E[wwᵀ] = I
            // there.
            let random = scaled(
                range_basis(drawn, 0.0),
                (self.complement_dim() as f64).sqrt(),
            );
            let all = |i, j| random[(i, j - self.exact)];
            all_columns.resize_with(self.dim, self.count(), all);
            self.all_columns = OnceLock::from(all_columns);
        }
        self
    }

    /// Returns a block of the probes without storing the other probes.
    pub(crate) fn block(&self, columns: Range<usize>) -> Mat<f64> {
        let mut out = Mat::zeros(self.dim, columns.len());
        if let Some(all_columns) = self.all_columns.get() {
            out.copy_from(all_columns.subcols(columns.start, columns.len()));
            return out;
        }
        let exact = self.exact.clamp(columns.start, columns.end) - columns.start;
        for j in 0..columns.len() {
            let (probe, column) = (columns.start + j, out.col_as_slice_mut(j));
            match &self.basis {
                Some(q) if j < exact => column.copy_from_slice(q.col_as_slice(probe)),
                None if j < exact => column[probe] = 1.0,
                _ => fill_column(self.kind, column, self.seed, probe - self.exact),
            }
        }
        if let Some(q) = &self.basis {
            // Projects random probes onto the complement of the basis, (I − QQᵀ)w.
            let mut w = out.as_mut().subcols_mut(exact, columns.len() - exact);
            // One Gram-Schmidt pass is enough. If Q has q columns of length d, a random w keeps the fraction
            // 1 − q/d of its squared length on average, so that nothing cancels unless Q almost fills the
            // space.
            let coefficients = product(q.transpose(), w.rb());
            w -= product(q.as_ref(), coefficients.as_ref());
        }
        out
    }

    /// Returns the length of a probe.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Returns the number m of probes, each of which costs one adjoint solve.
    pub fn count(&self) -> usize {
        self.weights.len()
    }

    /// Returns the number of exact probes, which come first.
    pub fn exact(&self) -> usize {
        self.exact
    }

    /// Returns the number of random probes.
    pub fn random(&self) -> usize {
        self.count() - self.exact
    }

    /// Returns the matrix W, one probe per column. The first call computes W and caches it. A sketch computes only
    /// blocks of W.
    pub fn vectors(&self) -> MatRef<'_, f64> {
        let all_columns = || self.block(0..self.count());
        self.all_columns.get_or_init(all_columns).as_ref()
    }

    /// Returns the weights ωⱼ of the probes.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Returns the distribution of the random probes.
    pub fn kind(&self) -> ProbeKind {
        self.kind
    }

    /// Returns the dimension of the space of the random probes.
    pub(super) fn complement_dim(&self) -> usize {
        self.dim() - self.exact
    }

    /// Returns the weights ωⱼ that hold when one random probe is left out.
    pub(super) fn leave_one_out_weights(&self) -> Vec<f64> {
        let random = 1.0 / (self.random() as f64 - 1.0);
        let mut weights = self.weights.clone();
        weights[self.exact..].fill(random);
        weights
    }

    /// Returns the variance of an estimate relative to that from independent probes with the same spread.
    ///
    /// The quadratic forms of a complete orthonormal basis of d vectors have a fixed sum. Those of n of its vectors
    /// vary as a sample without replacement, which multiplies the variance by 1 − n/d.
    pub(super) fn variance_factor(&self) -> f64 {
        match self.kind {
            ProbeKind::Orthonormal if self.random() > 0 => {
                1.0 - self.random() as f64 / self.complement_dim() as f64
            }
            _ => 1.0,
        }
    }
}

/// Draws an independent column. Orthonormal probes start from Gaussian columns, whose span is uniformly distributed.
fn fill_column(kind: ProbeKind, out: &mut [f64], seed: u64, column: usize) {
    let stream = column as u64 + 1;
    match kind {
        ProbeKind::Signs => random::fill_signs(out, seed, stream),
        _ => random::fill_normal(out, seed, stream),
    }
}

fn scaled(mut a: Mat<f64>, by: f64) -> Mat<f64> {
    for j in 0..a.ncols() {
        a.col_as_slice_mut(j).iter_mut().for_each(|a| *a *= by);
    }
    a
}

/// Scales columns to unit length, so that the rank does not depend on the units of the parameters.
fn unit_columns(a: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = a.to_owned();
    for j in 0..out.ncols() {
        let norm = out.col(j).norm_l2();
        if norm.is_normal() {
            out.col_as_slice_mut(j).iter_mut().for_each(|a| *a /= norm);
        }
    }
    out
}

fn check_dim(dim: usize) -> Result<()> {
    check::option(
        "the length of a probe",
        dim as f64,
        dim > 0,
        "give that of a lifted vector, `Root::lifted_dim`",
    )
}

fn check_count(kind: ProbeKind, dim: usize, count: usize) -> Result<()> {
    let what = "the number of random probes";
    check::option(what, count as f64, count > 0, "take at least one")?;
    check::option(
        what,
        count as f64,
        count <= MAX_RANDOM,
        "take fewer: thousands suffice",
    )?;
    check::option(
        what,
        count as f64,
        kind != ProbeKind::Orthonormal || count <= dim,
        "orthonormal probes cannot outnumber the dimensions they are drawn in: take fewer, or signs",
    )
}

fn check_finite(previous: MatRef<'_, f64>) -> Result<()> {
    let rows = previous.nrows();
    for j in 0..previous.ncols() {
        for (i, &value) in previous.col(j).iter().enumerate() {
            if !value.is_finite() {
                return Err(Error::NotFinite {
                    what: "the previous lifted Jacobian",
                    index: j * rows + i,
                    value,
                });
            }
        }
    }
    Ok(())
}
