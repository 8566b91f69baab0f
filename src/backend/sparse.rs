//! Sparse LU with pivoting, and sparse Cholesky.

use std::sync::Arc;

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt::factor::LltRegularization;
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::perm::PermRef;
use faer::sparse::linalg::LuError;
use faer::sparse::linalg::SupernodalThreshold;
use faer::sparse::linalg::cholesky::supernodal::SupernodalLltRef;
use faer::sparse::linalg::cholesky::{
    self, LltRef, SymbolicCholesky, SymbolicCholeskyRaw, SymmetricOrdering,
    factorize_symbolic_cholesky,
};
use faer::sparse::linalg::lu::{LuRef, NumericLu, SymbolicLu, factorize_symbolic_lu};
use faer::sparse::{FaerError, SymbolicSparseColMatRef};
use faer::{Conj, MatMut, Par, Side as Triangle};

use super::analyses::{Analyses, Matrix};
use super::checked::Direct;
use super::interleaved::{self, Supernode};
use super::memory::Budget;
use super::multifrontal::{Tree, inverse};
use super::single::{self, Node};
use super::{Method, fill};
use crate::error::{Error, Result};
use crate::operator::Side;

type Pattern<'a> = SymbolicSparseColMatRef<'a, usize>;

const LU: &str = "sparse LU";
const CHOLESKY: &str = "sparse Cholesky";

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

    /// Checks that there is memory for the factors: in the worst case, or at least if no pivot leaves the diagonal.
    /// Returns the bytes that were found to fit.
    fn check(&self, pattern: Pattern<'_>, budget: Budget) -> Result<usize> {
        let n = pattern.ncols();
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

pub(super) struct SparseLu {
    analysis: Arc<LuAnalysis>,
    numeric: NumericLu<usize, f64>,
    /// What they are taken to take: the estimate that fitted.
    bytes: usize,
}

impl SparseLu {
    pub(super) fn new(
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

/// Symbolic analyses by minimum degree, and in an order that was given: bits must not depend on what was solved before.
pub(super) type CholeskyAnalyses = [Analyses<SymbolicCholesky<usize>>; 2];

pub(super) struct SparseCholesky {
    symbolic: Arc<SymbolicCholesky<usize>>,
    values: Vec<f64>,
    /// One over the diagonal of the factor, if that has supernodes.
    reciprocals: Vec<f64>,
}

/// An order of elimination, found when it is needed.
pub(super) type Order<'a> = Option<&'a dyn Fn() -> Vec<usize>>;

impl SparseCholesky {
    /// Eliminates in this order, by minimum degree where there is none.
    pub(super) fn new<'m>(
        a: impl Into<Matrix<'m>>,
        analyses: &CholeskyAnalyses,
        order: Order<'_>,
        budget: Budget,
    ) -> Result<Self> {
        let a = a.into();
        let no_memory = || out_of_memory(CHOLESKY, a.size());
        let known = &analyses[usize::from(order.is_some())];
        let symbolic = known.of(a, || {
            // Columns with the same rows one after another, as faer puts together no others.
            let order = order.map(|order| Tree::new(a.symbolic(), &order()).order);
            let inverse = order.as_deref().map(inverse);
            let ordering = match (&order, &inverse) {
                (Some(order), Some(inverse)) => {
                    SymmetricOrdering::Custom(PermRef::new_checked(order, inverse, order.len()))
                }
                _ => SymmetricOrdering::Amd,
            };
            factorize_symbolic_cholesky(a.symbolic(), Triangle::Lower, ordering, parameters())
                .map_err(|_| no_memory())
        })?;
        let scratch = symbolic.factorize_numeric_llt_scratch::<f64>(Par::Seq, Default::default());
        let numbers = symbolic.len_val().saturating_add(a.size());
        let factor = numbers.saturating_mul(size_of::<f64>());
        let bytes = factor.saturating_add(scratch.size_bytes());
        budget.check(CHOLESKY, a.size(), bytes)?;
        let mut values = vec![0.0; symbolic.len_val()];
        let mut memory = MemBuffer::try_new(scratch).map_err(|_| no_memory())?;
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
        let mut cholesky = Self {
            symbolic,
            values,
            reciprocals: Vec::new(),
        };
        cholesky.reciprocals = cholesky.invert_diagonal();
        Ok(cholesky)
    }

    fn invert_diagonal(&self) -> Vec<f64> {
        let Some(factor) = self.supernodal() else {
            return Vec::new();
        };
        let nodes = (0..factor.symbolic().n_supernodes()).map(|s| factor.supernode(s).val());
        let diagonal = nodes.flat_map(|panel| (0..panel.ncols()).map(move |j| panel[(j, j)]));
        diagonal.map(f64::recip).collect()
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
    /// The unknown that is eliminated at this place.
    fn unknown(&self, place: usize) -> usize {
        self.symbolic
            .perm()
            .map_or(place, |order| order.arrays().0[place])
    }

    /// Its factor, if that has supernodes.
    fn supernodal(&self) -> Option<SupernodalLltRef<'_, usize, f64>> {
        match self.symbolic.raw() {
            SymbolicCholeskyRaw::Supernodal(symbolic) => {
                Some(SupernodalLltRef::new(symbolic, &self.values))
            }
            SymbolicCholeskyRaw::Simplicial(_) => None,
        }
    }

    fn solve_single(
        &self,
        factor: SupernodalLltRef<'_, usize, f64>,
        mut batch: MatMut<'_, f64>,
        stack: &mut MemStack,
    ) {
        let (mut x, stack) = stack.make_with(batch.nrows(), |k| batch[(self.unknown(k), 0)]);
        let (mut local, _) = stack.make_with(batch.nrows(), |_| 0.0);
        single::solve(self.nodes(factor), &mut x, &mut local);
        for (place, x) in x.iter().enumerate() {
            batch[(self.unknown(place), 0)] = *x;
        }
    }

    /// The supernodes of the factor.
    fn nodes<'a>(
        &'a self,
        factor: SupernodalLltRef<'a, usize, f64>,
    ) -> impl DoubleEndedIterator<Item = Node<'a>> + Clone {
        let (symbolic, values) = (factor.symbolic(), factor.values());
        let columns = symbolic
            .supernode_begin()
            .iter()
            .zip(symbolic.supernode_end());
        let rows = symbolic
            .col_ptr_for_row_idx()
            .iter()
            .zip(symbolic.nnz_per_super());
        let parts = columns.zip(rows).zip(symbolic.col_ptr_for_val());
        parts.map(move |(((&start, &end), (&first, &count)), &panel)| Node {
            start,
            width: end - start,
            rows: &symbolic.row_idx()[first..first + count],
            panel: &values[panel..panel + (end - start) * (end - start + count)],
            reciprocals: &self.reciprocals[start..end],
        })
    }

    fn solve_batch(
        &self,
        factor: SupernodalLltRef<'_, usize, f64>,
        batch: MatMut<'_, f64>,
        stack: &mut MemStack,
    ) {
        let count = factor.symbolic().n_supernodes();
        let part = |s: usize| {
            let part = factor.supernode(s);
            let width = part.val().ncols();
            let node = Supernode {
                start: part.start(),
                width,
                rows: part.pattern(),
            };
            let (square, panel) = part.val().split_at_row(width);
            (node, square, panel)
        };
        let order = (|place| self.unknown(place), tallest(factor));
        interleaved::solve(order, batch, stack, |x| {
            for (node, square, panel) in (0..count).map(part) {
                solve_lower_triangular_in_place(square, x.own(node), Par::Seq);
                x.push(node, panel);
            }
            for (node, square, panel) in (0..count).rev().map(part) {
                x.pull(node, panel);
                solve_upper_triangular_in_place(square.transpose(), x.own(node), Par::Seq);
            }
        });
    }
}

