//! A backend that sees where solves start.

use std::sync::Mutex;

use pullback::faer::prelude::Reborrow;
use pullback::faer::{Mat, MatMut, MatRef};
use pullback::linalg::{Factor, SolveStats};
use pullback::{Backend, Cpu, Operator, Result, Side};

/// A batch that was solved for.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) side: Side,
    pub(crate) columns: usize,
    /// ‖A x₀ − b‖/‖b‖ for every column, where the solver was told of some x₀.
    pub(crate) off: Option<Vec<f64>>,
}

/// The processor, watched; it passes for an iterative solver if `iterates`.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) cpu: Cpu,
    pub(crate) iterates: bool,
    pub(crate) batches: Mutex<Vec<Batch>>,
}

struct WatchedFactor<'a> {
    by: &'a Watched,
    matrix: Mat<f64>,
    factor: Box<dyn Factor + 'a>,
}

impl Backend for Watched {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        Ok(Box::new(WatchedFactor {
            by: self,
            matrix: a.to_dense(),
            factor: self.cpu.factor(a)?,
        }))
    }
}

impl WatchedFactor<'_> {
    fn note(&self, side: Side, batch: &MatMut<'_, f64>, off: Option<Vec<f64>>) {
        let columns = batch.ncols();
        let batch = Batch { side, columns, off };
        self.by.batches.lock().unwrap().push(batch);
    }
}

impl Factor for WatchedFactor<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let off = guess.map(|guess| {
            let image = match side {
                Side::Plain => &self.matrix * guess,
                Side::Transpose => self.matrix.transpose() * guess,
            };
            let b = batch.rb();
            let left = image - b;
            let off = |j: usize| left.col(j).norm_l2() / b.col(j).norm_l2();
            (0..b.ncols()).map(off).collect()
        });
        self.note(side, &batch, off);
        let mut stats = self.factor.solve(side, None, batch)?;
        stats.iterations += usize::from(self.by.iterates);
        Ok(stats)
    }
}

impl Watched {
    pub(crate) fn iterating() -> Self {
        Self {
            iterates: true,
            ..Self::default()
        }
    }

    /// How far off the starts of batches of this kind were, worst column, in the order of solving.
    pub(crate) fn starts(&self, side: Side, columns: usize) -> Vec<Option<f64>> {
        let batches = self.batches.lock().unwrap();
        let alike = batches
            .iter()
            .filter(|b| (b.side, b.columns) == (side, columns));
        let worst = |off: &Vec<f64>| off.iter().fold(0.0, |m: f64, x| m.max(*x));
        alike.map(|b| b.off.as_ref().map(worst)).collect()
    }
}
