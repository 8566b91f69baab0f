//! Equality of operators: the same matrix, stored in the same format.

use std::borrow::Cow;
use std::sync::Arc;

use faer::sparse::SparseColMatRef;

use super::{Kind, Operator};

impl Operator<'_> {
    /// Returns whether the structures and entries of two operators are equal, or false if entries are
    /// unknown.
    pub(crate) fn equals(&self, other: &Operator<'_>) -> bool {
        // A factor depends on the declaration as well, which decides between Cholesky and LU.
        if self.definite != other.definite || self.shape() != other.shape() {
            return false;
        }
        match (&self.kind, &other.kind) {
            (Kind::Identity(_), Kind::Identity(_)) => true,
            (Kind::Diagonal(a), Kind::Diagonal(b)) => a == b,
            (Kind::Stencil(a), Kind::Stencil(b)) => Arc::ptr_eq(a, b) || a == b,
            (Kind::Repeated { block: a, count: m }, Kind::Repeated { block: b, count: n }) => {
                m == n && a.equals(b)
            }
            // Owned and borrowed matrices have different kinds, but may be equal.
            _ => {
                let dense = (self.as_dense(), other.as_dense());
                let sparse = (self.as_sparse(), other.as_sparse());
                matches!(dense, (Some(a), Some(b)) if a == b)
                    || matches!(sparse, (Some(a), Some(b)) if equal_sparse(a, b))
            }
        }
    }

    /// Copies borrowed entries and shares owned ones. Returns `None` if entries are unknown.
    pub(crate) fn to_owned_entries(&self) -> Option<Operator<'static>> {
        let kind = match &self.kind {
            Kind::Identity(n) => Kind::Identity(*n),
            Kind::Diagonal(d) => Kind::Diagonal(Arc::new(Cow::Owned(d.to_vec()))),
            Kind::Dense(m) => Kind::Dense(Arc::clone(m)),
            Kind::DenseView(m) => Kind::Dense(Arc::new(m.to_owned())),
            Kind::Sparse(structure, values) => {
                Kind::Sparse(Arc::clone(structure), Arc::clone(values))
            }
            Kind::SparseView(m) => {
                let structure = m.symbolic().to_owned().ok()?;
                Kind::Sparse(Arc::new(structure), Arc::new(m.val().to_vec()))
            }
            Kind::Stencil(s) => Kind::Stencil(Arc::clone(s)),
            Kind::Repeated { block, count } => Kind::Repeated {
                block: Box::new(block.to_owned_entries()?),
                count: *count,
            },
            Kind::Free { .. } => return None,
        };
        Some(Operator {
            kind,
            definite: self.definite,
        })
    }
}

/// Returns whether the structures and values of two sparse matrices are equal.
fn equal_sparse(a: SparseColMatRef<'_, usize, f64>, b: SparseColMatRef<'_, usize, f64>) -> bool {
    let (s, t) = (a.symbolic(), b.symbolic());
    a.val() == b.val()
        && s.col_ptr() == t.col_ptr()
        && s.col_nnz() == t.col_nnz()
        && s.row_idx() == t.row_idx()
}
