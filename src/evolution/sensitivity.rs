//! Sensitivity of all experiments of a model.

use faer::{Mat, MatRef};
use rayon::prelude::*;

use super::backward::backward;
use super::forward::forward;
use super::lanes::{groups, load};
use super::linearised::Linearised;
use super::second_order::{Bent, Curvatures};
use crate::error::Result;
use crate::linalg::Batch;
use crate::model::adjoint::{Sensitivity, StateCurvature};

/// Linearised experiments, one after the other in ρ.
pub(super) struct Sweeps<'a> {
    p: usize,
    experiments: Vec<Linearised<'a>>,
}

impl<'a> Sweeps<'a> {
    /// Creates the sensitivity of experiments in p parameters.
    pub(super) fn new(p: usize, experiments: Vec<Linearised<'a>>) -> Self {
        Self { p, experiments }
    }

    /// Returns the numbers of entries of ρ of all experiments.
    fn rows(&self) -> impl Iterator<Item = usize> {
        let lengths = self.experiments.iter();
        lengths.map(|e| e.outputs * e.course.observations)
    }

    /// Divides the columns of all experiments among tasks.
    fn tasks(&self, columns: usize) -> Vec<Task<'_, 'a>> {
        let mut tasks = Vec::new();
        let mut row = 0;
        for (experiment, rows) in self.experiments.iter().zip(self.rows()) {
            for [column, width] in groups(columns, 8) {
                tasks.push(Task {
                    experiment,
                    row,
                    rows,
                    column,
                    width,
                });
            }
            row += rows;
        }
        tasks
    }
}

impl Linearised<'_> {
    fn tangents<const L: usize>(&self, v: MatRef<'_, f64>, first: usize) -> Result<Mat<f64>> {
        let out = forward::<L>(self, &load(v, first), None)?;
        let columns = L.min(v.ncols() - first);
        Ok(Mat::from_fn(out.len(), columns, |i, j| out[i][j]))
    }

    fn adjoints<const L: usize>(
        &self,
        w: MatRef<'_, f64>,
        first: usize,
        p: usize,
    ) -> Result<Mat<f64>> {
        let mut out = vec![[0.0; L]; p];
        backward::<L>(self, &load(w, first), &mut out, &mut ())?;
        let columns = L.min(w.ncols() - first);
        Ok(Mat::from_fn(p, columns, |i, j| out[i][j]))
    }
}

impl Sensitivity for Sweeps<'_> {
    fn state_dim(&self) -> usize {
        self.rows().sum()
    }

    fn param_dim(&self) -> usize {
        self.p
    }

    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let tasks = self.tasks(v.ncols());
        let sweep = |task: &Task<'_, '_>| match task.width {
            1 => task.experiment.tangents::<1>(v, task.column),
            4 => task.experiment.tangents::<4>(v, task.column),
            _ => task.experiment.tangents::<8>(v, task.column),
        };
        let blocks = run(&tasks, sweep)?;
        let mut out = Mat::zeros(self.state_dim(), v.ncols());
        for (task, block) in tasks.iter().zip(&blocks) {
            let (rows, columns) = block.shape();
            let mut part = out
                .as_mut()
                .submatrix_mut(task.row, task.column, rows, columns);
            part.copy_from(block);
        }
        Ok(out)
    }

    fn curvature(&self, w: &[f64]) -> Result<Option<Box<dyn StateCurvature + '_>>> {
        // Steps that are not stored would be taken again for every place. The second derivatives of events are not known.
        if !self.experiments.iter().all(Linearised::is_smooth) {
            return Ok(None);
        }
        let mut bent = Vec::with_capacity(self.experiments.len());
        let mut first = 0;
        for (experiment, rows) in self.experiments.iter().zip(self.rows()) {
            bent.push(Bent::new(experiment, &w[first..first + rows], self.p)?);
            first += rows;
        }
        Ok(Some(Box::new(Curvatures(bent))))
    }

    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        let w = w.fetch()?;
        let tasks = self.tasks(w.ncols());
        let sweep = |task: &Task<'_, '_>| {
            let w = w.as_ref().subrows(task.row, task.rows);
            match task.width {
                1 => task.experiment.adjoints::<1>(w, task.column, self.p),
                4 => task.experiment.adjoints::<4>(w, task.column, self.p),
                _ => task.experiment.adjoints::<8>(w, task.column, self.p),
            }
        };
        let blocks = run(&tasks, sweep)?;
        // The experiments are added in their order, whatever thread swept them.
        let mut out = Mat::zeros(self.p, w.ncols());
        for (task, block) in tasks.iter().zip(&blocks) {
            let mut part = out.as_mut().subcols_mut(task.column, block.ncols());
            part += block;
        }
        Ok(out)
    }
}

/// Columns of an experiment that are swept at once.
struct Task<'s, 'a> {
    experiment: &'s Linearised<'a>,
    /// First entry of the experiment in ρ, and their number.
    row: usize,
    rows: usize,
    /// First column.
    column: usize,
    /// Number of columns, some of which may lie beyond the last.
    width: usize,
}

/// Runs tasks, over all threads if there are several.
fn run<T: Sync>(
    tasks: &[T],
    work: impl Fn(&T) -> Result<Mat<f64>> + Send + Sync,
) -> Result<Vec<Mat<f64>>> {
    match tasks {
        [task] => Ok(vec![work(task)?]),
        _ => tasks.par_iter().map(work).collect(),
    }
}
