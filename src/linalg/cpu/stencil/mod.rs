//! Solvers for stencils on boxes: sparse factorisations, and Krylov methods that iterate on all columns of a batch
//! in lock step.

pub(crate) mod bicgstab;
pub(crate) mod conjugate_gradients;
mod dilu;
mod direct;
mod dissection;
pub(crate) mod iteration;
pub(crate) mod iterative;
pub(crate) mod lanes;
pub(crate) mod level;
pub(crate) mod multigrid;
mod passes;
pub(crate) mod pipeline;
pub(crate) mod progress;
pub(crate) mod system;
mod window;
pub(crate) mod workspace;

pub(crate) use self::direct::factorise;
pub(crate) use self::iterative::smooth;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{MatMut, MatRef};

use self::iterative::{Iterative, Request};
use super::Cpu;
use super::checked::{Checked, Direct};
use crate::error::{Error, Result};
use crate::linalg::operator::{Operator, Side, Stencil};
use crate::linalg::{Factor, SINGULAR, SolveStats, check_batch, check_guess};

/// Choice of the solver for linear systems with a stencil matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StencilSolver {
    /// Solver chosen by the rule in the documentation of [`Cpu`].
    #[default]
    Auto,
    /// Sparse factorisation.
    Direct,
    /// Krylov iteration preconditioned by an incomplete factorisation, DILU.
    Dilu,
    /// Krylov iteration preconditioned by aggregation multigrid.
    Multigrid,
}

/// Precision of a preconditioner. Solutions meet the requested accuracy in either precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Single precision for matrices that are positive definite, unless their diagonal spans more than thirty decades;
    /// double precision otherwise.
    #[default]
    Auto,
    /// Single precision, which halves the memory traffic of a cycle. For generators of benign flows, batches
    /// are solved a third faster, with a few more iterations. If densities span many orders of magnitude, the
    /// iteration may stall.
    Single,
    /// Double precision, the more robust choice.
    Double,
}

/// Largest number of cells for which a three-dimensional stencil is factorised. With more cells, a factorisation takes
/// minutes.
const LARGEST_SOLID: usize = 120_000;

/// Lower bound on the number of entries in the factors of a two-dimensional stencil, in units of N log₂ N.
///
/// In measurements, Cholesky factors had 3.3 to 3.5 units for 128² to 1024² cells. Nested dissection fills
/// O(N log N) entries (George 1973).
const LEAST_FILL: f64 = 3.0;

/// Factor of a stencil. Each solver is prepared when it is first used.
pub(crate) struct Structured<'a> {
    cpu: &'a Cpu,
    stencil: Arc<Stencil>,
    operator: Operator<'a>,
    direct: OnceLock<Checked<'a, Box<dyn Direct + 'a>>>,
    dilu: OnceLock<Box<dyn Iterative>>,
    multigrid: OnceLock<Box<dyn Iterative>>,
    /// Whether a factorisation fits into memory. The first answer is cached, because free memory shrinks once the
    /// factors are allocated.
    fits_in_memory: OnceLock<bool>,
    /// Largest number of columns that was announced.
    announced: AtomicUsize,
    /// Buffer for a copy of the right-hand sides, which a factorisation needs if the iteration fails.
    saved: Mutex<Vec<f64>>,
}

impl<'a> Structured<'a> {
    pub(crate) fn new(cpu: &'a Cpu, stencil: &Arc<Stencil>, operator: &Operator<'a>) -> Self {
        Self {
            cpu,
            stencil: Arc::clone(stencil),
            operator: operator.share(stencil),
            direct: OnceLock::new(),
            dilu: OnceLock::new(),
            multigrid: OnceLock::new(),
            fits_in_memory: OnceLock::new(),
            announced: AtomicUsize::new(0),
            saved: Mutex::new(Vec::new()),
        }
    }

    /// Chooses a solver by the rule in the documentation of [`Cpu`].
    fn choose(&self, columns: usize) -> StencilSolver {
        if self.cpu.stencils != StencilSolver::Auto {
            return self.cpu.stencils;
        }
        let cells = self.stencil.cells();
        let columns = columns.max(self.announced.load(Ordering::Relaxed));
        // With nested dissection a factorisation of N cells costs O(N) operations in one dimension, O(N^1.5)
        // in two and O(N²) in three (George 1973; Lipton, Rose & Tarjan 1979). An iteration costs O(N) per
        // column, and multigrid needs O(1) iterations. In three dimensions, the number of columns for which a
        // factorisation pays off is thus proportional to N. The constants, and the rule in two dimensions,
        // are measured (benchmark `stencils`).
        let many = match (self.axes().count(), self.is_definite()) {
            (0 | 1, _) | (2, true) => 0,
            (2, false) => 3 + cells / 6000,
            (_, true) => cells / 1000,
            (_, false) => cells / 250,
        };
        // The choice depends only on the batch and on announcements, not on whether factors already exist.
        // Solutions of equal batches are therefore bitwise identical, whatever was solved before.
        if columns > many && self.direct_fits() {
            StencilSolver::Direct
        } else {
            self.preferred_iteration()
        }
    }

    /// Returns the iterative solver that suits the stencil best.
    fn preferred_iteration(&self) -> StencilSolver {
        // A step of DILU costs less than one of multigrid, but the number of steps grows with the length of
        // the axes. Measured on generators of 16³ and 64² cells: 24 to 42 iterations of DILU against 6 to 8
        // of multigrid, at a similar time. From there on multigrid wins by a factor that grows with the axes
        // (benches/RESULTS.md).
        if !self.is_definite() && self.axes().sum::<usize>() <= 64 {
            StencilSolver::Dilu
        } else {
            StencilSolver::Multigrid
        }
    }

