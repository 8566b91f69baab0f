//! The processor: a factorisation for every structure.

pub(crate) mod checked;
pub(crate) mod direct;
mod gmres;
pub(crate) mod stencil;

use std::sync::LazyLock;

use faer::dyn_stack::{MemStack, StackReq};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{MatMut, MatRef};

use self::checked::{Checked, Direct};
use self::direct::analyses::Matrix;
use self::direct::cholesky::{CholeskyAnalyses, SparseCholesky};
use self::direct::lu;
use self::direct::lu::GeneralAnalyses;
use self::gmres::Gmres;
use self::stencil::{Precision, StencilSolver, Structured};
use super::memory::{Account, Budget};
use super::operator::{Operator, Side, Stencil, View};
use super::pool::Pool;
use super::repeated::by_block;
use super::{Backend, Factor, Method, SolveStats, check_batch, dense};
use crate::error::Result;

/// Solves on the processor.
///
/// | operator | positive definite | otherwise |
/// |---|---|---|
/// | identity, diagonal | no factorisation | no factorisation |
/// | dense | Cholesky | LU with partial pivoting |
/// | sparse | sparse Cholesky, multifrontal, minimum degree | sparse LU, minimum degree |
/// | stencil | sparse Cholesky, nested dissection, or conjugate gradients with multigrid | sparse LU, nested dissection, or BiCGSTAB with DILU or multigrid |
/// | products only | restarted GMRES | restarted GMRES |
/// | repeated | as its block, all copies in one batch | likewise |
///
/// Sparse LU does without pivoting where the pattern is symmetric and the diagonal dominates all columns, or all rows, up
/// to rounding, as in generators with upwind fluxes. Elsewhere, where a pivot vanishes, and for batches whose answers do
/// not satisfy the equations even after refinement, it is LU with partial pivoting and an order for columns (COLAMD).
///
/// Stencils of N cells are factorised when a batch has more columns than
///
/// | | positive definite | otherwise |
/// |---|---|---|
/// | on a line | 0 | 0 |
/// | in the plane, where the factors fit into memory | 0 | 3 + N/6000 |
/// | in space, N ≤ 120 000 | N/1000 | N/250 |
///
/// and from then on; axes of one cell do not count. Weighted Laplacians of densities in parts, with next to nothing
/// between them, are always factorised ([`Error::Parts`](crate::Error::Parts) where they may not be). Otherwise they are solved by iteration: with multigrid, or with DILU where all axes together
/// have no more than 64 cells and the matrix is not definite. Iteration that fails is followed by a factorisation
/// within the same limits. Where there is no memory for a factorisation, they are solved by iteration all the same, with
/// fewer columns side by side if need be. The bench `stencils` measures the crossovers; [`stencils`](Cpu::stencils)
/// overrides the rule.
///
/// What does not fit into [`memory`](Cpu::memory) is an [`Error::OutOfMemory`](crate::Error::OutOfMemory) before anything
/// is taken. Dense matrices, sparse Cholesky and LU without pivoting are counted exactly, or bounded, and so is the room
/// of iterations with stencils. LU with pivoting is refused where an estimate for pivots
/// that stay on the diagonal does not fit (or a bound for all pivots, where that is less), within a factor of two or so for
/// the matrices of grids; pivots elsewhere can take more. GMRES is charged for sixty vectors a thread, which it only takes
/// if it needs so many steps. Of iterations with stencils the room for the widest batch is counted, which serves
/// narrower ones, and a copy of the right-hand sides where a factorisation may have to follow. Whether something fits, and
/// so the method, does not depend on the number of threads: with too little memory for all, columns are solved one after
/// another. The operator itself, symbolic analyses, what a model holds, and what a descent keeps to start the next
/// solves from, are not counted; by default demands below 64 MiB are not held against the system.
///
/// ```
/// use pullback::{Backend, Cpu, Error, Operator, faer::Mat};
/// let mut cpu = Cpu::default();
/// cpu.memory = Some(100 << 20); // 100 MiB
/// assert!(cpu.factor(Operator::dense(Mat::identity(1000, 1000))).is_ok());
/// let refused = cpu.factor(Operator::dense(Mat::identity(4000, 4000)));
/// assert!(matches!(refused, Err(Error::OutOfMemory { .. })));
/// # Ok::<(), Error>(())
/// ```
///
/// Symbolic analyses are kept for the last eight sparsity patterns, so keep one `Cpu` for many solves; matrices of one
/// [`Pattern`](super::Pattern) are recognised without reading it. Batches are cut into fixed blocks of columns that run on rayon's current thread
/// pool; results do not depend on its size.
pub struct Cpu {
    /// Largest backward error of a direct solve that is not an error.
    pub tolerance: f64,
    /// Relative residual at which iterative solvers stop.
    pub krylov_tolerance: f64,
    /// Products that an iterative solver may spend on a column.
    pub krylov_products: usize,
    /// How stencils are solved with.
    pub stencils: StencilSolver,
    /// The precision of what preconditions them.
    pub cycles: Precision,
    /// The bytes that one factorisation may take together with the work of solves with it; none for what the system
    /// has available, which is asked when it is needed.
    pub memory: Option<usize>,
    lu: GeneralAnalyses,
    cholesky: CholeskyAnalyses,
}

