//! Sparse LU and Cholesky with one symbolic analysis a sparsity pattern.

use std::sync::{Arc, Mutex, PoisonError};

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::LltRegularization;
use faer::perm::PermRef;
use faer::prelude::ReborrowMut;
use faer::sparse::linalg::SupernodalThreshold;
use faer::sparse::linalg::cholesky::supernodal::SupernodalLltRef;
use faer::sparse::linalg::cholesky::{
    self, LltRef, SymbolicCholesky, SymbolicCholeskyRaw, SymmetricOrdering,
    factorize_symbolic_cholesky,
};
use faer::sparse::linalg::lu::{LuRef, NumericLu, SymbolicLu, factorize_symbolic_lu};
use faer::sparse::{SparseColMatRef, SymbolicSparseColMatRef};
use faer::{Conj, MatMut, Par, Side as Triangle};

use super::checked::Direct;
use super::single;
use crate::error::{Error, Result};
use crate::operator::Side;

type Matrix<'a> = SparseColMatRef<'a, usize, f64>;
type Pattern<'a> = SymbolicSparseColMatRef<'a, usize>;

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
    pub(super) fn of(
        &self,
        pattern: Pattern<'_>,
        analyse: impl FnOnce() -> Result<S>,
    ) -> Result<Arc<S>> {
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

pub(super) struct SparseLu {
    symbolic: Arc<SymbolicLu<usize>>,
    numeric: NumericLu<usize, f64>,
}

impl SparseLu {
    pub(super) fn new(a: Matrix<'_>, analyses: &Analyses<SymbolicLu<usize>>) -> Result<Self> {
        let no_memory = || out_of_memory("sparse LU", a.nrows());
        let symbolic = analyses.of(a.symbolic(), || {
            factorize_symbolic_lu(a.symbolic(), Default::default()).map_err(|_| no_memory())
        })?;
        let mut numeric = NumericLu::new();
        let scratch = symbolic.factorize_numeric_lu_scratch::<f64>(Par::Seq, Default::default());
        let mut memory = MemBuffer::try_new(scratch).map_err(|_| no_memory())?;
        symbolic
            .factorize_numeric_lu(
                &mut numeric,
                a,
                Par::Seq,
                MemStack::new(&mut memory),
                Default::default(),
            )
            .map_err(|error| match error {
                faer::sparse::linalg::LuError::SymbolicSingular { .. } => Error::Singular {
                    residual: f64::INFINITY,
                    amplification: f64::INFINITY,
                },
                faer::sparse::linalg::LuError::Generic(_) => no_memory(),
            })?;
        Ok(Self { symbolic, numeric })
    }
}

impl Direct for SparseLu {
    fn solve(&self, side: Side, batch: MatMut<'_, f64>) {
        let lu = LuRef::new_unchecked(&self.symbolic, &self.numeric);
        let scratch = self
            .symbolic
            .solve_in_place_scratch::<f64>(batch.ncols(), Par::Seq);
        let mut memory = MemBuffer::new(scratch);
        let stack = MemStack::new(&mut memory);
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
    pub(super) fn new(a: Matrix<'_>, analyses: &Analyses<SymbolicCholesky<usize>>) -> Result<Self> {
        Self::ordered(a, analyses, None)
    }

    /// Eliminates in this order, by minimum degree where there is none.
    pub(super) fn ordered(
        a: Matrix<'_>,
        analyses: &Analyses<SymbolicCholesky<usize>>,
        order: Option<&[usize]>,
    ) -> Result<Self> {
        let no_memory = || out_of_memory("sparse Cholesky", a.nrows());
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
        let mut values = vec![0.0; symbolic.len_val()];
        let scratch = symbolic.factorize_numeric_llt_scratch::<f64>(Par::Seq, Default::default());
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
    /// Whether it was a single column, with a supernodal factor, and is solved now.
    fn solve_single(&self, mut batch: MatMut<'_, f64>) -> bool {
        let SymbolicCholeskyRaw::Supernodal(symbolic) = self.symbolic.raw() else {
            return false;
        };
        if batch.ncols() != 1 {
            return false;
        }
        let factor = SupernodalLltRef::new(symbolic, &self.values);
        let order = self.symbolic.perm().map(|perm| perm.arrays().0);
        let place = |i: usize| order.map_or(i, |order| order[i]);
        let mut x: Vec<f64> = (0..batch.nrows()).map(|i| batch[(place(i), 0)]).collect();
        single::solve(factor, &mut x);
        for (i, x) in x.iter().enumerate() {
            batch[(place(i), 0)] = *x;
        }
        true
    }
}

impl Direct for SparseCholesky {
    fn solve(&self, _: Side, mut batch: MatMut<'_, f64>) {
        if self.solve_single(batch.rb_mut()) {
            return;
        }
        let llt = LltRef::new(&self.symbolic, &self.values);
        let scratch = self
            .symbolic
            .solve_in_place_scratch::<f64>(batch.ncols(), Par::Seq);
        let mut memory = MemBuffer::new(scratch);
        llt.solve_in_place_with_conj(Conj::No, batch, Par::Seq, MemStack::new(&mut memory));
    }
}

fn out_of_memory(what: &'static str, size: usize) -> Error {
    Error::OutOfMemory { what, size }
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
