//! Sum of the Wasserstein-2 metrics of the marginals along the axes, exactly the second variation of the sum of their ½W₂².

use faer::{Mat, MatRef};

use super::axis_root::AxisRoot;
use super::edges::sums;
use super::measure::{marginal, sum_of_axes};
use crate::check;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::linalg::{Backend, share_columns};
use crate::metric::{Metric, Root};
use crate::vector::{centre, norm};

/// Metric Σ_d ∫ (δF_d)²/ρ_d dx of the marginals ρ_d, with δF_d′ the marginals of Πζ.
///
/// The marginals are constant, and δF_d linear, in every cell. On a line this is Wasserstein-2, for which
/// `metric::Wasserstein2` takes means of ρ on faces, a difference of order h².
pub(super) struct AxesMetric<'a> {
    pub(super) grid: &'a Grid,
}

impl Metric for AxesMetric<'_> {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        check::length(
            "the density given to a transport metric",
            rho.len(),
            self.grid.cells(),
        )?;
        check::density("the density ρ", rho)?;
        let volume = self.grid.volume();
        let axes = self.grid.axes().iter().enumerate().map(|(d, axis)| {
            let density = marginal(rho, axis.cells, self.grid.stride(d));
            let width = volume / axis.spacing();
            let density: Vec<f64> = density.iter().map(|r| width * r).collect();
            AxisRoot::new(&density, axis.spacing())
        });
        Ok(Box::new(AxesRoot {
            axes: axes.collect(),
            grid: self.grid,
            total: rho.iter().sum(),
            rho,
            volume,
        }))
    }

    fn name(&self) -> &'static str {
        match self.grid.dim() {
            1 => "W2",
            _ => "W2 of marginals",
        }
    }
}

/// Largest relative distance of a covector from a sum of functions of one coordinate that counts as rounding.
const IN_RANGE: f64 = 1e-8;

/// Square root L of the metric at one ρ: the roots of all axes, one after another.
struct AxesRoot<'a> {
    grid: &'a Grid,
    rho: &'a [f64],
    total: f64,
    volume: f64,
    axes: Vec<AxisRoot>,
}

impl AxesRoot<'_> {
    /// Returns every axis with its number of cells, its stride, and the first of its rows.
    fn parts(&self) -> impl Iterator<Item = (&AxisRoot, usize, usize, usize)> {
        let mut first = 0;
        let axes = self.axes.iter().zip(self.grid.axes()).enumerate();
        axes.map(move |(d, (root, axis))| {
            let start = first;
            first += root.rows();
            (root, axis.cells, self.grid.stride(d), start)
        })
    }

    /// Returns the functions c_d of one coordinate with c = vol Σ_d c_d, or an error if there are none.
    fn separated(&self, c: &[f64]) -> Result<Vec<Vec<f64>>> {
        // The mean of a sum over all coordinates but one is its term up to a constant, which has no effect on tangents that
        // conserve mass: Σ_d means_d = c/vol + (D − 1) mean.
        let count = c.len() as f64;
        let mean = c.iter().sum::<f64>() / (count * self.volume);
        let means = |d: usize| -> Vec<f64> {
            let n = self.grid.axes()[d].cells;
            let scale = n as f64 / (count * self.volume);
            let sums = marginal(c, n, self.grid.stride(d));
            sums.iter().map(|s| scale * s).collect()
        };
        let axes: Vec<Vec<f64>> = (0..self.grid.dim()).map(means).collect();
        let extra = (self.grid.dim() - 1) as f64 * mean;
        let rest: Vec<f64> = (sum_of_axes(&axes).iter().zip(c))
            .map(|(s, c)| c - self.volume * (s - extra))
            .collect();
        let distance = norm(&rest) / norm(c).max(f64::MIN_POSITIVE);
        match distance <= IN_RANGE {
            true => Ok(axes),
            false => Err(Error::NotInRange {
                metric: "W2 of marginals",
                distance,
            }),
        }
    }
}

impl Root for AxesRoot<'_> {
    fn dim(&self) -> usize {
        self.rho.len()
    }

    fn lifted_dim(&self) -> usize {
        self.axes.iter().map(AxisRoot::rows).sum()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check::length(
            "the rows of a tangent batch given to a metric",
            z.nrows(),
            self.dim(),
        )?;
        let mut lifted = Mat::zeros(self.lifted_dim(), z.ncols());
        share_columns(lifted.as_mut(), |j, out| {
            let Some(out) = out.try_as_col_major_mut() else {
                return;
            };
            let out = out.as_slice_mut();
            let column = z.col(j);
            let excess = column.iter().sum::<f64>() / self.total;
            let pairs = column.iter().zip(self.rho);
            let zeta: Vec<f64> = pairs.map(|(z, r)| self.volume * (z - excess * r)).collect();
            for (root, n, stride, first) in self.parts() {
                let edges = sums(&marginal(&zeta, n, stride));
                root.lift(&edges, &mut out[first..first + root.rows()]);
            }
        });
        Ok(lifted)
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check::length(
            "the rows of a lifted batch given to a metric",
            y.nrows(),
            self.lifted_dim(),
        )?;
        let mut lowered = Mat::zeros(self.dim(), y.ncols());
        share_columns(lowered.as_mut(), |j, out| {
            let axes = self.parts().map(|(root, n, _, first)| {
                let mut c = vec![0.0; n];
                root.lower(|i| y[(first + i, j)], &mut c);
                c
            });
            let axes: Vec<Vec<f64>> = axes.collect();
            let mut sum = sum_of_axes(&axes);
            sum.iter_mut().for_each(|c| *c *= self.volume);
            self.project(&mut sum);
            out.iter_mut().zip(&sum).for_each(|(out, c)| *out = *c);
        });
        Ok(lowered)
    }

    /// Returns y = L z with M z = Πᵀc, by one tridiagonal solve along every axis.
    ///
    /// # Errors
    /// Fails if the covector is not a sum of functions of one coordinate.
    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check::length("a covector given to a metric", c.len(), self.dim())?;
        let mut y = vec![0.0; self.lifted_dim()];
        let separated = self.separated(c)?;
        for ((root, _, _, first), c) in self.parts().zip(&separated) {
            root.dual(c, &mut y[first..first + root.rows()]);
        }
        Ok(y)
    }

    fn project(&self, c: &mut [f64]) {
        centre(c, self.rho, self.total);
    }
}
