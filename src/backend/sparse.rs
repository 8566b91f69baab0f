//! Sparse LU and Cholesky with one symbolic analysis a sparsity pattern.

use std::sync::{Arc, Mutex, PoisonError};

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt::factor::LltRegularization;
use faer::perm::PermRef;
use faer::sparse::linalg::LuError;
use faer::sparse::linalg::SupernodalThreshold;
use faer::sparse::linalg::cholesky::supernodal::SupernodalLltRef;
use faer::sparse::linalg::cholesky::{
    self, LltRef, SymbolicCholesky, SymbolicCholeskyRaw, SymmetricOrdering,
    factorize_symbolic_cholesky,
};
use faer::sparse::linalg::lu::{LuRef, NumericLu, SymbolicLu, factorize_symbolic_lu};
use faer::sparse::{FaerError, SparseColMatRef, SymbolicSparseColMatRef};
use faer::{Conj, MatMut, Par, Side as Triangle};

use super::checked::Direct;
use super::memory::Budget;
use super::{Method, fill, single};
use crate::error::{Error, Result};
use crate::operator::Side;

type Matrix<'a> = SparseColMatRef<'a, usize, f64>;
type Pattern<'a> = SymbolicSparseColMatRef<'a, usize>;

const LU: &str = "sparse LU";
const CHOLESKY: &str = "sparse Cholesky";

/// Patterns remembered; a descent uses two or three.
const REMEMBERED: usize = 8;

/// Symbolic analyses by sparsity pattern, in the order of making.
pub(super) struct Analyses<S> {
    known: Mutex<Vec<Known<S>>>,
}

/// Where the columns begin and end, row indices, and what was found out about them.
type Known<S> = (Vec<(usize, usize)>, Vec<usize>, Arc<S>);

impl<S> Default for Analyses<S> {
    fn default() -> Self {
        Self {
            known: Mutex::new(Vec::new()),
        }
    }
}

impl<S> Analyses<S> {
    /// The analysis of this pattern, made now unless it is known.
    fn of(&self, pattern: Pattern<'_>, analyse: impl FnOnce() -> Result<S>) -> Result<Arc<S>> {
        let ranges: Vec<(usize, usize)> = (0..pattern.ncols())
            .map(|j| pattern.col_range(j))
            .map(|range| (range.start, range.end))
            .collect();
        let rows = pattern.row_idx();
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = lock()
            .iter()
            .find(|(known, r, _)| *known == ranges && r == rows)
            .map(|(_, _, analysis)| Arc::clone(analysis));
        if let Some(analysis) = found {
            return Ok(analysis);
        }
        let analysis = Arc::new(analyse()?);
        let mut known = lock();
        if known.len() == REMEMBERED {
            known.remove(0);
        }
        known.push((ranges, rows.to_vec(), Arc::clone(&analysis)));
        Ok(analysis)
    }
}

/// The order of the columns for a sparse LU, and a bound of its entries.
pub(super) struct LuAnalysis {
    symbolic: SymbolicLu<usize>,
    entries: usize,
}

impl LuAnalysis {
    fn new(pattern: Pattern<'_>) -> std::result::Result<Self, FaerError> {
        let symbolic = factorize_symbolic_lu(pattern, Default::default())?;
        let entries = fill::any_pivots(pattern, symbolic.col_perm())?;
        Ok(Self { symbolic, entries })
    }

    /// Whether there is memory for the factors: in the worst case, or at least if no pivot leaves the diagonal.
    fn check(&self, pattern: Pattern<'_>, budget: Budget) -> Result<()> {
        let n = pattern.ncols();
        if budget.fits(fill::bytes(n, self.entries)) {
            return Ok(());
        }
        let entries = fill::diagonal_pivots(pattern, self.symbolic.col_perm());
        let entries = entries.map_err(|_| out_of_memory(LU, n))?.min(self.entries);
        budget.check(LU, n, fill::bytes(n, entries))
    }
}

pub(super) struct SparseLu {
    analysis: Arc<LuAnalysis>,
    numeric: NumericLu<usize, f64>,
}

impl SparseLu {
    pub(super) fn new(
        a: Matrix<'_>,
        analyses: &Analyses<LuAnalysis>,
        budget: Budget,
    ) -> Result<Self> {
        let no_memory = || out_of_memory(LU, a.nrows());
        let analysis = analyses.of(a.symbolic(), || {
            LuAnalysis::new(a.symbolic()).map_err(|_| no_memory())
        })?;
        analysis.check(a.symbolic(), budget)?;
        let symbolic = &analysis.symbolic;
        let mut numeric = NumericLu::new();
        let scratch = symbolic.factorize_numeric_lu_scratch::<f64>(Par::Seq, Default::default());
        let mut memory = MemBuffer::try_new(scratch).map_err(|_| no_memory())?;
        let stack = MemStack::new(&mut memory);
        symbolic
            .factorize_numeric_lu(&mut numeric, a, Par::Seq, stack, Default::default())
            .map_err(|error| match error {
                LuError::SymbolicSingular { .. } => Error::Singular {
                    residual: f64::INFINITY,
                    amplification: f64::INFINITY,
                },
                LuError::Generic(_) => no_memory(),
            })?;
        Ok(Self { analysis, numeric })
    }
}

impl Direct for SparseLu {
    fn method(&self) -> Method {
        Method::SparseLu
    }

