//! Sparse Cholesky A = L Lᵀ: multifrontal, or column by column if the supernodes are too small for dense kernels.

use std::sync::Arc;

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt::factor::LltRegularization;
use faer::perm::PermRef;
use faer::sparse::SymbolicSparseColMatRef;
use faer::sparse::linalg::SupernodalThreshold;
use faer::sparse::linalg::cholesky::{
    CholeskySymbolicParams, LltRef, SymbolicCholesky, SymmetricOrdering,
    factorize_symbolic_cholesky,
};
use faer::{Conj, MatMut, Par, Side as Triangle};

use super::Order;
use super::analyses::{Analyses, Matrix};
use super::multifrontal::{Cholesky, Form, Symbolic};
use super::pivoted_lu::out_of_memory;
use crate::error::{Error, Result};
use crate::linalg::Method;
use crate::linalg::cpu::checked::Direct;
use crate::linalg::memory::Budget;
use crate::linalg::operator::Side;

type Pattern<'a> = SymbolicSparseColMatRef<'a, usize>;

const CHOLESKY: &str = "sparse Cholesky";

/// Symbolic analyses under minimum degree (index 0) and under a prescribed order (index 1).
///
/// The two kinds of order cause different rounding errors. Separate caches keep results independent of
/// earlier solves.
pub(crate) type CholeskyAnalyses = [Analyses<Analysis>; 2];

/// Symbolic factorisation, multifrontal or simplicial.
pub(crate) enum Analysis {
    /// Analysis for the multifrontal factorisation.
    Fronts(Arc<Symbolic>),
    /// Analysis for the simplicial factorisation, which proceeds column by column and reads the lower
    /// triangle only. It is used for two kinds of pattern: chains, whose fronts would be tiny, and patterns
    /// that are not symmetric.
    Columns(Arc<SymbolicCholesky<usize>>),
}

impl Analysis {
    fn new(pattern: Pattern<'_>, order: Order<'_>) -> Result<Self> {
        let order = order.map(|order| order());
        // Cholesky needs no pivoting: the Schur complement of a definite matrix is definite, and lᵢⱼ² ≤ aᵢᵢ
        // bounds all entries, since Σⱼ lᵢⱼ² = aᵢᵢ. The order and the pattern of L are therefore known before
        // any entry is computed.
        let fronts = Symbolic::new(pattern, order.as_deref(), Form::Symmetric)?;
        if let Some(symbolic) = fronts.filter(Symbolic::pays) {
            return Ok(Self::Fronts(Arc::new(symbolic)));
        }
        let mut inverse = vec![0; pattern.ncols()];
        for (position, &unknown) in order.iter().flatten().enumerate() {
            inverse[unknown] = position;
        }
        let ordering = match &order {
            Some(order) => {
                SymmetricOrdering::Custom(PermRef::new_checked(order, &inverse, order.len()))
            }
            None => SymmetricOrdering::Amd,
        };
        // Simplicial only: patterns with large supernodes have been handled above.
        let parameters = CholeskySymbolicParams {
            supernodal_flop_ratio_threshold: SupernodalThreshold::FORCE_SIMPLICIAL,
            ..Default::default()
        };
        factorize_symbolic_cholesky(pattern, Triangle::Lower, ordering, parameters)
            .map(|symbolic| Self::Columns(Arc::new(symbolic)))
            .map_err(|_| out_of_memory(CHOLESKY, pattern.ncols()))
    }
}

/// Sparse Cholesky factor of a symmetric positive definite matrix.
pub(crate) enum SparseCholesky {
    /// Multifrontal factor.
    Fronts(Cholesky),
    /// Simplicial factor, computed column by column.
    Columns {
        symbolic: Arc<SymbolicCholesky<usize>>,
        values: Vec<f64>,
    },
}

impl SparseCholesky {
    /// Factorises A, eliminating the unknowns in `order`, or by minimum degree if `order` is `None`.
    pub(crate) fn new<'m>(
        a: impl Into<Matrix<'m>>,
        analyses: &CholeskyAnalyses,
        order: Order<'_>,
        budget: Budget,
    ) -> Result<Self> {
        let a = a.into();
        let cache = &analyses[usize::from(order.is_some())];
        match &*cache.of(a, || Analysis::new(a.symbolic(), order))? {
            Analysis::Fronts(symbolic) => {
                Cholesky::new(a, Arc::clone(symbolic), budget).map(Self::Fronts)
            }
            Analysis::Columns(symbolic) => Self::by_columns(a, Arc::clone(symbolic), budget),
        }
    }

    fn by_columns(
        a: Matrix<'_>,
        symbolic: Arc<SymbolicCholesky<usize>>,
        budget: Budget,
    ) -> Result<Self> {
        let scratch = symbolic.factorize_numeric_llt_scratch::<f64>(Par::Seq, Default::default());
        let factor = symbolic.len_val().saturating_mul(size_of::<f64>());
        let bytes = factor.saturating_add(scratch.size_bytes());
        budget.check(CHOLESKY, a.size(), bytes)?;
        let mut values = vec![0.0; symbolic.len_val()];
        let memory = MemBuffer::try_new(scratch);
        let mut memory = memory.map_err(|_| out_of_memory(CHOLESKY, a.size()))?;
        symbolic
            .factorize_numeric_llt::<f64>(
                &mut values,
                a.view,
                Triangle::Lower,
                LltRegularization::default(),
                Par::Seq,
                MemStack::new(&mut memory),
                Default::default(),
            )
            .map_err(|_| Error::NotPositiveDefinite {
                what: "an operator declared positive definite",
            })?;
        Ok(Self::Columns { symbolic, values })
    }
}

impl Direct for SparseCholesky {
    fn method(&self) -> Method {
        Method::SparseCholesky
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Fronts(cholesky) => cholesky.bytes(),
            Self::Columns { values, .. } => size_of_val(&**values),
        }
    }

    fn scratch(&self, columns: usize) -> StackReq {
        match self {
            Self::Fronts(cholesky) => cholesky.scratch(columns),
            Self::Columns { symbolic, .. } => {
                symbolic.solve_in_place_scratch::<f64>(columns, Par::Seq)
            }
        }
    }

    fn shared_work(&self) -> usize {
        match self {
            Self::Fronts(cholesky) => cholesky.bytes() / size_of::<f64>(),
            Self::Columns { .. } => 0,
        }
    }

    fn solve(&self, _: Side, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        match self {
            Self::Fronts(cholesky) => cholesky.solve(batch, stack),
            Self::Columns { symbolic, values } => {
                let llt = LltRef::new(symbolic, values);
                llt.solve_in_place_with_conj(Conj::No, batch, Par::Seq, stack);
            }
        }
    }
}
