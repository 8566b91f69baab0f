//! LU without pivoting for sparse matrices of symmetric pattern whose diagonal dominates, and Cholesky.

mod analysis;
mod cholesky;
mod front;
mod numeric;
mod solve;
mod sums;
mod symbolic;
mod symmetric;
mod tree;

pub(crate) use self::cholesky::Cholesky;
pub(crate) use self::symbolic::{Form, Symbolic};

use std::sync::Arc;

use faer::MatMut;
use faer::dyn_stack::{MemStack, StackReq};

use self::front::Source;
use self::solve::Factors;
use super::analyses::{Analyses, Matrix};
use super::cholesky::Order;
use super::interleaved;
use crate::error::Result;
use crate::linalg::Method;
use crate::linalg::cpu::checked::Direct;
use crate::linalg::memory::Budget;
use crate::linalg::operator::Side;

/// L and U of a matrix that is dominated by its diagonal column by column, or of its transpose.
pub(crate) struct Multifrontal {
    symbolic: Arc<Symbolic>,
    values: Vec<f64>,
    /// What L U is equal to.
    side: Side,
}

impl Multifrontal {
    /// Factorises A, or Aᵀ, of which the columns should be dominated by the diagonal; None if the pattern is not
    /// symmetric, or a pivot vanishes.
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
        Self::by(a, (source, analyses), order, budget)
    }

    /// Factorises a symmetric M-matrix with these sums of its rows, which its diagonal need not tell: small ones and weak
    /// couplings count to their own last digit.
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
        Self::by(a, (source, analyses), Some(order), budget)
    }

    fn by(
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
        size_of_val(&*self.values)
    }

    fn scratch(&self, columns: usize) -> StackReq {
        let shape = (self.symbolic.order.len(), self.symbolic.tallest());
        interleaved::scratch(shape, columns)
    }

    fn solve(&self, side: Side, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        let side = if side == self.side {
            Side::Plain
        } else {
            Side::Transpose
        };
        let factors = Factors {
            symbolic: &self.symbolic,
            values: &self.values,
        };
        let order = |position: usize| self.symbolic.order[position];
        let order = (order, self.symbolic.tallest());
        interleaved::solve(order, batch, stack, |x| factors.solve(side, x));
    }
}
