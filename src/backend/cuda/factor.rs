//! Matrices made ready for solving on a device, with the processor for what iteration cannot do.

use std::sync::OnceLock;

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Mat, MatMut, MatRef};

use super::Cuda;
use super::iterated::Iterated;
use crate::backend::structured::progress::Criteria;
use crate::backend::{Backend, Factor, Method, SolveStats, check_batch, check_near};
use crate::error::{Error, Result};
use crate::operator::{Operator, Side};

/// Makes an operator once more.
pub(super) type Again<'a> = Box<dyn Fn() -> Operator<'a> + Send + Sync + 'a>;

/// A matrix on a device.
pub(super) struct OnDevice<'a> {
    pub(super) cuda: &'a Cuda,
    pub(super) iterated: Iterated,
    pub(super) criteria: Criteria,
    pub(super) method: Method,
    /// The same matrix once more, for the processor.
    pub(super) again: Again<'a>,
    /// It made ready there, once iteration has failed.
    pub(super) rescue: OnceLock<Box<dyn Factor + 'a>>,
}

impl OnDevice<'_> {
    fn solve_near(
        &self,
        side: Side,
        near: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_batch(batch.rb(), self.iterated.rows())?;
        let mut solved = vec![false; batch.ncols()];
        let columns = (batch.rb_mut(), &mut solved[..]);
        match self.iterated.solve((side, self.criteria), near, columns) {
            Ok(stats) => Ok(stats.by(self.method)),
            Err(Error::Stagnation { .. }) => self.rescue(side, batch, &solved),
            Err(e) => Err(e),
        }
    }

    /// Solves on the processor for the columns that are left.
    fn rescue(
        &self,
        side: Side,
        mut batch: MatMut<'_, f64>,
        solved: &[bool],
    ) -> Result<SolveStats> {
        let left: Vec<usize> = (0..solved.len()).filter(|&j| !solved[j]).collect();
        let mut rest = Mat::from_fn(batch.nrows(), left.len(), |i, j| batch[(i, left[j])]);
        let stats = self.on_the_processor()?.solve(side, rest.as_mut())?;
        for (j, &column) in left.iter().enumerate() {
            batch.rb_mut().col_mut(column).copy_from(rest.col(j));
        }
        Ok(stats)
    }

    fn on_the_processor(&self) -> Result<&dyn Factor> {
        if let Some(known) = self.rescue.get() {
            return Ok(known.as_ref());
        }
        let made = self.cuda.cpu.factor((self.again)())?;
        Ok(self.rescue.get_or_init(|| made).as_ref())
    }
}

impl Factor for OnDevice<'_> {
    fn solve(&self, side: Side, batch: MatMut<'_, f64>) -> Result<SolveStats> {
        self.solve_near(side, None, batch)
    }

    fn solve_from(
        &self,
        side: Side,
        near: MatRef<'_, f64>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_near(near, batch.rb())?;
        self.solve_near(side, Some(near), batch)
    }
}