/// The most rows below any supernode.
fn tallest(factor: SupernodalLltRef<'_, usize, f64>) -> usize {
    let symbolic = factor.symbolic();
    let rows = |s: usize| symbolic.supernode(s).pattern().len();
    (0..symbolic.n_supernodes()).map(rows).max().unwrap_or(0)
}

impl Direct for SparseCholesky {
    fn method(&self) -> Method {
        Method::SparseCholesky
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.values) + size_of_val(&*self.reciprocals)
    }

    fn scratch(&self, columns: usize) -> StackReq {
        let rows = self.symbolic.nrows();
        match self.supernodal() {
            Some(factor) => {
                let single = StackReq::new::<f64>(rows).array(2);
                interleaved::scratch((rows, tallest(factor)), columns).or(single)
            }
            None => self
                .symbolic
                .solve_in_place_scratch::<f64>(columns, Par::Seq),
        }
    }

    fn solve(&self, _: Side, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        match (self.supernodal(), batch.ncols()) {
            (Some(factor), 1) => self.solve_single(factor, batch, stack),
            (Some(factor), _) => self.solve_batch(factor, batch, stack),
            (None, _) => {
                let llt = LltRef::new(&self.symbolic, &self.values);
                llt.solve_in_place_with_conj(Conj::No, batch, Par::Seq, stack);
            }
        }
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
