//! Backend for the CPU, with a solver for every matrix structure.

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

/// Backend that solves on the CPU.
///
/// | operator | positive definite | otherwise |
/// |---|---|---|
/// | identity, diagonal | no factorisation | no factorisation |
/// | dense | Cholesky | LU with partial pivoting |
/// | sparse | sparse Cholesky, multifrontal, minimum degree | sparse LU, minimum degree |
/// | stencil | cosine transforms, or sparse Cholesky, nested dissection, or conjugate gradients with multigrid | sparse LU, nested dissection, or BiCGSTAB with DILU or multigrid |
/// | matrix-free | restarted GMRES | restarted GMRES |
/// | block-diagonal with equal blocks | as its block, all blocks in one batch | as its block, all blocks in one batch |
///
/// # Sparse LU
/// LU does not pivot if the pattern is symmetric and the matrix is diagonally dominant by columns or by rows,
/// up to rounding, as in generators with upwind fluxes. All other matrices are factorised by LU with partial
/// pivoting and a column ordering (COLAMD). This is also the fallback if a pivot vanishes, and for batches
/// whose solutions do not satisfy the equations even after refinement.
///
/// # Stencils
/// A positive definite stencil with constant coefficients, s I + Σ w L with the Neumann Laplacians L along the axes, is
/// solved by cosine transforms. Any other stencil of N cells is factorised if a batch has more columns than
///
/// | | positive definite | otherwise |
/// |---|---|---|
/// | one axis | 0 | 0 |
/// | two axes, where the factors fit into memory | 0 | 3 + N/6000 |
/// | three axes, N ≤ 120 000 | N/700 | N/250 |
///
/// Axes of one cell do not count. If more columns were announced than a batch has, the announced number
/// decides. All other batches are solved iteratively: with DILU if the lengths of all axes add up to at most
/// 64 cells and the matrix is not positive definite, with multigrid otherwise. If the iteration fails, a
/// factorisation is tried within the same limits. If the memory does not suffice for a factorisation, the
/// iteration is used instead, with fewer interleaved columns if necessary.
///
/// Weighted Laplacians of densities whose parts are separated by nearly empty gaps are always factorised. If
/// that is impossible, the solve fails with [`Error::Parts`](crate::Error::Parts).
///
/// The benchmark `stencils` measures the crossovers. [`stencils`](Cpu::stencils) overrides the rule.
///
/// # Memory
/// A request that exceeds [`memory`](Cpu::memory) fails with
/// [`Error::OutOfMemory`](crate::Error::OutOfMemory) before anything is allocated. By default, requests below
/// 64 MiB are never refused.
///
/// - Dense matrices, sparse Cholesky, LU without pivoting and the workspace of iterations with stencils are counted
///   exactly or bounded from above.
/// - LU with pivoting is refused if the smaller of two amounts does not fit: an estimate that assumes pivots on the
///   diagonal, and an upper bound for all choices of pivots. For matrices on grids, the estimate is within a factor
///   of about two. With pivots off the diagonal, the factors can take more.
/// - GMRES is charged for about sixty vectors per thread. It uses this memory only if it needs that many steps.
/// - Iterations with stencils are charged for the workspace of the widest batch, which also serves narrower ones, and
///   for a copy of the right-hand sides if a factorisation may have to follow.
/// - Operators, symbolic analyses, data held by models, and vectors that a descent keeps for warm starts are not
///   counted.
///
/// Whether a request fits, and therefore the method, does not depend on the number of threads. If the memory does
/// not suffice for all columns at once, they are solved one after another.
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
/// # Reuse and threads
/// Symbolic analyses of the last eight sparsity patterns are cached, so that one `Cpu` should serve many
/// solves. Matrices that share a [`Pattern`](super::Pattern) are recognised without comparison of their
/// patterns. Batches are divided into fixed blocks of columns that run on rayon's current thread pool.
/// Results do not depend on the size of the pool.
pub struct Cpu {
    /// Largest backward error that a direct solve may have.
    pub tolerance: f64,
    /// Relative residual at which iterative solvers stop.
    pub krylov_tolerance: f64,
    /// Largest number of products with A that an iterative solver may spend on a column.
    pub krylov_products: usize,
    /// Choice of the solver for stencils.
    pub stencils: StencilSolver,
    /// Precision of the preconditioners for stencils.
    pub cycles: Precision,
    /// Largest number of bytes for one factorisation and the workspace of its solves. `None` stands for the
    /// memory that the system has available at the time of each request.
    pub memory: Option<usize>,
    lu: GeneralAnalyses,
    cholesky: CholeskyAnalyses,
}

impl Default for Cpu {
    fn default() -> Self {
        Self {
            // Stable solves have backward errors of a few ε, so that this tolerance accepts a loss of four to
            // five digits. Iterative solves use the same tolerance: with sensitivities solved to 10⁻⁹ instead
            // of 10⁻¹¹, fits of the Lorenz equations stall before they reach six digits (docs/decisions.md).
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
    /// Returns the shared backend with default settings, which is used where no backend is given.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Cpu> = LazyLock::new(Cpu::default);
        &SHARED
    }
}

impl Backend for Cpu {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        by_block(a, |block| self.factor_block(block))
    }

    fn lanes(&self, count: usize) -> Option<Vec<&dyn Backend>> {
        // A factor does not depend on earlier ones.
        Some(vec![self; count])
    }
}

impl Cpu {
    /// Prepares the solver for a matrix that is not stored as repeated blocks.
    fn factor_block<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        a.check_finite("a matrix to solve with")?;
        let (definite, n, budget) = (a.is_positive_definite(), a.nrows(), self.budget());
        Ok(match a.view() {
            View::Identity => Box::new(Identity(n)),
            View::Diagonal(d) => {
                // A product with a reciprocal has one rounding error more than a quotient. A zero entry gives
                // ∞, so that the check of the solution reports a singular matrix.
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
            // `by_block` never passes a repeated matrix to this function.
            View::Repeated { .. } | View::Free => Box::new(Gmres {
                operator: a,
                tolerance: self.krylov_tolerance,
                products: self.krylov_products,
                workspaces: Pool::default(),
                account: Account::new(budget, 0),
            }),
        })
    }

    /// Factorises a stencil within the budget.
    pub(super) fn factorise_stencil<'a>(
        &'a self,
        stencil: &Stencil,
        definite: bool,
    ) -> Result<Box<dyn Direct + 'a>> {
        stencil::factorise(stencil, definite, (&self.lu, &self.cholesky), self.budget())
    }

    /// Returns the memory that a factorisation may take.
    pub(super) fn budget(&self) -> Budget {
        Budget::new(self.memory)
    }

    /// Wraps a direct solver, so that its solutions are refined and verified against the equations.
    fn checked<'a, D: Direct + 'a>(
        &self,
        operator: Operator<'a>,
        direct: D,
    ) -> Box<dyn Factor + 'a> {
        let checked = Checked::new(operator, direct, self.tolerance);
        Box::new(checked.within(self.budget()))
    }
}

/// Factor of the identity, which only checks the shape of a batch.
struct Identity(usize);

impl Factor for Identity {
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

/// Inverse of a diagonal matrix.
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
