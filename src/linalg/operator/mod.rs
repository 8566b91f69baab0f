//! Linear operators: storage formats of matrices such as Jacobians, and products with them.

mod block;
mod blocks;
mod convert;
mod equal;
mod pattern;
mod product;
mod residual;
mod rows;
mod sparse;
mod stencil;
mod stencil_product;
mod view;

pub(crate) use self::block::{fold_into, unfold};
pub(crate) use self::blocks::{BLOCK, each_block, sum_blocks};
pub use self::pattern::Pattern;
pub(crate) use self::residual::Residual;
pub(crate) use self::rows::{LONG, Line, Pieces, ReadRows, Real, Rows, vectorised, with_sides};
pub use self::stencil::Stencil;
pub use self::view::View;

use std::borrow::Cow;
use std::sync::Arc;

use faer::sparse::{SparseColMat, SparseColMatRef, SymbolicSparseColMat};
use faer::{Mat, MatMut, MatRef};
use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::Result;
use crate::saving::forms::{columns, structure};

/// Choice between A and Aᵀ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Operator A itself.
    Plain,
    /// Transpose Aᵀ.
    Transpose,
}

/// Function `(side, x, out)` that computes out ← A x or Aᵀ x for a batch of columns.
pub type Product<'a> = Box<Products<'a>>;

type Products<'a> = dyn Fn(Side, MatRef<'_, f64>, MatMut<'_, f64>) + Send + Sync + 'a;

/// Real linear operator, stored in a format that suits its structure.
///
/// Clones share the entries and are cheap. Operators that own their entries can be serialised.
///
/// ```
/// use pullback::{Operator, Side};
/// let a = Operator::diagonal(vec![2.0, 4.0]);
/// assert_eq!(a.apply_to(Side::Plain, &[1.0, 1.0])?, [2.0, 4.0]);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct Operator<'a> {
    kind: Kind<'a>,
    definite: Definite,
}

/// Reason for which a matrix counts as symmetric positive definite.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Serialize, Deserialize)]
enum Definite {
    No,
    /// Declared positive definite by the user. Solves are still checked for signs of a singular matrix.
    Declared,
    /// Positive definite because of its assembly.
    ByConstruction,
}

