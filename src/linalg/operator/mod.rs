//! Linear operators: what a Jacobian may look like, and nothing about how it is solved.

mod block;
mod convert;
mod equal;
mod pattern;
mod product;
mod residual;
mod rows;
mod sparse;
mod stencil;
mod view;

pub(crate) use self::block::{fold_into, unfold};
pub use self::pattern::Pattern;
pub(crate) use self::rows::{Line, ReadRows, Real, Rows, vectorised, with_sides};
pub use self::stencil::Stencil;
pub use self::view::View;

use std::borrow::Cow;
use std::sync::Arc;

use faer::sparse::{SparseColMat, SparseColMatRef, SymbolicSparseColMat};
use faer::{Mat, MatMut, MatRef};

use crate::check;
use crate::error::Result;

/// Which of A and Aᵀ is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The operator itself.
    Plain,
    /// Its transpose.
    Transpose,
}

/// A product with A or Aᵀ for a batch of columns: `(side, x, out)`, out ← A x.
pub type Product<'a> = Box<Products<'a>>;

type Products<'a> = dyn Fn(Side, MatRef<'_, f64>, MatMut<'_, f64>) + Send + Sync + 'a;

/// A real linear operator that knows its structure.
///
/// A clone shares what the operator stores, and costs nothing.
///
/// ```
/// use pullback::{Operator, Side};
/// let a = Operator::diagonal(vec![2.0, 4.0]);
/// assert_eq!(a.apply_to(Side::Plain, &[1.0, 1.0])?, [2.0, 4.0]);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone)]
pub struct Operator<'a> {
    kind: Kind<'a>,
    definite: Definite,
}

/// How it is known that a matrix is symmetric positive definite, if it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Definite {
    No,
    /// Somebody said so; solves are still checked for what only a singular matrix would do.
    Declared,
    /// It was assembled that way.
    ByConstruction,
}

