//! Solver for the precision of the free parameters, given a solver for that of all parameters.

use faer::{Mat, MatMut, MatRef};

use crate::coordinates::Chart;
use crate::error::Result;
use crate::linalg::{Factor, Side, SolveStats, lower_cholesky, solve_triangular};

/// Solver for R C Rᵀ in the coordinates of a chart, where R selects the free parameters and C is available
/// only through solves.
///
/// E selects the fixed parameters, and Σ = C⁻¹. The inverse of the block R C Rᵀ is the covariance of the free
/// parameters conditional on the fixed ones (the Schur complement of E Σ Eᵀ in Σ):
///
/// ```text
/// (R C Rᵀ)⁻¹ = R (Σ − Σ Eᵀ (E Σ Eᵀ)⁻¹ E Σ) Rᵀ
/// ```
///
/// The preparation takes one solve per fixed parameter. Every column then takes two solves.
pub(super) struct ConditionalPrecision<'a> {
    full: Box<dyn Factor + 'a>,
    chart: Chart,
    fixed: Vec<usize>,
    /// Cholesky factor of the covariance E Σ Eᵀ of the fixed parameters.
    fixed_factor: Mat<f64>,
}

impl<'a> ConditionalPrecision<'a> {
    pub(super) fn new(full: Box<dyn Factor + 'a>, chart: Chart) -> Result<Self> {
        let n = chart.scale.len();
        let mut free = vec![false; n];
        chart.free.iter().for_each(|&i| free[i] = true);
        let fixed: Vec<usize> = (0..n).filter(|&i| !free[i]).collect();
        let mut units = Mat::zeros(n, fixed.len());
        fixed
            .iter()
            .enumerate()
            .for_each(|(j, &i)| units[(i, j)] = 1.0);
        full.solve(Side::Plain, None, units.as_mut())?;
        // A principal block of a positive definite matrix is positive definite.
        let covariance = Mat::from_fn(fixed.len(), fixed.len(), |i, j| units[(fixed[i], j)]);
        let what = "the prior covariance of the parameters held by bounds";
        Ok(Self {
            fixed_factor: lower_cholesky(covariance.as_ref(), what)?,
            full,
            chart,
            fixed,
        })
    }
}

impl Factor for ConditionalPrecision<'_> {
    fn solve(
        &self,
        side: Side,
        _: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let (n, columns) = (self.chart.scale.len(), batch.ncols());
        // In the chart dθ = S dξ, the precision is S R C Rᵀ S. The right-hand side and the result are
        // therefore divided by the scale.
        let scale = |i: usize| self.chart.scale[i];
        let mut y = Mat::zeros(n, columns);
        for (row, &i) in self.chart.free.iter().enumerate() {
            (0..columns).for_each(|j| y[(i, j)] = batch[(row, j)] / scale(i));
        }
        // y = Σ Rᵀb and z = Σ Eᵀ (E Σ Eᵀ)⁻¹ E y, where E Σ Eᵀ = L Lᵀ.
        let first = self.full.solve(side, None, y.as_mut())?;
        let mut t = Mat::from_fn(self.fixed.len(), columns, |k, j| y[(self.fixed[k], j)]);
        solve_triangular(self.fixed_factor.as_ref(), Side::Plain, t.as_mut());
        solve_triangular(self.fixed_factor.as_ref(), Side::Transpose, t.as_mut());
        let mut z = Mat::zeros(n, columns);
        for (k, &i) in self.fixed.iter().enumerate() {
            (0..columns).for_each(|j| z[(i, j)] = t[(k, j)]);
        }
        // y − z is zero at the fixed parameters. Where the fixed parameters almost determine others, y − z
        // nearly cancels there too, and loses as many digits as the conditional variance is smaller than the
        // variance.
        let second = self.full.solve(side, None, z.as_mut())?;
        for (row, &i) in self.chart.free.iter().enumerate() {
            (0..columns).for_each(|j| batch[(row, j)] = (y[(i, j)] - z[(i, j)]) / scale(i));
        }
        Ok(first.worst(second))
    }
}