impl Default for Cpu {
    fn default() -> Self {
        Self {
            tolerance: 1e-11,
            krylov_tolerance: 1e-11,
            krylov_products: 2000,
            stencils: StencilSolver::Auto,
            cycles: Precision::Auto,
            memory: None,
            lu: GeneralAnalyses::default(),
            cholesky: CholeskyAnalyses::default(),
        }
    }
}

impl Cpu {
    /// One with the defaults, for all who name no backend.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Cpu> = LazyLock::new(Cpu::default);
        &SHARED
    }
}

impl Backend for Cpu {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        by_block(a, |single| self.single(single))
    }
}

impl Cpu {
    /// Prepares to solve with a matrix that is not repeated.
    fn single<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        a.check_finite("a matrix to solve with")?;
        let (definite, n, budget) = (a.is_positive_definite(), a.nrows(), self.budget());
        Ok(match a.view() {
            View::Identity => Box::new(Trivial(n)),
            View::Diagonal(d) => {
                let inverse = Reciprocals(d.iter().map(|d| d.recip()).collect());
                self.checked(a, inverse)
            }
            View::Dense(m) if definite => {
                budget.check("dense Cholesky", n, dense::bytes(n))?;
                let llt = dense::cholesky(m, "an operator declared positive definite")?;
                self.checked(a, llt)
            }
            View::Dense(m) => {
                budget.check("dense LU", n, dense::bytes(n))?;
                let lu = dense::DenseLu::new(m);
                self.checked(a, lu)
            }
            View::Sparse(m) if definite => {
                let llt = SparseCholesky::new(
                    Matrix::new(m, a.structure()),
                    &self.cholesky,
                    None,
                    budget,
                )?;
                self.checked(a, llt)
            }
            View::Sparse(m) => {
                let lu = lu::factorise(Matrix::new(m, a.structure()), &self.lu, None, budget)?;
                self.checked(a, lu)
            }
            View::Stencil(stencil) => Box::new(Structured::new(self, stencil, &a)),
            // Taken apart above.
            View::Repeated { .. } | View::Free => Box::new(Gmres {
                operator: a,
                tolerance: self.krylov_tolerance,
                products: self.krylov_products,
                rooms: Pool::default(),
                account: Account::new(budget, 0),
            }),
        })
    }

    pub(super) fn factorise_stencil<'a>(
        &'a self,
        stencil: &Stencil,
        definite: bool,
    ) -> Result<Box<dyn Direct + 'a>> {
        stencil::factorise(stencil, definite, (&self.lu, &self.cholesky), self.budget())
    }

    /// What a factorisation may take now.
    pub(super) fn budget(&self) -> Budget {
        Budget::new(self.memory)
    }

    fn checked<'a, D: Direct + 'a>(
        &self,
        operator: Operator<'a>,
        direct: D,
    ) -> Box<dyn Factor + 'a> {
        let checked = Checked::new(operator, direct, self.tolerance);
        Box::new(checked.within(self.budget()))
    }
}

/// The identity: nothing to do but to check the shape.
struct Trivial(usize);

impl Factor for Trivial {
    fn solve(
        &self,
        _: Side,
        _: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_batch(batch.rb(), self.0)?;
        Ok(SolveStats::default().by(Method::Identity))
    }
}

/// A diagonal matrix, inverted.
struct Reciprocals(Vec<f64>);

impl Direct for Reciprocals {
    fn method(&self) -> Method {
        Method::Diagonal
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }

    fn scratch(&self, _: usize) -> StackReq {
        StackReq::EMPTY
    }

    fn solve(&self, _: Side, mut batch: MatMut<'_, f64>, _: &mut MemStack) {
        for column in batch.rb_mut().col_iter_mut() {
            for (x, d) in column.iter_mut().zip(&self.0) {
                *x *= d;
            }
        }
    }
}