#[derive(Clone)]
pub(crate) enum Kind<'a> {
    Identity(usize),
    Diagonal(Arc<Cow<'a, [f64]>>),
    Dense(Arc<Mat<f64>>),
    DenseView(MatRef<'a, f64>),
    Sparse(Arc<SymbolicSparseColMat<usize>>, Arc<Vec<f64>>),
    SparseView(SparseColMatRef<'a, usize, f64>),
    Stencil(Arc<Stencil>),
    Repeated {
        block: Box<Operator<'a>>,
        count: usize,
    },
    Free {
        shape: (usize, usize),
        product: Arc<Products<'a>>,
    },
}

impl<'a> Operator<'a> {
    /// The identity of size `n`.
    pub fn identity(n: usize) -> Self {
        let mut identity = Self::from_kind(Kind::Identity(n));
        identity.definite = Definite::ByConstruction;
        identity
    }

    /// The diagonal matrix with these entries.
    pub fn diagonal(entries: impl Into<Cow<'a, [f64]>>) -> Self {
        Self::from_kind(Kind::Diagonal(Arc::new(entries.into())))
    }

    /// A dense matrix.
    pub fn dense(matrix: Mat<f64>) -> Self {
        Self::from_kind(Kind::Dense(Arc::new(matrix)))
    }

    /// A sparse matrix, compressed by columns.
    pub fn sparse(matrix: SparseColMat<usize, f64>) -> Self {
        let (structure, values) = matrix.into_parts();
        Self::compressed(Arc::new(structure), values)
    }

    /// A sparse matrix that shares its structure.
    fn compressed(structure: Arc<SymbolicSparseColMat<usize>>, values: Vec<f64>) -> Self {
        Self::from_kind(Kind::Sparse(structure, Arc::new(values)))
    }

    /// A sparse matrix from `(row, column, value)` in any order; values at the same place add up.
    ///
    /// A [`Pattern`] saves the sorting where the same places get values again.
    ///
    /// # Panics
    /// When a row or column is outside the shape, and from 2³² rows, columns or values on.
    pub fn triplets(
        nrows: usize,
        ncols: usize,
        entries: impl IntoIterator<Item = (usize, usize, f64)>,
    ) -> Self {
        let entries = entries.into_iter();
        let count = entries.size_hint().0;
        let (mut places, mut values) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (row, column, value) in entries {
            assert!(
                row < nrows && column < ncols,
                "({row}, {column}) is outside {nrows}×{ncols}"
            );
            places.push((row as u32, column as u32));
            values.push(value);
        }
        let most = nrows.max(ncols).max(values.len());
        assert!(
            most <= pattern::MOST,
            "{most} rows, columns or values are too many"
        );
        Pattern::sorted((nrows, ncols), &places).sum(&values)
    }

    /// A stencil on a box of cells, for which there are solvers of its own.
    pub fn stencil(stencil: impl Into<Arc<Stencil>>) -> Self {
        Self::from_kind(Kind::Stencil(stencil.into()))
    }

    /// An `nrows`×`ncols` operator known by its products with batches of columns.
    ///
    /// For results that do not depend on the number of threads the product may not either: use
    /// [`faer::Par::Seq`] rather than faer's `*` inside.
    pub fn free(nrows: usize, ncols: usize, product: Product<'a>) -> Self {
        Self::from_kind(Kind::Free {
            shape: (nrows, ncols),
            product: product.into(),
        })
    }

    /// Declares the matrix symmetric positive definite, so that Cholesky may be used.
    #[must_use]
    pub fn positive_definite(self) -> Self {
        self.declare(Definite::Declared)
    }

    /// For matrices of our own assembly that are positive definite however badly conditioned.
    pub(crate) fn definite_by_construction(self) -> Self {
        self.declare(Definite::ByConstruction)
    }

    pub(crate) fn is_definite_by_construction(&self) -> bool {
        self.definite == Definite::ByConstruction
    }

    /// Whether the matrix is known to be symmetric positive definite.
    pub fn is_positive_definite(&self) -> bool {
        self.definite > Definite::No
    }

    /// Whether this is the identity, for which nothing needs solving.
    pub fn is_identity(&self) -> bool {
        matches!(self.kind, Kind::Identity(_))
    }

    pub(crate) fn from_kind(kind: Kind<'a>) -> Self {
        Self {
            kind,
            definite: Definite::No,
        }
    }

    /// Lends the operator for a while; nothing is copied.
    ///
    /// ```
    /// use pullback::{Backend, Cpu, Operator, Side, faer::mat};
    /// let (cpu, a) = (Cpu::default(), Operator::dense(mat![[2.0, 1.0], [1.0, 3.0]]));
    /// let mut x = mat![[1.0], [0.0]];
    /// cpu.factor(a.lend())?.solve(Side::Plain, None, x.as_mut())?;
    /// let b = a.apply(Side::Plain, x.as_ref())?; // still there
    /// assert!((b[(0, 0)] - 1.0).abs() < 1e-15 && b[(1, 0)].abs() < 1e-15);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    pub fn lend(&self) -> Operator<'_> {
        self.clone()
    }

    /// Structure that this operator may share with others, if it is stored as a sparse matrix.
    pub(crate) fn structure(&self) -> Option<&Arc<SymbolicSparseColMat<usize>>> {
        match &self.kind {
            Kind::Sparse(structure, _) => Some(structure),
            _ => None,
        }
    }

    /// The operator of this stencil, known to be definite in the same way as this one.
    pub(crate) fn share<'b>(&self, stencil: &Arc<Stencil>) -> Operator<'b> {
        Operator {
            kind: Kind::Stencil(Arc::clone(stencil)),
            definite: self.definite,
        }
    }

    /// Number of rows.
    pub fn nrows(&self) -> usize {
        self.shape().0
    }

    /// Number of columns.
    pub fn ncols(&self) -> usize {
        self.shape().1
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        match &self.kind {
            Kind::Identity(n) => (*n, *n),
            Kind::Diagonal(d) => (d.len(), d.len()),
            Kind::Free { shape, .. } => *shape,
            Kind::Repeated { block, count } => (block.nrows() * count, block.ncols() * count),
            Kind::Stencil(s) => (s.cells(), s.cells()),
            Kind::Dense(m) => m.shape(),
            Kind::DenseView(m) => m.shape(),
            Kind::Sparse(structure, _) => (structure.nrows(), structure.ncols()),
            Kind::SparseView(m) => m.shape(),
        }
    }

    /// Rows and columns of the operator or of its transpose.
    pub fn shape_of(&self, side: Side) -> (usize, usize) {
        let (rows, cols) = self.shape();
        match side {
            Side::Plain => (rows, cols),
            Side::Transpose => (cols, rows),
        }
    }

    /// A X or Aᵀ X.
    ///
    /// # Errors
    /// [`Error::Dimension`] when X has the wrong number of rows.
    pub fn apply(&self, side: Side, x: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let (rows, cols) = self.shape_of(side);
        check::length("the operand of an operator", x.nrows(), cols)?;
        let mut out = Mat::zeros(rows, x.ncols());
        self.apply_into(side, x, out.as_mut());
        Ok(out)
    }

    /// A x or Aᵀ x for one vector.
    ///
    /// # Errors
    /// [`Error::Dimension`] when x has the wrong length.
    pub fn apply_to(&self, side: Side, x: &[f64]) -> Result<Vec<f64>> {
        let batch = self.apply(side, MatRef::from_column_major_slice(x, x.len(), 1))?;
        Ok(batch.col_as_slice(0).to_vec())
    }

    /// out ← A x or Aᵀ x, for use inside a model, where nothing can be reported.
    ///
    /// # Panics
    /// When the lengths do not fit the operator.
    pub fn multiply(&self, side: Side, x: &[f64], out: &mut [f64]) {
        let (rows, cols) = self.shape_of(side);
        let x = MatRef::from_column_major_slice(x, cols, 1);
        let out = MatMut::from_column_major_slice_mut(out, rows, 1);
        self.apply_into(side, x, out);
    }

    /// The operator as a dense matrix, by products with the identity where need be.
    pub fn to_dense(&self) -> Mat<f64> {
        let (rows, cols) = self.shape();
        let mut out = Mat::zeros(rows, cols);
        self.apply_into(
            Side::Plain,
            Mat::<f64>::identity(cols, cols).as_ref(),
            out.as_mut(),
        );
        out
    }
}
