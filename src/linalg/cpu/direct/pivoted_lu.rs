//! Sparse LU with partial pivoting.

use std::sync::Arc;

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::sparse::linalg::LuError;
use faer::sparse::linalg::lu::{LuRef, NumericLu, SymbolicLu, factorize_symbolic_lu};
use faer::sparse::{FaerError, SymbolicSparseColMatRef};
use faer::{Conj, MatMut, Par};

use super::analyses::{Analyses, Matrix};
use super::fill;
use crate::error::{Error, Result};
use crate::linalg::Method;
use crate::linalg::cpu::checked::Direct;
use crate::linalg::memory::Budget;
use crate::linalg::operator::Side;

type Pattern<'a> = SymbolicSparseColMatRef<'a, usize>;

const LU: &str = "sparse LU";

/// Symbolic analysis of a sparse LU: the column order, and an upper bound on the number of entries.
pub(crate) struct LuAnalysis {
    symbolic: SymbolicLu<usize>,
    /// Upper bound on nnz(L) + nnz(U) for any choice of pivots.
    entries: usize,
}

impl LuAnalysis {
    fn new(pattern: Pattern<'_>) -> std::result::Result<Self, FaerError> {
        let symbolic = factorize_symbolic_lu(pattern, Default::default())?;
        let entries = fill::any_pivots(pattern, symbolic.col_perm())?;
        Ok(Self { symbolic, entries })
    }

    /// Checks the memory of the factors against the budget, and returns the first estimate that fits, in
    /// bytes.
    ///
    /// Tries the bound for any choice of pivots first, then the estimate for pivots on the diagonal.
    fn check(&self, pattern: Pattern<'_>, budget: Budget) -> Result<usize> {
        let n = pattern.ncols();
        // The bound holds for every choice of pivots but may be far too large. The estimate is close for
        // pivots near the diagonal but may be too small for others. A request is refused only if both exceed
        // the budget.
        let worst = fill::bytes(n, self.entries);
        if budget.fits(worst) {
            return Ok(worst);
        }
        let entries = fill::diagonal_pivots(pattern, self.symbolic.col_perm());
        let entries = entries.map_err(|_| out_of_memory(LU, n))?.min(self.entries);
        let bytes = fill::bytes(n, entries);
        budget.check(LU, n, bytes).map(|()| bytes)
    }
}

/// Factors of a sparse LU factorisation with partial pivoting.
pub(crate) struct SparseLu {
    analysis: Arc<LuAnalysis>,
    numeric: NumericLu<usize, f64>,
    /// Estimated size of the factors, from [`LuAnalysis::check`].
    bytes: usize,
}

impl SparseLu {
    pub(crate) fn new(
        a: Matrix<'_>,
        analyses: &Analyses<LuAnalysis>,
        budget: Budget,
    ) -> Result<Self> {
        let no_memory = || out_of_memory(LU, a.size());
        let analysis = analyses.of(a, || LuAnalysis::new(a.symbolic()).map_err(|_| no_memory()))?;
        let bytes = analysis.check(a.symbolic(), budget)?;
        let symbolic = &analysis.symbolic;
        let mut numeric = NumericLu::new();
        let scratch = symbolic.factorize_numeric_lu_scratch::<f64>(Par::Seq, Default::default());
        let mut memory = MemBuffer::try_new(scratch).map_err(|_| no_memory())?;
        let stack = MemStack::new(&mut memory);
        symbolic
            .factorize_numeric_lu(&mut numeric, a.view, Par::Seq, stack, Default::default())
            .map_err(|error| match error {
                LuError::SymbolicSingular { .. } => Error::Singular {
                    residual: f64::INFINITY,
                    amplification: f64::INFINITY,
                },
                LuError::Generic(_) => no_memory(),
            })?;
        Ok(Self {
            analysis,
            numeric,
            bytes,
        })
    }
}

impl Direct for SparseLu {
    fn method(&self) -> Method {
        Method::SparseLu
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn scratch(&self, columns: usize) -> StackReq {
        let lu = &self.analysis.symbolic;
        lu.solve_in_place_scratch::<f64>(columns, Par::Seq)
            .or(lu.solve_transpose_in_place_scratch::<f64>(columns, Par::Seq))
    }

    fn solve(&self, side: Side, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        let lu = LuRef::new_unchecked(&self.analysis.symbolic, &self.numeric);
        match side {
            Side::Plain => lu.solve_in_place_with_conj(Conj::No, batch, Par::Seq, stack),
            Side::Transpose => {
                lu.solve_transpose_in_place_with_conj(Conj::No, batch, Par::Seq, stack);
            }
        }
    }
}

/// Returns the error for an allocation of unknown size that has failed.
pub(crate) fn out_of_memory(what: &'static str, size: usize) -> Error {
    Error::OutOfMemory {
        what,
        size,
        needed: None,
        limit: None,
    }
}
