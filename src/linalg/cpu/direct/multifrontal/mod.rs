//! Multifrontal factorisations of sparse matrices with symmetric pattern (Duff & Reid 1983).
//!
//! The module provides LU without pivoting for matrices with a dominant diagonal, and Cholesky for symmetric
//! positive definite matrices.
//!
//! Supernodes (sets of columns with a common structure) form a tree. Each supernode assembles a dense front
//! F = [F₁₁ F₁₂; F₂₁ F₂₂] from the entries of A and the Schur complements of its children. The supernode eliminates its
//! own columns by F₁₁ = L₁₁U₁₁, and hands the Schur complement F₂₂ − L₂₁U₁₂ to its parent.

mod analysis;
mod cholesky;
mod front;
mod numeric;
mod solve;
mod sums;
mod symbolic;
mod symmetric;
mod tree;
mod units;
mod walk;

pub(crate) use self::cholesky::Cholesky;
pub(crate) use self::symbolic::{Form, Symbolic};

use std::sync::Arc;

use faer::MatMut;
use faer::dyn_stack::{MemStack, StackReq};

use self::front::Source;
use self::solve::Factors;
use super::Order;
use super::analyses::{Analyses, Matrix};
use crate::error::Result;
use crate::linalg::Method;
use crate::linalg::cpu::checked::Direct;
use crate::linalg::memory::Budget;
use crate::linalg::operator::Side;

/// Multifrontal LU factors of A or of Aᵀ, computed without pivoting.
pub(crate) struct Multifrontal {
    symbolic: Arc<Symbolic>,
    /// Panels of L and U, node by node, for every unit.
    values: Vec<Vec<f64>>,
    /// Matrix that L U equals: A for `Plain`, Aᵀ for `Transpose`.
    side: Side,
}

impl Multifrontal {
    /// Factorises A or Aᵀ, according to `side`. The factorised matrix should be diagonally dominant by
    /// columns.
    ///
    /// Returns `None` if the pattern is not symmetric or a pivot vanishes.
    pub(crate) fn new(
        a: Matrix<'_>,
        side: Side,
        analyses: &Analyses<Option<Arc<Symbolic>>>,
        order: Order<'_>,
        budget: Budget,
    ) -> Result<Option<Self>> {
        let source = Source {
            values: a.values(),
            side,
            sums: None,
        };
        Self::from_source(a, (source, analyses), order, budget)
    }

    /// Factorises a symmetric M-matrix A with given row sums A·1. Returns `None` if a pivot vanishes.
    ///
    /// Pivots are computed from the row sums and the off-diagonal entries, not from the diagonal, see
    /// [`sums`]. Small row sums and weak couplings therefore enter the result with full relative accuracy.
    pub(crate) fn with_sums(
        (a, sums): (Matrix<'_>, &[f64]),
        analyses: &Analyses<Option<Arc<Symbolic>>>,
        order: &dyn Fn() -> Vec<usize>,
        budget: Budget,
    ) -> Result<Option<Self>> {
        let source = Source {
            values: a.values(),
            side: Side::Plain,
            sums: Some(sums),
        };
        Self::from_source(a, (source, analyses), Some(order), budget)
    }

    fn from_source(
        a: Matrix<'_>,
        (source, analyses): (Source<'_>, &Analyses<Option<Arc<Symbolic>>>),
        order: Order<'_>,
        budget: Budget,
    ) -> Result<Option<Self>> {
        let analyse = || {
            let order = order.map(|order| order());
            let symbolic = Symbolic::new(a.symbolic(), order.as_deref(), Form::General)?;
            Ok(symbolic.map(Arc::new))
        };
        let Some(symbolic) = (*analyses.of(a, analyse)?).clone() else {
            return Ok(None);
        };
        budget.check(symbolic.form.name(), a.size(), symbolic.bytes())?;
        // One factorisation serves both sides: A = L U gives A⁻¹ = U⁻¹L⁻¹ and A⁻ᵀ = L⁻ᵀU⁻ᵀ, with the same
        // entries.
        let values = numeric::factorise(&symbolic, source)?;
        Ok(values.map(|values| Self {
            symbolic,
            values,
            side: source.side,
        }))
    }
}

impl Direct for Multifrontal {
    fn method(&self) -> Method {
        Method::MultifrontalLu
    }

    fn bytes(&self) -> usize {
        self.symbolic.len * size_of::<f64>()
    }

    fn scratch(&self, columns: usize) -> StackReq {
        walk::scratch(&self.symbolic, columns)
    }

    fn shared_work(&self) -> usize {
        self.symbolic.len
    }

    fn solve(&self, side: Side, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        // With L U = Aᵀ, a solve with A is a solve with (L U)ᵀ, and vice versa.
        let side = if side == self.side {
            Side::Plain
        } else {
            Side::Transpose
        };
        let factors = Factors {
            symbolic: &self.symbolic,
            values: &self.values,
            side,
            columns: batch.ncols(),
        };
        walk::solve(&self.symbolic, batch, stack, factors);
    }
}
