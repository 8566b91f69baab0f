//! Sum of the Wasserstein-2 metrics of the marginals along lines, exactly the second variation of the sum of their ½W₂².

use faer::{Mat, MatRef};

use super::axis_root::AxisRoot;
use super::edges::sums;
use super::line::Line;
use super::measure::{marginal, sum_of_axes};
use super::prepared::lines;
use super::slices::Slices;
use crate::check;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::linalg::{Backend, share_columns};
use crate::metric::{Metric, Root, check_batch, check_covector, check_lifted};
use crate::vector::{centre, dot, norm};

/// Metric w Σ_θ ∫ (δF_θ)²/ρ_θ dx of the marginals ρ_θ along lines, with δF_θ′ the marginals of Πζ.
///
/// The marginals are constant, and δF_θ linear, in every bin. On a line this is Wasserstein-2, for which
/// `metric::Wasserstein2` takes means of ρ on faces, a difference of order h².
pub(super) struct SlicesMetric<'a> {
    pub(super) grid: &'a Grid,
    /// Mass of the target of the loss.
    pub(super) mass: f64,
    pub(super) slices: &'a Slices,
    /// Levels of the target along all lines.
    pub(super) target: &'a [Vec<f64>],
}

impl Metric for SlicesMetric<'_> {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        check::length(
            "the density given to a transport metric",
            rho.len(),
            self.grid.cells(),
        )?;
        check::density("the density ρ", rho)?;
        let volume = self.grid.volume();
        let lines = self.slices.project(rho).into_iter();
        let lines = lines.zip(self.slices.spacings()).map(|(mass, spacing)| {
            let width = volume / spacing;
            let density: Vec<f64> = mass.iter().map(|r| width * r).collect();
            AxisRoot::new(&density, spacing)
        });
        Ok(Box::new(SlicesRoot {
            lines: lines.collect(),
            metric: self,
            total: rho.iter().sum(),
            rho,
            volume,
        }))
    }

    fn name(&self) -> &'static str {
        match (self.slices, self.grid.dim()) {
            (Slices::Frames(..), _) => "sliced W2",
            (_, 1) => "W2",
            _ => "W2 of marginals",
        }
    }
}

/// Largest relative distance of a covector from the range of Lᵀ that counts as rounding.
const IN_RANGE: f64 = 1e-8;

/// Square root L of the metric at one ρ: the roots of all lines, one after another.
struct SlicesRoot<'a> {
    metric: &'a SlicesMetric<'a>,
    rho: &'a [f64],
    total: f64,
    volume: f64,
    lines: Vec<AxisRoot>,
}

