//! Solves with the precision of some of the parameters, by solves with that of all.

use faer::{Mat, MatMut, MatRef};

use crate::coordinates::Chart;
use crate::error::Result;
use crate::linalg::{Factor, Side, SolveStats, lower_cholesky, solve_triangular};

/// (R C Rᵀ)⁻¹ in the coordinates of a chart, R picking the free parameters, where C is known by its products and solves only.
///
/// With E picking those that are held, and Σ = C⁻¹, the inverse of the block is what the conditional covariance is:
///
/// ```text
/// (R C Rᵀ)⁻¹ = R (Σ − Σ Eᵀ (E Σ Eᵀ)⁻¹ E Σ) Rᵀ
/// ```
///
/// which takes a solve for every parameter that is held once, and two a column then.
pub(super) struct Held<'a> {
    whole: Box<dyn Factor + 'a>,
    chart: Chart,
    held: Vec<usize>,
    /// The Cholesky factor of E Σ Eᵀ.
    block: Mat<f64>,
}

impl<'a> Held<'a> {
    pub(super) fn new(whole: Box<dyn Factor + 'a>, chart: Chart) -> Result<Self> {
        let n = chart.scale.len();
        let mut free = vec![false; n];
        chart.free.iter().for_each(|&i| free[i] = true);
        let held: Vec<usize> = (0..n).filter(|&i| !free[i]).collect();
        let mut units = Mat::zeros(n, held.len());
        held.iter()
            .enumerate()
            .for_each(|(j, &i)| units[(i, j)] = 1.0);
        whole.solve(Side::Plain, None, units.as_mut())?;
        let block = Mat::from_fn(held.len(), held.len(), |i, j| units[(held[i], j)]);
        let what = "the prior covariance of the parameters that bounds hold";
        Ok(Self {
            block: lower_cholesky(block.as_ref(), what)?,
            whole,
            chart,
            held,
        })
    }
}

impl Factor for Held<'_> {
    fn solve(
        &self,
        side: Side,
        _: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let (n, columns) = (self.chart.scale.len(), batch.ncols());
        let scale = |i: usize| self.chart.scale[i];
        let mut y = Mat::zeros(n, columns);
        for (row, &i) in self.chart.free.iter().enumerate() {
            (0..columns).for_each(|j| y[(i, j)] = batch[(row, j)] / scale(i));
        }
        let first = self.whole.solve(side, None, y.as_mut())?;
        let mut t = Mat::from_fn(self.held.len(), columns, |k, j| y[(self.held[k], j)]);
        solve_triangular(self.block.as_ref(), Side::Plain, t.as_mut());
        solve_triangular(self.block.as_ref(), Side::Transpose, t.as_mut());
        let mut z = Mat::zeros(n, columns);
        for (k, &i) in self.held.iter().enumerate() {
            (0..columns).for_each(|j| z[(i, j)] = t[(k, j)]);
        }
        let second = self.whole.solve(side, None, z.as_mut())?;
        for (row, &i) in self.chart.free.iter().enumerate() {
            (0..columns).for_each(|j| batch[(row, j)] = (y[(i, j)] - z[(i, j)]) / scale(i));
        }
        Ok(first.worst(second))
    }
}
