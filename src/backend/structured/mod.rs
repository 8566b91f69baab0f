//! Solvers for stencils on boxes: direct, or iterative in lock step over a batch.

mod bicgstab;
mod conjugate_gradients;
mod dilu;
mod direct;
mod dissection;
mod iteration;
mod iterative;
mod lanes;
mod level;
mod multigrid;
mod pipeline;
mod progress;
mod room;
mod system;

pub(super) use direct::factorise;
pub(crate) use iterative::smooth;

use std::sync::{Arc, OnceLock};

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{MatMut, MatRef};

use self::iterative::{Iterative, Wanted};
use super::checked::{Checked, Direct};
use super::cpu::Cpu;
use super::{Factor, SINGULAR, SolveStats, check_batch};
use crate::check;
use crate::error::Result;
use crate::operator::{Operator, Side, Stencil};

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

/// Most cells in a plane, and in space, that a factorisation is tried for: beyond, it takes gigabytes.
const LARGEST_PLANE: usize = 300_000;
const LARGEST_SOLID: usize = 50_000;

/// A stencil made ready for solving; what a way of solving needs is made when it is first taken.
pub(super) struct Structured<'a> {
    cpu: &'a Cpu,
    stencil: Arc<Stencil>,
    operator: Operator<'a>,
    direct: OnceLock<Checked<'a, Box<dyn Direct + 'a>>>,
    dilu: OnceLock<Iterative>,
    multigrid: OnceLock<Iterative>,
}

impl<'a> Structured<'a> {
    pub(super) fn new(cpu: &'a Cpu, stencil: &Arc<Stencil>, operator: &Operator<'a>) -> Self {
        Self {
            cpu,
            stencil: Arc::clone(stencil),
            operator: operator.share(stencil),
            direct: OnceLock::new(),
            dilu: OnceLock::new(),
            multigrid: OnceLock::new(),
        }
    }

    /// The rule stated at [`Cpu`].
    fn choose(&self, columns: usize) -> StencilSolver {
        if self.cpu.stencils != StencilSolver::Auto {
            return self.cpu.stencils;
        }
        let cells = self.stencil.cells();
        let many = match (self.axes().count(), self.is_definite()) {
            (0 | 1, _) => 0,
            (2, true) => usize::from(cells > LARGEST_PLANE) * usize::MAX,
            (2, false) => 16,
            (_, true) => cells / 2500,
            (_, false) => (cells as f64).sqrt() as usize / 2,
        };
        // By nothing but the batch, so that the same batch has the same bits whatever was solved before.
        if columns > many && self.direct_fits() {
            StencilSolver::Direct
        } else if !self.is_definite() && self.axes().sum::<usize>() <= 64 {
            StencilSolver::Dilu
        } else {
            StencilSolver::Multigrid
        }
    }

    /// Cells along the axes that have more than one.
    fn axes(&self) -> impl Iterator<Item = usize> {
        self.stencil.shape.into_iter().filter(|&n| n > 1)
    }

    /// Whether a factorisation is within reach.
    fn direct_fits(&self) -> bool {
        let most = match self.axes().count() {
            0 | 1 => usize::MAX,
            2 => LARGEST_PLANE,
            _ => LARGEST_SOLID,
        };
        self.stencil.cells() <= most
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

    /// The same, from solutions that are nearly right if there are any.
    fn solve_near(
        &self,
        side: Side,
        near: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_batch(batch.rb(), self.stencil.cells())?;
        let definite = self.is_definite();
        let iterative = match self.choose(batch.ncols()) {
            StencilSolver::Dilu => self
                .dilu
                .get_or_init(|| Iterative::dilu(&self.stencil, definite, self.cpu.cycles)),
            StencilSolver::Multigrid => {
                let made = || Iterative::multigrid(&self.stencil, definite, self.cpu.cycles);
                self.multigrid.get_or_init(made)
            }
            _ => return self.direct()?.solve(side, batch),
        };
        let wanted = Wanted {
            stencil: &self.stencil,
            side,
            tolerance: self.cpu.krylov_tolerance,
            products: self.cpu.krylov_products,
            regular: self.operator.is_definite_by_construction(),
        };
        let rescue = self.cpu.stencils == StencilSolver::Auto && self.direct_fits();
        let saved = rescue.then(|| batch.rb().to_owned());
        match (iterative.solve(&wanted, near, batch.rb_mut()), saved) {
            (Err(_), Some(saved)) => {
                batch.copy_from(saved);
                self.direct()?.solve(side, batch)
            }
            (outcome, _) => outcome,
        }
    }
}

impl Factor for Structured<'_> {
    fn solve(&self, side: Side, batch: MatMut<'_, f64>) -> Result<SolveStats> {
        self.solve_near(side, None, batch)
    }

    fn solve_from(
        &self,
        side: Side,
        near: MatRef<'_, f64>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_batch(near, batch.nrows())?;
        check::length("the solutions to start from", near.ncols(), batch.ncols())?;
        self.solve_near(side, Some(near), batch)
    }
}
