//! Solvers for stencils on boxes: direct, or iterative in lock step over a batch.

pub(crate) mod bicgstab;
pub(crate) mod conjugate_gradients;
mod dilu;
mod direct;
mod dissection;
pub(crate) mod iteration;
pub(crate) mod iterative;
mod kernels;
pub(crate) mod lanes;
mod level;
pub(crate) mod multigrid;
pub(crate) mod pipeline;
pub(crate) mod progress;
pub(crate) mod system;
pub(crate) mod workspace;

pub(crate) use self::direct::factorise;
pub(crate) use self::iterative::smooth;
pub use self::kernels::Kernels;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{MatMut, MatRef};

use self::iterative::{Iterative, Wanted};
use super::Cpu;
use super::checked::{Checked, Direct};
use crate::error::{Error, Result};
use crate::linalg::operator::{Operator, Side, Stencil};
use crate::linalg::pool::Pool;
use crate::linalg::{Factor, SINGULAR, SolveStats, check_batch, check_guess};

/// How a stencil is solved with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StencilSolver {
    /// What is fastest by the rule stated at [`Cpu`].
    #[default]
    Auto,
    /// A sparse factorisation.
    Direct,
    /// Iteration with an incomplete factorisation, DILU.
    Dilu,
    /// Iteration with aggregation multigrid.
    Multigrid,
}

/// The precision of a preconditioner. Solutions have the accuracy that was asked for with either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Single for matrices that are positive definite, unless their diagonal spans more than thirty decades; double
    /// otherwise.
    #[default]
    Auto,
    /// Half the memory traffic of a cycle. For batches with generators of benign flows a third faster, with a few
    /// more iterations; where densities span many decades it may make no progress.
    Single,
    /// The more robust of the two.
    Double,
}

/// Most cells in space that a factorisation is tried for: beyond, it takes minutes.
const LARGEST_SOLID: usize = 120_000;

/// Numbers in the factors of a stencil in the plane are at least this many times N log₂ N: 3.3 to 3.5 were counted for
/// Cholesky from 128² to 1024² cells.
const LEAST_FILL: f64 = 3.0;

/// A stencil made ready for solving; what a way of solving needs is made when it is first taken.
pub(crate) struct Structured<'a> {
    cpu: &'a Cpu,
    stencil: Arc<Stencil>,
    operator: Operator<'a>,
    direct: OnceLock<Checked<'a, Box<dyn Direct + 'a>>>,
    dilu: OnceLock<Iterative>,
    multigrid: OnceLock<Iterative>,
    /// Whether a factorisation is within reach; what the system has left changes once it is made.
    within_reach: OnceLock<bool>,
    /// Columns that are to come, as far as is known.
    expected: AtomicUsize,
    /// Right-hand sides, for a second attempt.
    saved: Pool<Vec<f64>>,
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
            within_reach: OnceLock::new(),
            expected: AtomicUsize::new(0),
            saved: Pool::default(),
        }
    }

    /// The rule stated at [`Cpu`].
    fn choose(&self, columns: usize) -> StencilSolver {
        if self.cpu.stencils != StencilSolver::Auto {
            return self.cpu.stencils;
        }
        let cells = self.stencil.cells();
        let columns = columns.max(self.expected.load(Ordering::Relaxed));
        let many = match (self.axes().count(), self.is_definite()) {
            (0 | 1, _) | (2, true) => 0,
            (2, false) => 3 + cells / 6000,
            (_, true) => cells / 1000,
            (_, false) => cells / 250,
        };
        // By nothing but the batch and what was announced, so that the same batch has the same bits whatever was solved before.
        if columns > many && self.direct_fits() {
            StencilSolver::Direct
        } else {
            self.iteration()
        }
    }

    /// The better way of iterating.
    fn iteration(&self) -> StencilSolver {
        if !self.is_definite() && self.axes().sum::<usize>() <= 64 {
            StencilSolver::Dilu
        } else {
            StencilSolver::Multigrid
        }
    }

    /// Cells along the axes that have more than one.
    fn axes(&self) -> impl Iterator<Item = usize> {
        self.stencil.shape.into_iter().filter(|&n| n > 1)
    }

    /// Whether a factorisation is within reach: of time in space, and in the plane of memory, by a bound that costs less
    /// than the analysis which gives the exact number.
    fn direct_fits(&self) -> bool {
        let cells = self.stencil.cells();
        match self.axes().count() {
            0 | 1 => true,
            2 => *self.within_reach.get_or_init(|| {
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
        // Of a right-hand side at random about 1/√n is beyond the reach of a singular matrix, and only that is amplified.
        let limit = SINGULAR / (self.stencil.cells() as f64).sqrt();
        let checked = checked.limit(limit).within(self.cpu.budget());
        Ok(self.direct.get_or_init(|| checked))
    }

    /// The way of iterating that was chosen, made now if need be.
    fn iterative(&self, solver: StencilSolver) -> Result<&Iterative> {
        let (made, name) = match solver {
            StencilSolver::Dilu => (&self.dilu, "DILU"),
            _ => (&self.multigrid, "multigrid"),
        };
        if let Some(iterative) = made.get() {
            return Ok(iterative);
        }
        let (stencil, definite) = (&self.stencil, self.is_definite());
        let bytes = Iterative::bytes(stencil);
        self.cpu.budget().check(name, stencil.cells(), bytes)?;
        let make = || Iterative::new(solver, stencil, definite, self.cpu.cycles);
        Ok(made.get_or_init(make))
    }

    /// batch ← A⁻¹ batch where the diagonal does not tell the sums of rows: no iteration sees what these are.
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
        let mut chosen = self.choose(batch.ncols());
        let auto = self.cpu.stencils == StencilSolver::Auto;
        if chosen == StencilSolver::Direct {
            match self.direct() {
                // What there is no memory for can still be iterated.
                Err(Error::OutOfMemory { .. }) if auto => chosen = self.iteration(),
                direct => return direct?.solve(side, None, batch),
            }
        }
        let wanted = Wanted {
            stencil: &self.stencil,
            side,
            tolerance: self.cpu.krylov_tolerance,
            products: self.cpu.krylov_products,
            regular: self.operator.is_definite_by_construction(),
            budget: self.cpu.budget().besides(Iterative::bytes(&self.stencil)),
        };
        let iterative = self.iterative(chosen)?;
        let (rows, columns) = batch.shape();
        let copy = rows * columns * size_of::<f64>();
        if !(auto && self.direct_fits() && wanted.budget.fits(copy)) {
            return iterative.solve(&wanted, guess, batch);
        }
        let wanted = Wanted {
            budget: wanted.budget.besides(copy),
            ..wanted
        };
        let fits = |room: &Vec<f64>| room.len() == rows * columns;
        self.saved.keep(fits);
        let make = || vec![0.0; rows * columns];
        self.saved.with(fits, make, |room| {
            let mut saved = MatMut::from_column_major_slice_mut(room, rows, columns);
            saved.copy_from(batch.rb());
            let outcome = iterative.solve(&wanted, guess, batch.rb_mut());
            // What is too large to iterate is no smaller as factors.
            if matches!(outcome, Ok(_) | Err(Error::OutOfMemory { .. })) {
                return outcome;
            }
            batch.copy_from(saved);
            self.direct()?.solve(side, None, batch)
        })
    }

    fn announce(&self, columns: usize) {
        self.expected.fetch_max(columns, Ordering::Relaxed);
    }
}