    /// Returns the lengths of the axes that have more than one cell.
    fn axes(&self) -> impl Iterator<Item = usize> {
        self.stencil.shape.into_iter().filter(|&n| n > 1)
    }

    /// Returns whether a factorisation is affordable. The criterion is run time for three axes, and memory
    /// for two.
    fn direct_fits(&self) -> bool {
        let cells = self.stencil.cells();
        match self.axes().count() {
            0 | 1 => true,
            2 => *self.fits_in_memory.get_or_init(|| {
                // A lower bound on the fill is cheaper than a symbolic analysis, which would give the exact
                // number.
                let triangles = if self.is_definite() { 1.0 } else { 2.0 };
                let numbers = triangles * LEAST_FILL * cells as f64 * (cells as f64).log2();
                self.cpu.budget().fits(numbers as usize * size_of::<f64>())
            }),
            _ => cells <= LARGEST_SOLID,
        }
    }

    fn is_definite(&self) -> bool {
        self.operator.is_positive_definite()
    }

    /// Returns the factorisation, which the first call computes.
    fn direct(&self) -> Result<&Checked<'a, Box<dyn Direct + 'a>>> {
        if let Some(direct) = self.direct.get() {
            return Ok(direct);
        }
        let definite = self.is_definite();
        let direct = self.cpu.factorise_stencil(&self.stencil, definite)?;
        let checked = Checked::new(
            self.operator.share(&self.stencil),
            direct,
            self.cpu.tolerance,
        );
        // If A is singular with left null vector w, ‖w‖ = 1, only the component ⟨w, b⟩ is amplified without bound.
        // For a random b it is about ‖b‖/√n. The limit of the amplification is therefore smaller by √n.
        let limit = SINGULAR / (self.stencil.cells() as f64).sqrt();
        let checked = checked.limit(limit).within(self.cpu.budget());
        Ok(self.direct.get_or_init(|| checked))
    }

    /// Returns an iterative solver, with its preconditioner built on first use.
    fn iterative(&self, solver: StencilSolver) -> Result<&dyn Iterative> {
        let (cached, name) = match solver {
            StencilSolver::Dilu => (&self.dilu, "DILU"),
            _ => (&self.multigrid, "multigrid"),
        };
        if let Some(iterative) = cached.get() {
            return Ok(&**iterative);
        }
        let (stencil, definite) = (&self.stencil, self.is_definite());
        let bytes = iterative::bytes(stencil);
        self.cpu.budget().check(name, stencil.cells(), bytes)?;
        let make = || iterative::prepare(solver, stencil, definite, self.cpu.cycles);
        Ok(&**cached.get_or_init(make))
    }

    /// Computes batch ← A⁻¹ batch with a factorisation from the row sums of A.
    ///
    /// This is for matrices whose row sums are lost to rounding errors in the diagonal. Iterative methods use
    /// only the diagonal, and cannot recover the row sums.
    fn solve_by_sums(&self, side: Side, batch: MatMut<'_, f64>) -> Result<SolveStats> {
        let direct = match self.cpu.stencils {
            StencilSolver::Auto if self.direct_fits() => self.direct(),
            StencilSolver::Direct => return self.direct()?.solve(side, None, batch),
            _ => Err(Error::Parts),
        };
        match direct {
            Err(Error::OutOfMemory { .. }) => Err(Error::Parts),
            direct => direct?.solve(side, None, batch),
        }
    }

    fn saved(&self) -> MutexGuard<'_, Vec<f64>> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Factor for Structured<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_batch(batch.rb(), self.stencil.cells())?;
        check_guess(guess, batch.rb())?;
        if self.stencil.excess().is_some() && self.is_definite() {
            return self.solve_by_sums(side, batch);
        }
        let mut solver = self.choose(batch.ncols());
        let auto = self.cpu.stencils == StencilSolver::Auto;
        if solver == StencilSolver::Direct {
            match self.direct() {
                // Iterations need less memory than factors.
                Err(Error::OutOfMemory { .. }) if auto => solver = self.preferred_iteration(),
                direct => return direct?.solve(side, None, batch),
            }
        }
        let mut request = Request {
            stencil: &self.stencil,
            side,
            tolerance: self.cpu.krylov_tolerance,
            products: self.cpu.krylov_products,
            regular: self.operator.is_definite_by_construction(),
            budget: self.cpu.budget().besides(iterative::bytes(&self.stencil)),
        };
        let iterative = self.iterative(solver)?;
        let (rows, columns) = batch.shape();
        let bytes = rows * columns * size_of::<f64>();
        if !(auto && self.direct_fits() && request.budget.fits(bytes)) {
            return iterative.solve(&request, guess, batch);
        }
        request.budget = request.budget.besides(bytes);
        let buffer = Some(std::mem::take(&mut *self.saved()));
        let buffer = buffer.filter(|buffer| buffer.len() == rows * columns);
        let mut buffer = buffer.unwrap_or_else(|| vec![0.0; rows * columns]);
        // An iteration overwrites columns as they converge. A factorisation that follows a failure needs all
        // right-hand sides again.
        let mut b = MatMut::from_column_major_slice_mut(&mut buffer, rows, columns);
        b.copy_from(batch.rb());
        let outcome = iterative.solve(&request, guess, batch.rb_mut());
        // If the memory did not suffice for the iteration, it does not suffice for a factorisation either.
        let failed = !matches!(outcome, Ok(_) | Err(Error::OutOfMemory { .. }));
        if failed {
            batch.copy_from(b);
        }
        *self.saved() = buffer;
        if failed {
            return self.direct()?.solve(side, None, batch);
        }
        outcome
    }

    fn announce(&self, columns: usize) {
        self.announced.fetch_max(columns, Ordering::Relaxed);
    }
}