/// Storage of an operator.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Kind<'a> {
    Identity(usize),
    Diagonal(Arc<Cow<'a, [f64]>>),
    Dense(#[serde(with = "columns")] Arc<Mat<f64>>),
    #[serde(skip)]
    DenseView(MatRef<'a, f64>),
    Sparse(
        #[serde(with = "structure")] Arc<SymbolicSparseColMat<usize>>,
        Arc<Vec<f64>>,
    ),
    #[serde(skip)]
    SparseView(SparseColMatRef<'a, usize, f64>),
    Stencil(Arc<Stencil>),
    Repeated {
        block: Box<Operator<'a>>,
        count: usize,
    },
    #[serde(skip)]
    Free {
        shape: (usize, usize),
        product: Arc<Products<'a>>,
    },
}

impl<'a> Operator<'a> {
    /// Returns the identity of size `n`.
    pub fn identity(n: usize) -> Self {
        let mut identity = Self::from_kind(Kind::Identity(n));
        identity.definite = Definite::ByConstruction;
        identity
    }

    /// Returns the diagonal matrix with the given entries.
    pub fn diagonal(entries: impl Into<Cow<'a, [f64]>>) -> Self {
        Self::from_kind(Kind::Diagonal(Arc::new(entries.into())))
    }

    /// Returns the operator that is stored as the dense matrix `matrix`.
    pub fn dense(matrix: Mat<f64>) -> Self {
        Self::from_kind(Kind::Dense(Arc::new(matrix)))
    }

    /// Returns the operator of a sparse matrix in compressed column format.
    pub fn sparse(matrix: SparseColMat<usize, f64>) -> Self {
        let (structure, values) = matrix.into_parts();
        Self::compressed(Arc::new(structure), values)
    }

    /// Returns the sparse matrix with a shared structure and the given values.
    pub(crate) fn compressed(
        structure: Arc<SymbolicSparseColMat<usize>>,
        values: Vec<f64>,
    ) -> Self {
        Self::from_kind(Kind::Sparse(structure, Arc::new(values)))
    }

    /// Returns the sparse matrix of the triplets `(row, column, value)` in any order. Values of equal positions are
    /// summed.
    ///
    /// A [`Pattern`] avoids sorting again if several matrices have the same positions.
    ///
    /// # Panics
    /// Panics, as an index outside a slice does, if a row or column is outside the shape, or if there are 2³² or more rows,
    /// columns or values. Rows and columns count from 0.
    #[track_caller]
    pub fn triplets(
        nrows: usize,
        ncols: usize,
        entries: impl IntoIterator<Item = (usize, usize, f64)>,
    ) -> Self {
        let entries = entries.into_iter();
        let count = entries.size_hint().0;
        let (mut positions, mut values) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (row, column, value) in entries {
            assert!(
                row < nrows && column < ncols,
                "an entry in row {row} and column {column}, counted from 0, is outside a matrix of shape {nrows}×{ncols}"
            );
            positions.push((row as u32, column as u32));
            values.push(value);
        }
        let most = nrows.max(ncols).max(values.len());
        assert!(
            most <= pattern::MOST,
            "{most} rows, columns or values are too many"
        );
        Pattern::sorted((nrows, ncols), &positions).sum(&values)
    }

    /// Returns the operator of a stencil matrix on a box of cells, for which there are specialised solvers.
    pub fn stencil(stencil: impl Into<Arc<Stencil>>) -> Self {
        Self::from_kind(Kind::Stencil(stencil.into()))
    }

    /// Returns the matrix-free operator of size `nrows`×`ncols`, given by its products with batches of columns.
    ///
    /// Results are independent of the number of threads only if those of `product` are. Inside `product`, use
    /// [`faer::Par::Seq`] instead of faer's `*`.
    pub fn free(nrows: usize, ncols: usize, product: Product<'a>) -> Self {
        Self::from_kind(Kind::Free {
            shape: (nrows, ncols),
            product: product.into(),
        })
    }

    /// Declares the matrix symmetric positive definite, which permits Cholesky factorisations and conjugate gradients.
    #[must_use]
    pub fn positive_definite(self) -> Self {
        self.declare(Definite::Declared)
    }

    /// Marks the matrix as symmetric positive definite by construction, however ill-conditioned it is.
    pub(crate) fn definite_by_construction(self) -> Self {
        self.declare(Definite::ByConstruction)
    }

    /// Returns whether the matrix is symmetric positive definite by construction.
    pub(crate) fn is_definite_by_construction(&self) -> bool {
        self.definite == Definite::ByConstruction
    }

    /// Returns whether the matrix is symmetric positive definite by declaration or by construction.
    pub fn is_positive_definite(&self) -> bool {
        self.definite > Definite::No
    }

    /// Returns whether the operator is the identity, with which solves are trivial.
    pub fn is_identity(&self) -> bool {
        matches!(self.kind, Kind::Identity(_))
    }

    /// Returns the operator with the given storage, not declared positive definite.
    pub(crate) fn from_kind(kind: Kind<'a>) -> Self {
        Self {
            kind,
            definite: Definite::No,
        }
    }

    /// Borrows the operator. Entries are shared, not copied.
    ///
    /// ```
    /// use pullback::{Backend, Cpu, Operator, Side, faer::mat};
    /// let (cpu, a) = (Cpu::default(), Operator::dense(mat![[2.0, 1.0], [1.0, 3.0]]));
    /// let mut x = mat![[1.0], [0.0]];
    /// cpu.factor(a.lend())?.solve(Side::Plain, None, x.as_mut())?;
    /// let b = a.apply(Side::Plain, x.as_ref())?; // `a` is still available
    /// assert!((b[(0, 0)] - 1.0).abs() < 1e-15 && b[(1, 0)].abs() < 1e-15);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    pub fn lend(&self) -> Operator<'_> {
        self.clone()
    }

    /// Returns the structure of an owned sparse matrix, which other matrices can share.
    pub(crate) fn structure(&self) -> Option<&Arc<SymbolicSparseColMat<usize>>> {
        match &self.kind {
            Kind::Sparse(structure, _) => Some(structure),
            _ => None,
        }
    }

    /// Returns an operator that shares the given stencil and has the definiteness of `self`.
    pub(crate) fn share<'b>(&self, stencil: &Arc<Stencil>) -> Operator<'b> {
        Operator {
            kind: Kind::Stencil(Arc::clone(stencil)),
            definite: self.definite,
        }
    }

    /// Returns the number of rows of the operator.
    pub fn nrows(&self) -> usize {
        self.shape().0
    }

    /// Returns the number of columns of the operator.
    pub fn ncols(&self) -> usize {
        self.shape().1
    }

    /// Returns the numbers of rows and columns of the operator.
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

    /// Returns the numbers of rows and columns of A or Aᵀ.
    pub fn shape_of(&self, side: Side) -> (usize, usize) {
        let (rows, cols) = self.shape();
        match side {
            Side::Plain => (rows, cols),
            Side::Transpose => (cols, rows),
        }
    }

    /// Computes A X or Aᵀ X.
    ///
    /// # Errors
    /// Fails with [`Error::Dimension`](crate::Error::Dimension) if X has the wrong number of rows.
    pub fn apply(&self, side: Side, x: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let (rows, cols) = self.shape_of(side);
        check::length("the operand of an operator", x.nrows(), cols)?;
        let mut out = Mat::zeros(rows, x.ncols());
        self.apply_into(side, x, out.as_mut());
        Ok(out)
    }

    /// Computes A x or Aᵀ x for one vector.
    ///
    /// # Errors
    /// Fails with [`Error::Dimension`](crate::Error::Dimension) if x has the wrong length.
    pub fn apply_to(&self, side: Side, x: &[f64]) -> Result<Vec<f64>> {
        let batch = self.apply(side, MatRef::from_column_major_slice(x, x.len(), 1))?;
        Ok(batch.col_as_slice(0).to_vec())
    }

    /// Computes out ← A x or Aᵀ x. This is meant for models, whose methods cannot return errors.
    ///
    /// # Panics
    /// Panics if the lengths do not match the operator.
    pub fn multiply(&self, side: Side, x: &[f64], out: &mut [f64]) {
        let (rows, cols) = self.shape_of(side);
        let x = MatRef::from_column_major_slice(x, cols, 1);
        let out = MatMut::from_column_major_slice_mut(out, rows, 1);
        self.apply_into(side, x, out);
    }

    /// Returns the operator as a dense matrix, computed as the product with the identity.
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