impl SlicesRoot<'_> {
    /// Returns the root of every line with the first of its rows.
    fn parts(&self) -> impl Iterator<Item = (&AxisRoot, usize)> {
        let mut first = 0;
        self.lines.iter().map(move |root| {
            let start = first;
            first += root.rows();
            (root, start)
        })
    }

    /// Returns L z with M z = u, given functions whose sums along the lines are u.
    fn solved(&self, along: &[Vec<f64>]) -> Vec<f64> {
        let mut y = vec![0.0; self.lifted_dim()];
        for ((root, first), c) in self.parts().zip(along) {
            root.dual(c, &mut y[first..first + root.rows()]);
        }
        y
    }

    /// Returns the y with Lᵀy = ∇f for the loss f of the metric.
    fn gradient(&self) -> Vec<f64> {
        let SlicesMetric {
            mass,
            slices,
            target,
            ..
        } = self.metric;
        // ∇f = m/Σρ w Σ_θ Pᵀφ, and Lᵀy = vol √w Σ_θ Pᵀ(lowered y), each up to constants.
        let scale = mass / (self.total * self.volume) * slices.weight().sqrt();
        let potential = |line: &Line| line.potential().iter().map(|p| scale * p).collect();
        let maps = lines(slices, target, self.rho);
        self.solved(&maps.iter().map(potential).collect::<Vec<_>>())
    }

    /// Returns the y with Lᵀy = Πᵀc for a multiple c of the gradient of the loss, or an error for others.
    fn multiple(&self, c: &[f64]) -> Result<Vec<f64>> {
        let y = self.gradient();
        let lowered = self.lower(MatRef::from_column_major_slice(&y, y.len(), 1))?;
        let gradient = lowered.col_as_slice(0);
        let mut c = c.to_vec();
        self.project(&mut c);
        let factor = dot(&c, gradient) / dot(gradient, gradient).max(f64::MIN_POSITIVE);
        let pairs = c.iter().zip(gradient);
        let rest: Vec<f64> = pairs.map(|(c, g)| c - factor * g).collect();
        let distance = norm(&rest) / norm(&c).max(f64::MIN_POSITIVE);
        match distance <= IN_RANGE {
            true => Ok(y.iter().map(|y| factor * y).collect()),
            false => Err(Error::NotInRange {
                metric: "sliced W2",
                distance,
            }),
        }
    }

    /// Returns the functions c_d of one coordinate with c = vol Σ_d c_d, or an error if there are none.
    fn separated(&self, c: &[f64]) -> Result<Vec<Vec<f64>>> {
        // The mean of a sum over all coordinates but one is its term up to a constant, which has no effect on tangents that
        // conserve mass: Σ_d means_d = c/vol + (D − 1) mean.
        let (grid, count) = (self.metric.grid, c.len() as f64);
        let mean = c.iter().sum::<f64>() / (count * self.volume);
        let means = |d: usize| -> Vec<f64> {
            let n = grid.axes()[d].cells;
            let scale = n as f64 / (count * self.volume);
            let sums = marginal(c, n, grid.stride(d));
            sums.iter().map(|s| scale * s).collect()
        };
        let axes: Vec<Vec<f64>> = (0..grid.dim()).map(means).collect();
        let extra = (grid.dim() - 1) as f64 * mean;
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

impl Root for SlicesRoot<'_> {
    fn dim(&self) -> usize {
        self.rho.len()
    }

    fn lifted_dim(&self) -> usize {
        self.lines.iter().map(AxisRoot::rows).sum()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim())?;
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
            let along = self.metric.slices.project(&zeta);
            let weight = self.metric.slices.weight().sqrt();
            for ((root, first), along) in self.parts().zip(&along) {
                let edges: Vec<f64> = sums(along).iter().map(|e| weight * e).collect();
                root.lift(&edges, &mut out[first..first + root.rows()]);
            }
        });
        Ok(lifted)
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_lifted(y, self.lifted_dim())?;
        let mut lowered = Mat::zeros(self.dim(), y.ncols());
        share_columns(lowered.as_mut(), |j, out| {
            let lines = self.parts().map(|(root, first)| {
                let mut c = vec![0.0; root.rows() / 2];
                root.lower(|i| y[(first + i, j)], &mut c);
                c
            });
            let slices = self.metric.slices;
            let mut sum = slices.spread(&lines.collect::<Vec<_>>());
            let scale = self.volume * slices.weight().sqrt();
            sum.iter_mut().for_each(|c| *c *= scale);
            self.project(&mut sum);
            out.iter_mut().zip(&sum).for_each(|(out, c)| *out = *c);
        });
        Ok(lowered)
    }

    /// Returns y = L z with M z = Πᵀc, by one tridiagonal solve along every line.
    ///
    /// # Errors
    /// Fails if the covector is not a sum of functions of single coordinates, and for several frames if it is not a multiple of the
    /// gradient of the loss.
    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        match self.metric.slices {
            Slices::Axes(_) => Ok(self.solved(&self.separated(c)?)),
            Slices::Frames(..) => self.multiple(c),
        }
    }

    fn project(&self, c: &mut [f64]) {
        centre(c, self.rho, self.total);
    }
}
