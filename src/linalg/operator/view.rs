//! Structure of an operator, and access to its entries.

use std::sync::Arc;

use faer::MatRef;
use faer::sparse::SparseColMatRef;

use super::{Kind, Operator, Stencil};
use crate::check;
use crate::error::{Error, Result};

/// Structure of an [`Operator`], for solvers.
#[non_exhaustive]
pub enum View<'b> {
    /// Identity matrix.
    Identity,
    /// Diagonal matrix, with its diagonal entries.
    Diagonal(&'b [f64]),
    /// Dense matrix.
    Dense(MatRef<'b, f64>),
    /// Sparse matrix in compressed column format.
    Sparse(SparseColMatRef<'b, usize, f64>),
    /// Stencil matrix on a box of cells.
    Stencil(&'b Arc<Stencil>),
    /// Block-diagonal matrix of equal blocks.
    Repeated {
        /// Block on the diagonal, which is never a repeated operator itself.
        block: &'b Operator<'b>,
        /// Number of blocks on the diagonal.
        count: usize,
    },
    /// Matrix-free operator.
    Free,
}

impl Operator<'_> {
    /// Returns the structure of the operator.
    pub fn view(&self) -> View<'_> {
        match &self.kind {
            Kind::Identity(_) => View::Identity,
            Kind::Diagonal(d) => View::Diagonal(d),
            Kind::Dense(m) => View::Dense((**m).as_ref()),
            Kind::DenseView(m) => View::Dense(*m),
            Kind::Sparse(structure, values) => {
                View::Sparse(SparseColMatRef::new((**structure).as_ref(), values))
            }
            Kind::SparseView(m) => View::Sparse(*m),
            Kind::Stencil(s) => View::Stencil(s),
            Kind::Repeated { block, count } => View::Repeated {
                block,
                count: *count,
            },
            Kind::Free { .. } => View::Free,
        }
    }

    /// Returns the diagonal entries if the operator is stored as a diagonal matrix.
    pub(crate) fn as_diagonal(&self) -> Option<&[f64]> {
        match &self.kind {
            Kind::Diagonal(d) => Some(d),
            _ => None,
        }
    }

    /// Returns the matrix if it is stored in dense format.
    pub(crate) fn as_dense(&self) -> Option<MatRef<'_, f64>> {
        match self.view() {
            View::Dense(m) => Some(m),
            _ => None,
        }
    }

    /// Returns the matrix if it is stored in sparse format.
    pub(crate) fn as_sparse(&self) -> Option<SparseColMatRef<'_, usize, f64>> {
        match self.view() {
            View::Sparse(m) => Some(m),
            _ => None,
        }
    }

    /// Returns the stencil if the matrix is stored as one.
    pub(crate) fn as_stencil(&self) -> Option<&Arc<Stencil>> {
        match &self.kind {
            Kind::Stencil(s) => Some(s),
            _ => None,
        }
    }

    /// Calls `f` with a sparse matrix, or with a stencil in sparse format without its gauge. Returns `None` for other
    /// formats.
    pub(crate) fn with_sparse<R>(
        &self,
        f: impl FnOnce(SparseColMatRef<'_, usize, f64>) -> R,
    ) -> Option<R> {
        match self.view() {
            View::Sparse(m) => Some(f(m)),
            View::Stencil(stencil) => Some(f(stencil.compress().as_ref())),
            _ => None,
        }
    }

    /// Returns whether the operator is stored as the identity or as a diagonal matrix.
    pub(crate) fn is_diagonal(&self) -> bool {
        self.is_identity() || self.as_diagonal().is_some()
    }

    /// Returns whether the entries of the operator are known. They are not for matrix-free operators.
    pub(crate) fn knows_entries(&self) -> bool {
        match self.view() {
            View::Free => false,
            View::Repeated { block, .. } => block.knows_entries(),
            _ => true,
        }
    }

    /// Returns the number of equal blocks on the diagonal, or 1 if the operator is not repeated.
    pub(crate) fn copies(&self) -> usize {
        match self.view() {
            View::Repeated { count, .. } => count,
            _ => 1,
        }
    }

    /// Checks that all entries are finite.
    ///
    /// # Errors
    /// Fails with [`Error::NotFinite`] at the first entry that is NaN or infinite. The error names the matrix
    /// `what`. Its index counts entries column by column, or along the diagonal of a diagonal matrix. For a
    /// repeated operator it refers to the block, and for a stencil it is a cell.
    pub fn check_finite(&self, what: &'static str) -> Result<()> {
        let rows = self.nrows();
        let bad = |(index, value): (usize, f64)| {
            (!value.is_finite()).then_some(Error::NotFinite { what, index, value })
        };
        let found = match self.view() {
            View::Identity | View::Free => None,
            View::Diagonal(d) => return check::finite(what, d),
            View::Repeated { block, .. } => return block.check_finite(what),
            View::Stencil(s) => s.broken_entry().and_then(bad),
            View::Dense(m) => (0..m.ncols()).find_map(|j| {
                let found = m.col(j).iter().position(|value| !value.is_finite());
                found.and_then(|i| bad((i + j * rows, m[(i, j)])))
            }),
            View::Sparse(m) => (0..m.ncols()).find_map(|j| {
                let mut entries = m.symbolic().col_range(j);
                entries.find_map(|k| bad((m.symbolic().row_idx()[k] + j * rows, m.val()[k])))
            }),
        };
        found.map_or(Ok(()), Err)
    }
}