    fn bytes(&self) -> usize {
        fill::bytes(self.analysis.symbolic.nrows(), self.analysis.entries)
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

pub(super) struct SparseCholesky {
    symbolic: Arc<SymbolicCholesky<usize>>,
    values: Vec<f64>,
}

impl SparseCholesky {
    /// Eliminates in this order, by minimum degree where there is none.
    pub(super) fn new(
        a: Matrix<'_>,
        analyses: &Analyses<SymbolicCholesky<usize>>,
        order: Option<&[usize]>,
        budget: Budget,
    ) -> Result<Self> {
        let no_memory = || out_of_memory(CHOLESKY, a.nrows());
        let symbolic = analyses.of(a.symbolic(), || {
            let mut inverse = vec![0; order.map_or(0, <[usize]>::len)];
            for (position, &cell) in order.unwrap_or(&[]).iter().enumerate() {
                inverse[cell] = position;
            }
            let ordering = match order {
                None => SymmetricOrdering::Amd,
                Some(order) => {
                    SymmetricOrdering::Custom(PermRef::new_checked(order, &inverse, order.len()))
                }
            };
            factorize_symbolic_cholesky(a.symbolic(), Triangle::Lower, ordering, parameters())
                .map_err(|_| no_memory())
        })?;
        let scratch = symbolic.factorize_numeric_llt_scratch::<f64>(Par::Seq, Default::default());
        let factor = symbolic.len_val().saturating_mul(size_of::<f64>());
        budget.check(
            CHOLESKY,
            a.nrows(),
            factor.saturating_add(scratch.size_bytes()),
        )?;
        let mut values = vec![0.0; symbolic.len_val()];
        let mut memory = MemBuffer::try_new(scratch).map_err(|_| no_memory())?;
        symbolic
            .factorize_numeric_llt::<f64>(
                &mut values,
                a,
                Triangle::Lower,
                LltRegularization::default(),
                Par::Seq,
                MemStack::new(&mut memory),
                Default::default(),
            )
            .map_err(|_| Error::NotPositiveDefinite {
                what: "an operator declared positive definite",
            })?;
        Ok(Self { symbolic, values })
    }
}

/// Supernodes from a tenth of the work per entry that faer asks for: on plane grids they pay that early,
/// 2.5 times over at 84×84 cells, while chains stay simplicial.
fn parameters() -> cholesky::CholeskySymbolicParams<'static> {
    cholesky::CholeskySymbolicParams {
        supernodal_flop_ratio_threshold: SupernodalThreshold(0.1),
        ..Default::default()
    }
}

impl SparseCholesky {
    /// Its factor, if that has supernodes.
    fn supernodal(&self) -> Option<SupernodalLltRef<'_, usize, f64>> {
        match self.symbolic.raw() {
            SymbolicCholeskyRaw::Supernodal(symbolic) => {
                Some(SupernodalLltRef::new(symbolic, &self.values))
            }
            SymbolicCholeskyRaw::Simplicial(_) => None,
        }
    }

    /// One column, with a factor that has supernodes.
    fn solve_single(
        &self,
        factor: SupernodalLltRef<'_, usize, f64>,
        mut batch: MatMut<'_, f64>,
        stack: &mut MemStack,
    ) {
        let order = self.symbolic.perm().map(|perm| perm.arrays().0);
        let place = |i: usize| order.map_or(i, |order| order[i]);
        let (mut x, stack) = stack.make_with(batch.nrows(), |i| batch[(place(i), 0)]);
        let (mut local, _) = stack.make_with(batch.nrows(), |_| 0.0);
        single::solve(factor, &mut x, &mut local);
        for (i, x) in x.iter().enumerate() {
            batch[(place(i), 0)] = *x;
        }
    }
}

impl Direct for SparseCholesky {
    fn method(&self) -> Method {
        Method::SparseCholesky
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.values)
    }

    fn scratch(&self, columns: usize) -> StackReq {
        let single = StackReq::new::<f64>(self.symbolic.nrows()).array(2);
        let batch = self
            .symbolic
            .solve_in_place_scratch::<f64>(columns, Par::Seq);
        batch.or(single)
    }

    fn solve(&self, _: Side, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        if let (1, Some(factor)) = (batch.ncols(), self.supernodal()) {
            return self.solve_single(factor, batch, stack);
        }
        let llt = LltRef::new(&self.symbolic, &self.values);
        llt.solve_in_place_with_conj(Conj::No, batch, Par::Seq, stack);
    }
}

fn out_of_memory(what: &'static str, size: usize) -> Error {
    Error::OutOfMemory {
        what,
        size,
        needed: None,
        limit: None,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use faer::sparse::{SparseColMat, Triplet};

    use super::*;

    #[test]
    fn a_pattern_is_analysed_once_whatever_its_values() {
        let (analyses, made) = (Analyses::default(), Cell::new(0));
        let of = |entries: &[(usize, usize, f64)]| {
            let entries: Vec<_> = entries
                .iter()
                .map(|&(i, j, v)| Triplet::new(i, j, v))
                .collect();
            let matrix = SparseColMat::<usize, f64>::try_new_from_triplets(2, 2, &entries).unwrap();
            let analysis = analyses.of(matrix.symbolic(), || {
                made.set(made.get() + 1);
                Ok(made.get())
            });
            *analysis.unwrap()
        };
        assert_eq!(of(&[(0, 0, 1.0), (1, 1, 2.0)]), 1);
        assert_eq!(of(&[(0, 0, 3.0), (1, 1, 4.0)]), 1);
        assert_eq!(of(&[(0, 1, 3.0), (1, 0, 4.0)]), 2);
        for _ in 0..2 * REMEMBERED {
            assert_eq!(of(&[(0, 0, 5.0), (1, 1, 6.0)]), 1);
        }
        assert_eq!(made.get(), 2);
    }
}
