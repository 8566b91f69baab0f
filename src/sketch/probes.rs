//! Random vectors to look at a matrix with.

use std::ops::Range;
use std::sync::OnceLock;

use faer::prelude::Reborrow;
use faer::{Mat, MatRef};

use super::product;
use crate::error::{Error, Result};
use crate::linalg::range_basis;
use crate::{check, random};

/// What probes are made of. None is better in general: signs are never long, Gaussian ones make exact laws, and
/// orthonormal ones err less when they are nearly as many as the space has dimensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProbeKind {
    /// Entries ±1.
    #[default]
    Signs,
    /// Standard normal entries.
    Gaussian,
    /// Orthonormal columns in a random position, times the square root of the dimension.
    Orthonormal,
}

/// Vectors wⱼ with weights ωⱼ such that `E[Σ ωⱼ wⱼwⱼᵀ] = I`, so that Σ ωⱼYᵀwⱼwⱼᵀY is YᵀY in the mean.
///
/// ```
/// use pullback::sketch::{ProbeKind, Probes};
/// let few = Probes::new(ProbeKind::Signs, 100, 2, 7)?;
/// let many = Probes::new(ProbeKind::Signs, 100, 9, 7)?;
/// // Every column has its own stream, so more probes go on where few have ended.
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
    /// The exact probes where they are no unit vectors.
    basis: Option<Mat<f64>>,
    /// All of them, where they cannot be drawn one by one or were asked for.
    whole: OnceLock<Mat<f64>>,
}

/// More random probes than this would take gigabytes for their weights alone.
const MOST: usize = 1 << 27;

/// Directions of a previous Jacobian, its columns scaled to unit length, below this size are noise.
const RANK: f64 = 1e-10;

impl Probes {
    /// `count` random probes of length `dim` (a metric's [`lifted_dim`](crate::metric::Root::lifted_dim)), each of weight
    /// 1/`count`.
    ///
    /// # Errors
    /// [`Error::Option`] for no probes, for probes of length 0, and for more orthonormal probes than `dim`.
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
            whole: OnceLock::new(),
        };
        Ok(probes.made_orthonormal())
    }

    /// The identity: every unit vector with weight 1, and nothing left to chance. For few observations.
    ///
    /// # Errors
    /// [`Error::Option`] for probes of length 0.
    pub fn all(dim: usize) -> Result<Self> {
        check_dim(dim)?;
        Ok(Self {
            dim,
            weights: vec![1.0; dim],
            exact: dim,
            kind: ProbeKind::default(),
            seed: 0,
            basis: None,
            whole: OnceLock::new(),
        })
    }

    /// An orthonormal basis Q of the span of a previous LZ, with weight 1, and `extra` random probes w in its
    /// complement, (I − QQᵀ)w, with weight 1/`extra`:
    ///
    /// ```text
    /// YᵀY = YᵀQQᵀY + E[Yᵀ(I − QQᵀ)wwᵀ(I − QQᵀ)Y]
    /// ```
    ///
    /// Chance sees only what has left the span. (Meyer, Musco, Musco & Woodruff, Hutch++, 2021, split a trace so.)
    ///
    /// # Errors
    /// As for [`new`](Self::new), in the complement; [`Error::NotFinite`] for entries of `previous`.
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
            whole: OnceLock::new(),
        };
        Ok(probes.made_orthonormal())
    }

    /// Orthonormal probes know of each other, so they are drawn all at once.
    fn made_orthonormal(mut self) -> Self {
        if self.kind == ProbeKind::Orthonormal && self.random() > 0 {
            let mut whole = self.block(0..self.exact);
            let drawn = self.block(self.exact..self.count());
            let random = scaled(range_basis(drawn, 0.0), (self.left() as f64).sqrt());
            let all = |i, j| random[(i, j - self.exact)];
            whole.resize_with(self.dim, self.count(), all);
            self.whole = OnceLock::from(whole);
        }
        self
    }

    /// Some of the probes, made now: for whom a few at a time are enough.
    pub(crate) fn block(&self, columns: Range<usize>) -> Mat<f64> {
        let mut out = Mat::zeros(self.dim, columns.len());
        if let Some(whole) = self.whole.get() {
            out.copy_from(whole.subcols(columns.start, columns.len()));
            return out;
        }
        let exact = self.exact.clamp(columns.start, columns.end) - columns.start;
        for j in 0..columns.len() {
            let (probe, column) = (columns.start + j, out.col_as_slice_mut(j));
            match &self.basis {
                Some(q) if j < exact => column.copy_from_slice(q.col_as_slice(probe)),
                None if j < exact => column[probe] = 1.0,
                _ => raw(self.kind, column, self.seed, probe - self.exact),
            }
        }
        if let Some(q) = &self.basis {
            // Without their part in the span of those that stand already.
            let mut w = out.as_mut().subcols_mut(exact, columns.len() - exact);
            let inside = product(q.transpose(), w.rb());
            w -= product(q.as_ref(), inside.as_ref());
        }
        out
    }

    /// The length of a probe.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// m, the number of probes; each costs one adjoint solve.
    pub fn count(&self) -> usize {
        self.weights.len()
    }

    /// How many of them, standing first, are counted exactly.
    pub fn exact(&self) -> usize {
        self.exact
    }

    /// How many are random.
    pub fn random(&self) -> usize {
        self.count() - self.exact
    }

    /// W, a probe a column; made when it is first asked for, then kept. Sketches do without it.
    pub fn vectors(&self) -> MatRef<'_, f64> {
        let whole = || self.block(0..self.count());
        self.whole.get_or_init(whole).as_ref()
    }

    /// ω.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// What the random probes are made of.
    pub fn kind(&self) -> ProbeKind {
        self.kind
    }

    /// The dimension of the space that the random probes are drawn in.
    pub(super) fn left(&self) -> usize {
        self.dim() - self.exact
    }

    /// ω when the weight of the random probes is shared by one fewer.
    pub(super) fn weights_without_one(&self) -> Vec<f64> {
        let random = 1.0 / (self.random() as f64 - 1.0);
        let mut weights = self.weights.clone();
        weights[self.exact..].fill(random);
        weights
    }

    /// By how much the variance is less than that of independent probes with the same spread. The quadratic forms
    /// of a whole orthonormal basis of d vectors have a fixed sum, so those of n of them vary as a sample
    /// without replacement: by 1 − n/d.
    pub(super) fn unseen(&self) -> f64 {
        match self.kind {
            ProbeKind::Orthonormal if self.random() > 0 => {
                1.0 - self.random() as f64 / self.left() as f64
            }
            _ => 1.0,
        }
    }
}

/// An independent column; those that will be made orthonormal are Gaussian, whose span has no preferred position.
fn raw(kind: ProbeKind, out: &mut [f64], seed: u64, column: usize) {
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

/// Columns of unit length, so that the rank does not depend on the units of the parameters.
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
        count <= MOST,
        "take fewer: thousands are as good as all",
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
